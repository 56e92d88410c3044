"""What the client is told beside the words: the calls of tools, as far as it may know, and figures."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from ..conversation.conversation import Conversation
from ..conversation.tools import Tool
from ..frames import (
    AgentAudio,
    Measured,
    Prompt,
    ReplyEnded,
    SegmentStarted,
    Text,
    ToolCall,
    ToolEnded,
    ToolStarted,
    Usage,
    UserAudio,
)
from ..processor import SessionPort
from .tools import ClientTool

__all__ = ["Figures", "Level", "Report", "ToolReports"]

Level: TypeAlias = Literal["disabled", "none", "name", "arguments", "full"]
"""How much of a tool's call the client is told: nothing; only that there is one, by its id; its name, too;
its arguments, too; its result, too."""
Report: TypeAlias = Level | Mapping[str, Level]
"""For all tools, or by name, "*" being all others."""

LEVELS_EVERY = 0.15  # seconds between two levels of sound
QUIETEST = -60.0  # dBFS, which is told as 0


class ToolReports:
    """Tells of the calls of one session's tools, as `report` allows. A client's own tools need all of it."""

    def __init__(self, session: SessionPort, tell: Callable[[str, Any], None], report: Report) -> None:
        self._session = session
        self._tell = tell
        self._report: Mapping[str, Level] = report if isinstance(report, Mapping) else {"*": report}
        self._running: dict[str, tuple[int, ToolCall]] = {}

    def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
        """Tell of a call that begins or ends."""
        match what:
            case ToolStarted(reply, call):
                self._running[call.id] = reply, call
                self._begun(call)
            case ToolEnded(_, call, result):
                self._over(call, result)
            case ReplyEnded(interrupted=True):
                for reply, call in list(self._running.values()):
                    tool = self._tool(call.name)
                    if reply == what.reply and tool is not None and tool.on_interrupt == "cancel":
                        self._over(call, None)
            case _:
                pass

    def _begun(self, call: ToolCall) -> None:
        level = self._level(call.name)
        if level == "disabled":
            return
        name = {} if level == "none" else {"function_name": call.name}
        self._tell("llm-function-call-started", name)
        told: dict[str, Any] = {**name, "tool_call_id": call.id}
        if level in ("arguments", "full"):
            arguments = _value(call.arguments or "{}")
            told["arguments"] = arguments if isinstance(arguments, dict) else {}
        self._tell("llm-function-call-in-progress", told)

    def _over(self, call: ToolCall, result: str | None) -> None:
        """It has ended, with a result, or was cancelled."""
        level = self._level(call.name)
        if self._running.pop(call.id, None) is None or level == "disabled":
            return
        told: dict[str, Any] = {"tool_call_id": call.id, "cancelled": result is None}
        if level != "none":
            told["function_name"] = call.name
        if level == "full" and result is not None:
            told["result"] = _value(result)
        self._tell("llm-function-call-stopped", told)

    def _level(self, name: str) -> Level:
        if isinstance(self._tool(name), ClientTool):
            return "full"
        return self._report.get(name, self._report.get("*", "none"))

    def _tool(self, name: str) -> Tool | None:
        for part in self._session.parts:
            if isinstance(part, Conversation) and name in part.tools:
                return part.tools[name]
        return None


class Figures:
    """Tells what was measured and spent, and how loud both sides are.

    `of` tells something of a reply once that is the answer.
    """

    def __init__(
        self,
        session: SessionPort,
        tell: Callable[[str, Any], None],
        of: Callable[[int, str, Any], None],
        *,
        levels: bool = False,
    ) -> None:
        self._session = session
        self._tell = tell
        self._of = of
        self._levels = levels
        self._level_due: dict[str, float] = {}
        self._prompted: dict[int, float] = {}  # when the model was asked, until it answers
        self._tokens: dict[str, float] = {}

    def saw(self, now: float, source: str, what: object, is_input: bool) -> None:
        """Tell of a figure."""
        note = self._notes.get(type(what))
        if note is not None:
            note(self, now, source, what, is_input)

    def _metric(self, kind: str, part: str, value: float, reply: int | None) -> None:
        told = {kind: [{"processor": part, "value": round(value, 4)}]}
        if reply is None:
            self._tell("metrics", told)
        else:
            self._of(reply, "metrics", told)

    def _prompt(self, now: float, source: str, frame: Prompt, is_input: bool) -> None:
        self._prompted = {frame.reply: now}

    def _text(self, now: float, source: str, frame: Text, is_input: bool) -> None:
        asked = self._prompted.pop(frame.reply, None)
        if asked is not None and is_input:
            self._metric("ttfb", source, now - asked, frame.reply)

    def _segment(self, now: float, source: str, frame: SegmentStarted, is_input: bool) -> None:
        self._metric("characters", source, frame.end - frame.start, frame.reply)

    def _measured(self, now: float, source: str, signal: Measured, is_input: bool) -> None:
        kind = "ttfb" if signal.what.startswith("first") else "processing"
        self._metric(kind, signal.part, signal.seconds, signal.reply)

    def _usage(self, now: float, source: str, signal: Usage, is_input: bool) -> None:
        if signal.reply is None or not signal.unit.startswith("tokens "):
            return
        self._tokens[signal.unit] = signal.amount
        if signal.unit == "tokens cached":  # the last of the three
            read, written = (int(self._tokens.get(f"tokens {what}", 0)) for what in ("read", "written"))
            told = {
                "processor": signal.part,
                "prompt_tokens": read,
                "completion_tokens": written,
                "total_tokens": read + written,
                "cache_read_input_tokens": int(signal.amount),
            }
            self._tokens = {}
            self._of(signal.reply, "metrics", {"tokens": [told]})

    def _audio(self, now: float, source: str, frame: UserAudio | AgentAudio, is_input: bool) -> None:
        playout = self._session.playout
        kind = "user-audio-level" if isinstance(frame, UserAudio) else "bot-audio-level"
        counts = is_input if isinstance(frame, UserAudio) else playout is not None and source == playout.name
        if self._levels and counts and now >= self._level_due.get(kind, 0.0):
            from ..audio.levels import rms

            self._level_due[kind] = now + LEVELS_EVERY
            self._tell(kind, {"value": round(min(1.0, max(0.0, 1 - rms(frame.pcm) / QUIETEST)), 3)})

    _notes: ClassVar[dict[type, Callable[..., None]]] = {
        Prompt: _prompt,
        Text: _text,
        SegmentStarted: _segment,
        Measured: _measured,
        Usage: _usage,
        UserAudio: _audio,
        AgentAudio: _audio,
    }


def _value(text: str) -> Any:
    """What JSON says; the text itself where it is none."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return text
