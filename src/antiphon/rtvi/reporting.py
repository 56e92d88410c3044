"""Reports to the client about tool calls, metrics and audio levels."""

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
    SegmentEnded,
    SegmentStarted,
    Text,
    ToolCall,
    ToolEnded,
    ToolStarted,
    Usage,
    UserAudio,
)
from ..processor import SessionPort
from ..services.realtime_response import OPEN
from .tools import ClientTool

__all__ = ["Figures", "Level", "ToolReportLevel", "ToolReports"]

Level: TypeAlias = Literal["disabled", "none", "name", "arguments", "full"]
"""How much of a tool call the client learns: nothing; its id; also its name; its arguments; its result."""
ToolReportLevel: TypeAlias = Level | Mapping[str, Level]
"""One level for all tools, or levels by the tool's name, with "*" for all others."""

LONGEST = 16_000  # characters of a call's arguments or result that the client is told, at most
FAILED = "failed: the server's log says why"  # never the text of an exception, which may tell secrets
LEVELS_EVERY = 0.15  # seconds between two audio levels
QUIETEST = -60.0  # dBFS that is reported as level 0


class ToolReports:
    """An observer that reports tool calls to the client, as far as `report` allows.

    Calls of the client's own tools are always reported in full.
    """

    def __init__(
        self, session: SessionPort, tell: Callable[[str, Any], None], report: ToolReportLevel
    ) -> None:
        self._session = session
        self._tell = tell
        self._report: Mapping[str, Level] = report if isinstance(report, Mapping) else {"*": report}
        self._running: dict[str, tuple[int, ToolCall]] = {}

    def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
        """Report a call that begins or ends."""
        match what:
            case ToolStarted(reply, call):
                self._running[call.id] = reply, call
                self._report_begin(call)
            case ToolEnded(_, call, result, failed):
                self._report_end(call, FAILED if failed else result)
            case ReplyEnded(interrupted=True):
                for reply, call in list(self._running.values()):
                    tool = self._tool(call.name)
                    if reply == what.reply and tool is not None and tool.on_interrupt == "cancel":
                        self._report_end(call, None)
            case _:
                pass

    def _report_begin(self, call: ToolCall) -> None:
        level = self._level(call.name)
        if level == "disabled":
            return
        name = {} if level == "none" else {"function_name": call.name}
        self._tell("llm-function-call-started", name)
        told: dict[str, Any] = {**name, "tool_call_id": call.id}
        if level in ("arguments", "full"):
            arguments = _value(call.arguments or "{}")
            told["arguments"] = arguments if isinstance(arguments, dict) else {}
            if len(call.arguments) > LONGEST:
                told["truncated"] = True
        self._tell("llm-function-call-in-progress", told)

    def _report_end(self, call: ToolCall, result: str | None) -> None:
        """Report that a call has ended with this result; None if it was cancelled."""
        level = self._level(call.name)
        if self._running.pop(call.id, None) is None or level == "disabled":
            return
        told: dict[str, Any] = {"tool_call_id": call.id, "cancelled": result is None}
        if level != "none":
            told["function_name"] = call.name
        if level == "full" and result is not None:
            told["result"] = _value(result)
            if len(result) > LONGEST:
                told["truncated"] = True
        self._tell("llm-function-call-stopped", told)

    def _level(self, name: str) -> Level:
        if isinstance(self._tool(name), ClientTool):
            return "full"
        return self._report.get(name, self._report.get("*", "none"))

    def _tool(self, name: str) -> Tool | None:
        for part in self._session.parts:
            if isinstance(part, Conversation) and name in part.history.tools:
                return part.history.tools[name]
        return None


