"""Antiphon: real-time voice and video agents. Call and response.

    from antiphon import Agent, tool

What is used first stands here; the rest is imported from where it lives, and nothing is loaded before it is
used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agent import Listening, Speaking
    from .conversation.tools import tool
    from .front_door import Agent
    from .pipeline import Gate, Parallel, Switch, Tap
    from .playout.playout import Playout
    from .processor import Processor, on
    from .session import Session
    from .stage import Stage

__version__ = "0.1.0.dev0"

__all__ = [
    "Agent",
    "Gate",
    "Listening",
    "Parallel",
    "Playout",
    "Processor",
    "Session",
    "Speaking",
    "Stage",
    "Switch",
    "Tap",
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
    "Session": ".session",
    "Speaking": ".agent",
    "Stage": ".stage",
    "Switch": ".pipeline",
    "Tap": ".pipeline",
    "on": ".processor",
    "tool": ".conversation.tools",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'antiphon' has no attribute {name!r}")
    return getattr(import_module(home, __name__), name)
