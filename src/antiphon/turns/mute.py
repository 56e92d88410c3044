"""Mute: the user is not heard while a rule says so.

Muted audio is replaced by silence of the same length, so that later parts do not lose track of time.
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

NO_GREETING = 1.0  # seconds: if no reply has begun by then, the session has no greeting


class MuteRule(Protocol):
    """A rule for when the user is muted; an instance belongs to one session."""

    def observe(self, fact: Signal) -> None:
        """Note a signal.

        It is one of SessionStarted, ReplyStarted, PlayoutStarted, ReplyEnded, ToolStarted, ToolEnded.
        """
        ...

    def mutes(self, at: float) -> bool:
        """Return True if audio that begins at `at`, in seconds, is muted.

        Called for each piece of audio.
        """
        ...


class UntilGreeted:
    """A rule that mutes until the first reply is over, if one begins within 1 s."""

    def __init__(self) -> None:
        self._began = self._over = False

    def observe(self, fact: Signal) -> None:
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
    """A rule that mutes while a reply is heard, from its first sample to its end.

    With `once`, it mutes only during the first reply that is heard.
    """

    def __init__(self, *, once: bool = False) -> None:
        self._once = once
        self._over = False
        self._reply: int | None = None

    def observe(self, fact: Signal) -> None:
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
    """A rule that mutes while a tool works for the current reply."""

    def __init__(self) -> None:
        self._running: set[tuple[int, str]] = set()

    def observe(self, fact: Signal) -> None:
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
    """A processor that silences the user's audio while any rule says so.

    Text and keys always pass. It stands right behind the transport's input. A rule is a name from `RULES` or
    any `MuteRule`. Raises ConfigurationError for an unknown name.
    """

    def __init__(self, *rules: str | MuteRule) -> None:
        self.rules = [_rule(rule) if isinstance(rule, str) else rule for rule in rules]

    @on(SessionStarted, ReplyStarted, PlayoutStarted, ReplyEnded, ToolStarted, ToolEnded)
    def observe(self, fact: Signal) -> None:
        for rule in self.rules:
            rule.observe(fact)

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        at = frame.at / frame.sample_rate
        muted = any(rule.mutes(at) for rule in self.rules)
        self.push(replace(frame, pcm=bytes(len(frame.pcm))) if muted else frame)


def _rule(name: str) -> MuteRule:
    if name not in RULES:
        raise ConfigurationError(f"there is no mute rule {name!r}; known: {', '.join(RULES)}")
    return RULES[name]()