class Figures:
    """An observer that reports latencies, token usage and audio levels.

    `tell_of_reply` sends a message about a reply as soon as that is no longer speculative.
    """

    def __init__(
        self,
        session: SessionPort,
        tell: Callable[[str, Any], None],
        tell_of_reply: Callable[[int, str, Any], None],
        *,
        levels: bool = False,
    ) -> None:
        self._session = session
        self._tell = tell
        self._tell_of_reply = tell_of_reply
        self._levels = levels
        self._level_due: dict[str, float] = {}
        self._prompted: dict[int, float] = {}  # time of the prompt that has no answer yet, by reply
        self._began: tuple[int, str] | None = None  # the reply and part of the last first words
        self._open: SegmentStarted | None = None  # a segment whose text is still to come
        self._tokens: dict[str, float] = {}

    def saw(self, now: float, source: str, what: object, is_input: bool) -> None:
        """Report measurements, usage and audio levels; ignore everything else."""
        report = self._reports.get(type(what))
        if report is not None:
            report(self, now, source, what, is_input)

    def _metric(self, kind: str, part: str, value: float, reply: int | None) -> None:
        told = {kind: [{"processor": part, "value": round(value, 4)}]}
        if reply is None:
            self._tell("metrics", told)
        else:
            self._tell_of_reply(reply, "metrics", told)

    def _prompt(self, now: float, source: str, frame: Prompt, is_input: bool) -> None:
        self._prompted, self._began = {frame.reply: now}, None

    def _text(self, now: float, source: str, frame: Text, is_input: bool) -> None:
        asked = self._prompted.pop(frame.reply, None)
        if asked is not None and is_input:
            self._began = frame.reply, source
            self._metric("ttfb", source, now - asked, frame.reply)

    def _segment_started(self, now: float, source: str, frame: SegmentStarted, is_input: bool) -> None:
        if frame.end >= OPEN:
            self._open = frame
        else:
            self._metric("characters", source, frame.end - frame.start, frame.reply)

    def _segment_ended(self, now: float, source: str, frame: SegmentEnded, is_input: bool) -> None:
        begun, self._open = self._open, None
        if begun is not None and begun.reply == frame.reply and frame.end is not None:
            self._metric("characters", source, frame.end - begun.start, frame.reply)

    def _measured(self, now: float, source: str, signal: Measured, is_input: bool) -> None:
        if signal.reply is not None and signal.what == "first audio":
            if (signal.reply, signal.part) == self._began:
                return  # a model that hears and speaks: its first byte were words
            self._prompted.pop(signal.reply, None)
        kind = "ttfb" if signal.what.startswith("first") else "processing"
        self._metric(kind, signal.part, signal.seconds, signal.reply)

    def _usage(self, now: float, source: str, signal: Usage, is_input: bool) -> None:
        if signal.reply is None or not signal.unit.startswith("tokens "):
            return
        self._tokens[signal.unit] = signal.amount
        if signal.unit == "tokens cached":  # the last of them
            names = ("read", "written", "stored")
            read, written, stored = (int(self._tokens.get(f"tokens {name}", 0)) for name in names)
            told = {
                "processor": signal.part,
                "prompt_tokens": read,
                "completion_tokens": written,
                "total_tokens": read + written,
                "cache_read_input_tokens": int(signal.amount),
                "cache_creation_input_tokens": stored,
            }
            self._tokens = {}
            self._tell_of_reply(signal.reply, "metrics", {"tokens": [told]})

    def _audio(self, now: float, source: str, frame: UserAudio | AgentAudio, is_input: bool) -> None:
        playout = self._session.playout
        kind = "user-audio-level" if isinstance(frame, UserAudio) else "bot-audio-level"
        counts = is_input if isinstance(frame, UserAudio) else playout is not None and source == playout.name
        if self._levels and counts and now >= self._level_due.get(kind, 0.0):
            from ..audio.levels import rms

            self._level_due[kind] = now + LEVELS_EVERY
            self._tell(kind, {"value": round(min(1.0, max(0.0, 1 - rms(frame.pcm) / QUIETEST)), 3)})

    _reports: ClassVar[dict[type, Callable[..., None]]] = {
        Prompt: _prompt,
        Text: _text,
        SegmentStarted: _segment_started,
        SegmentEnded: _segment_ended,
        Measured: _measured,
        Usage: _usage,
        UserAudio: _audio,
        AgentAudio: _audio,
    }


def _value(text: str) -> Any:
    """Decode JSON, or return the text itself if it is not JSON.

    Returns the beginning of a text that is too long.
    """
    if len(text) > LONGEST:
        return text[:LONGEST]
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return text
