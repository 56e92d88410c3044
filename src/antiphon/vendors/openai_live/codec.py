"""The protocol of GPT-Live.

https://developers.openai.com/api/docs/guides/live-conversations
"""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

from ...context import Context
from ...errors import BadResponseError, TheyErred, UnavailableError
from ...services.openai_realtime_errors import code_and_words, error_in, known_error
from ...services.openai_realtime_items import realtime_tools, user_item
from ...services.openai_realtime_response import MOST_CALLS, WholeSamples, tool_call_id
from ...services.realtime_codec import CodecEvent, MessagesToSend, RealtimeCodec, RealtimeReady
from ...services.realtime_vocabulary import (
    Consumed,
    CutShort,
    Faulted,
    RealtimeInput,
    Remember,
    Respond,
    Say,
    ToolOutput,
    UserPicture,
    UserSound,
    UserWords,
)
from ...services.vendor_values import base64_bytes, fields, json_object, number, string, token_count
from ...services.websocket_client import Message
from ...signals import ToolCall
from .turns import LiveTurns
from .wire import append, history, message, timed_piece

__all__ = ["GPTLiveCodec"]

SPOKEN_WITHIN = 6.0  # seconds until given words have failed
THOUGHT_WITHIN = 20.0  # seconds until an answer of the thinker has failed
CUT_OFF = "The call was not made: the user has cut in."


class GPTLiveCodec(RealtimeCodec):
    """A connection."""

    lasts = 7200.0
    keep_alive_every = 0.5

    def __init__(self, settings: Mapping[str, Any], thinker: Mapping[str, Any]) -> None:
        self._settings = dict(settings)
        self._thinker = dict(thinker)
        self._told: tuple[str, object] | None = None  # instructions and tools
        self._ids = count(1)
        self._started = False
        self._turns, self._samples = LiveTurns(), WholeSamples()
        self._calls: list[ToolCall] = []  # of the thinker's response in progress
        self._open: dict[str, int] = {}  # calls without a result, and of which response
        self._thoughts = 0
        self._billed = 0.0

    # Towards the vendor

    def begin(self, context: Context) -> Iterable[Message]:
        self._told = (context.instructions, context.tools)
        work = self._thinker | _known(context)
        session = self._settings | {"delegation": {"type": "responses", "responses": work}}
        known = {"instructions": context.instructions, "input": history(context)}
        yield message("session.start", session=session | {name: it for name, it in known.items() if it})

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserSound(pcm):
                yield self._sound(pcm)
            case UserWords(text):
                yield from append("thinking", f"The user has written: {text}")
                yield message("response.item.create", item=user_item(text))
            case UserPicture(image):
                yield message("response.item.create", item=user_item("", (image,)))
            case Respond():
                yield message("response.create", event_id=self._request(THOUGHT_WITHIN))
            case Say(text):
                yield from append("commentary", text, self._request(SPOKEN_WITHIN))
            case CutShort():
                self._turns.drop()
            case ToolOutput(id, name, output):
                yield from self._result(id, name, output)
            case Remember(context) if (context.instructions, context.tools) != self._told:
                if self._told is None or context.instructions != self._told[0]:
                    yield from append("instructions", context.instructions)
                self._told = (context.instructions, context.tools)
                work = {"type": "responses", "responses": _known(context)}
                yield message("session.update", session={"delegation": work})
            case _:
                pass

    def keep_alive(self) -> Iterable[Message]:
        """Let the vendor's time go on while no sound comes."""
        return (self._sound(bytes(24000)),)

    def _sound(self, pcm: bytes) -> Message:
        return message("session.input_audio.append", audio=b64encode(pcm).decode())

    def _request(self, within: float) -> str:
        self._turns.expect(within)
        return f"ask-{next(self._ids)}"

    def _result(self, call: str, name: str, output: str) -> Iterable[Message]:
        thought = self._open.pop(call, None)
        if thought is None:  # of a call over another connection
            yield from append("commentary", f"Result of {name}: {output}")
            return
        result = {"type": "function_call_output", "call_id": call, "output": output}
        yield message("response.item.create", item=result)
        if thought not in self._open.values():
            self._turns.hushed = False
            yield message("response.create")

    # From the vendor

    def read(self, message: Message) -> Iterable[CodecEvent]:
        yield from self._understand(json_object(message))
        for call in self._turns.take_dropped():
            yield MessagesToSend(tuple(self._result(call.id, call.name, CUT_OFF)))

    def _understand(self, told: dict[str, Any]) -> Iterable[CodecEvent]:
        match told.get("type"):
            case "session.started":
                self._started = True
                yield RealtimeReady()
            case "session.output_audio.delta":
                yield from self._turns.voice(self._samples.add(base64_bytes(told.get("delta"))))
            case "session.output_transcript.delta":
                yield from self._turns.words(timed_piece(told))
            case "session.input_transcript.delta":
                yield from self._turns.heard(timed_piece(told))
            case "response.event":
                yield from self._thinks(fields(told.get("event")))
            case "session.usage.updated" | "session.closed" as kind:
                yield from self._bill(number(fields(told.get("usage")).get("seconds")) or 0.0)
                if kind == "session.closed":
                    raise _ended(string(told.get("reason")))
            case "error":
                yield from self._error(error_in(told))
            case _:
                pass

    def _thinks(self, event: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield what an event of the thinker means, which is one of the Responses API."""
        item, response = fields(event.get("item")), fields(event.get("response"))
        match event.get("type"):
            case "response.output_item.done" if item.get("type") == "function_call":
                arguments, call = string(item.get("arguments")) or "{}", string(item.get("call_id"))
                if len(self._calls) < MOST_CALLS:
                    self._calls.append(ToolCall(call or tool_call_id(), string(item.get("name")), arguments))
            case "response.completed":
                calls, self._calls = self._calls, []
                self._thoughts += 1
                self._open |= {call.id: self._thoughts for call in calls}
                if calls:
                    yield from self._turns.calls(calls)
            case "response.failed" | "response.incomplete" as kind:
                self._calls = []
                code, said = code_and_words(error_in(response))
                said = said or code or str(kind)
                yield Faulted(UnavailableError(f"openai_live: the thinker failed: {said}"))
                yield from self._turns.fail(said)
            case _:
                pass
        usage = fields(response.get("usage"))
        cached = fields(usage.get("input_tokens_details")).get("cached_tokens")
        amounts = {"read": usage.get("input_tokens"), "written": usage.get("output_tokens"), "cached": cached}
        for unit, amount in amounts.items():
            if tokens := token_count(amount):
                yield Consumed(f"tokens {unit}", tokens, "openai", string(self._thinker.get("model")))

    def _bill(self, total: float) -> Iterable[CodecEvent]:
        if total > self._billed:
            yield Consumed("seconds of conversation", total - self._billed)
            self._billed = total

    def _error(self, error: dict[str, Any]) -> Iterable[CodecEvent]:
        code, said = code_and_words(error)
        known = known_error("openai_live", code, said)
        if not self._started:
            raise known
        yield Faulted(known)
        if string(error.get("client_event_id")).startswith("ask-"):
            yield from self._turns.fail(said or code)


def _known(context: Context) -> dict[str, Any]:
    return {"instructions": context.instructions, "tools": realtime_tools(context)}


def _ended(reason: str) -> TheyErred:
    said = f"openai_live ended the session: {reason}"
    return BadResponseError(said) if reason == "content" else UnavailableError(said)
