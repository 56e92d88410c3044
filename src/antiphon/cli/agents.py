"""The agent of a command: the one in a file, or the house's own."""

import sys
import traceback
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

from ..agent import Agent
from ..errors import AntiphonError, ConfigurationError

__all__ = ["chosen", "from_file", "loading"]

loading: ContextVar[Path | None] = ContextVar("loading", default=None)
"""The file that is being read for its agent."""


def chosen(path: Path | None) -> Agent:
    """The agent of a file, or that of the demo where no file is named."""
    if path is not None:
        return from_file(path)
    from .shop import agent

    return agent


def from_file(path: Path) -> Agent:
    """The Agent named `agent` in a Python file, else the only one. The file is run as when it is imported.

    Raises ConfigurationError where it cannot be read or run, or has no such agent.
    """
    try:
        code = compile(path.read_bytes(), path, "exec")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}; name a Python file") from error
    except (SyntaxError, ValueError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise ConfigurationError(f"{path}{line} is not Python: {error}") from error
    module = ModuleType(f"agent_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(path.parent.resolve()))
    token = loading.set(path)
    try:
        exec(code, vars(module))
    except AntiphonError:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationError(f"{_place(error, path)}: {type(error).__name__}: {error}") from error
    finally:
        loading.reset(token)
    return _only(vars(module), path)


def _only(names: dict[str, object], path: Path) -> Agent:
    named = names.get("agent")
    if isinstance(named, Agent):
        return named
    agents = {name: value for name, value in names.items() if isinstance(value, Agent)}
    if not agents:
        raise ConfigurationError(f'{path} has no agent: write agent = Agent("You answer ...") in it')
    if len({id(agent) for agent in agents.values()}) > 1:
        raise ConfigurationError(f"{path} has several agents ({', '.join(agents)}): name one of them agent")
    return next(iter(agents.values()))


def _place(error: BaseException, path: Path) -> str:
    """The last line of the file that the error came through."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f"{path}, line {lines[-1]}" if lines else str(path)
