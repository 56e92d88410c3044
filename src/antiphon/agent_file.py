"""Loading agents from a Python file, for commands and servers."""

import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias, cast

from .agent import AgentDefinition
from .errors import AntiphonError, ConfigurationError

__all__ = ["AgentFactory", "Agents", "chosen", "from_file", "loading", "served"]

AgentFactory: TypeAlias = Callable[[Any], AgentDefinition | Awaitable[AgentDefinition]]
"""Makes the agent of one session, from the server's `Opening` (`server/port.py`)."""
Agents: TypeAlias = Mapping[str, AgentDefinition | AgentFactory]
"""What a server serves, by name."""

loading: ContextVar[Path | None] = ContextVar("loading", default=None)
"""The file that is being run for its agent, so that `Agent.run` can refuse to run then."""


def chosen(path: Path | None) -> AgentDefinition:
    """Return the agent of a file, or the demo's agent if `path` is None."""
    if path is not None:
        return from_file(path)
    from .demo_agent import agent

    return agent


def from_file(path: Path) -> AgentDefinition:
    """Run a Python file and return its Agent named `agent`, or else its only one.

    Raises ConfigurationError if the file cannot be read or run, or has no such agent.
    """
    return _only(_run(path), path)


def served(path: Path | None) -> "Agents":
    """Run a Python file and return the agents to serve, by name.

    They are its dict `agents`, or else its `agent`, which may be a function, under the file's name. If `path`
    is None, it is the demo's agent. Raises ConfigurationError as `from_file` does.
    """
    if path is None:
        return {"bicycle_shop": chosen(None)}
    names = _run(path)
    several, one = names.get("agents"), names.get("agent")
    if isinstance(several, dict):
        return _checked(cast(dict[Any, Any], several), path)
    if callable(one):
        return {path.stem: cast(Any, one)}
    return {path.stem: _only(names, path)}


def _checked(agents: dict[Any, Any], path: Path) -> "Agents":
    for name, agent in agents.items():
        if not isinstance(name, str) or not (isinstance(agent, AgentDefinition) or callable(agent)):
            raise ConfigurationError(
                f"{path}: agents[{name!r}] is neither an Agent nor a function that returns one"
            )
    if not agents:
        raise ConfigurationError(f"{path}: agents is empty; write agents = {{'name': Agent(...)}}")
    return agents


def _run(path: Path) -> dict[str, object]:
    """Run a file and return its global names."""
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
    except KeyboardInterrupt:
        raise  # Ctrl-C
    except BaseException as error:
        raise ConfigurationError(f"{_place(error, path)}: {type(error).__name__}: {error}") from error
    finally:
        loading.reset(token)
    return vars(module)


def _only(names: dict[str, object], path: Path) -> AgentDefinition:
    named = names.get("agent")
    if isinstance(named, AgentDefinition):
        return named
    agents = {name: value for name, value in names.items() if isinstance(value, AgentDefinition)}
    if not agents:
        raise ConfigurationError(f'{path} has no agent: write agent = Agent("You answer ...") in it')
    if len({id(agent) for agent in agents.values()}) > 1:
        raise ConfigurationError(f"{path} has several agents ({', '.join(agents)}): name one of them agent")
    return next(iter(agents.values()))


def _place(error: BaseException, path: Path) -> str:
    """Return the file, with its last line in the error's traceback."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return f"{path}, line {lines[-1]}" if lines else str(path)
