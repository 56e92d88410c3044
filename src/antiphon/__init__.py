"""Antiphon: real-time voice and video agents. Call and response.

    from antiphon import Agent, tool

The names that a first program needs can be imported from here; everything else is imported from its own
module. Each name loads its module on first use, so `import antiphon` alone stays cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

if TYPE_CHECKING:
    from .agent import Listening, Speaking
    from .conversation.scope import Scope
    from .conversation.tools import tool
    from .front_door import Agent
    from .pipeline import Gate, Parallel, Tap
    from .playout.playout import Playout
    from .processor import Processor, on
    from .race import Race
    from .session import Session
    from .stage import Stage
    from .switch import Switch

__all__ = [
    "Agent",
    "Gate",
    "Listening",
    "Parallel",
    "Playout",
    "Processor",
    "Race",
    "Scope",
    "Session",
    "Speaking",
    "Stage",
    "Switch",
    "Tap",
    "__version__",
    "on",
    "tool",
]

_HOMES = {
    "Agent": ".front_door",
    "Gate": ".pipeline",
    "Listening": ".agent",
    "Parallel": ".pipeline",
    "Playout": ".playout.playout",
    "Processor": ".processor",
    "Race": ".race",
    "Scope": ".conversation.scope",
    "Session": ".session",
    "Speaking": ".agent",
    "Stage": ".stage",
    "Switch": ".switch",
    "Tap": ".pipeline",
    "on": ".processor",
    "tool": ".conversation.tools",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'antiphon' has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)
