"""Mute: the user is not heard while a rule says so.

What is muted becomes silence of the same length, so that no part behind it loses count of the time.
"""

from collections.abc import Callable
from typing import Protocol

from ..errors import ConfigurationError
from ..frames import (
    PlayoutStarted,
    ReplyEnded,
    ReplyStarted,
    SessionStarted,
    Signal,
    ToolEnded,
    ToolStarted,
    UserAudio,
    replace,
)
from ..processor import Processor, on

__all__ = ["RULES", "Mute", "MuteRule", "UntilGreeted", "WhileSpeaking", "WhileToolsRun"]

NO_GREETING = 1.0  # seconds after which a session that began without a reply has no greeting


class MuteRule(Protocol):
    """Says when the user is not to be heard; for one session."""

    def take(self, fact: Signal) -> None:
        """Told of SessionStarted, ReplyStarted, PlayoutStarted, ReplyEnded, ToolStarted and ToolEnded."""
        ...

    def mutes(self, at: float) -> bool:
        """Whether audio that begins at this time, in seconds, is muted. Called for each piece."""
        ...


class UntilGreeted:
    """From the start until the first reply is over, if one begins in the first second."""

    def __init__(self) -> None:
        self._began = self._over = False

    def take(self, fact: Signal) -> None:
        match fact:
            case ReplyStarted():
                self._began = True
            case ReplyEnded():
                self._over = True
            case _:
                pass

    def mutes(self, at: float) -> bool:
        self._over = self._over or (at >= NO_GREETING and not self._began)
        return not self._over


class WhileSpeaking:
    """While a reply is heard, from its first sample to its end; with `once`, only the first that is."""

    def __init__(self, *, once: bool = False) -> None:
        self._once = once
        self._over = False
        self._reply: int | None = None

    def take(self, fact: Signal) -> None:
        match fact:
            case PlayoutStarted(reply) if not self._over:
                self._reply = reply
            case ReplyEnded(reply=reply) if reply == self._reply:
                self._reply, self._over = None, self._once
            case _:
                pass

    def mutes(self, at: float) -> bool:
        return self._reply is not None


class WhileToolsRun:
    """While a tool works for a reply; one that outlives its reply mutes nobody."""

    def __init__(self) -> None:
        self._running: set[tuple[int, str]] = set()

    def take(self, fact: Signal) -> None:
        match fact:
            case ToolStarted(reply, call):
                self._running.add((reply, call.id))
            case ToolEnded(reply, call):
                self._running.discard((reply, call.id))
            case ReplyEnded(reply=reply):
                self._running = {running for running in self._running if running[0] != reply}
            case _:
                pass

    def mutes(self, at: float) -> bool:
        return bool(self._running)


RULES: dict[str, Callable[[], MuteRule]] = {
    "greeting": UntilGreeted,
    "first words": lambda: WhileSpeaking(once=True),
    "tools": WhileToolsRun,
    "speaking": WhileSpeaking,
}


class Mute(Processor):
    """Makes the user's audio silent while any of the rules says so. Text and keys always pass.

    Stands right behind the transport's input. A rule is a name of `RULES` or an object of one's own; raises
    ConfigurationError for a name that is not known.
    """

    def __init__(self, *rules: str | MuteRule) -> None:
        self.rules = [_rule(rule) if isinstance(rule, str) else rule for rule in rules]

    @on(SessionStarted, ReplyStarted, PlayoutStarted, ReplyEnded, ToolStarted, ToolEnded)
    def told(self, fact: Signal) -> None:
        for rule in self.rules:
            rule.take(fact)

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        at = frame.at / frame.sample_rate
        muted = any(rule.mutes(at) for rule in self.rules)
        self.push(replace(frame, pcm=bytes(len(frame.pcm))) if muted else frame)


def _rule(name: str) -> MuteRule:
    if name not in RULES:
        raise ConfigurationError(f"there is no mute rule {name!r}; known: {', '.join(RULES)}")
    return RULES[name]()
