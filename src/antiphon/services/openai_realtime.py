"""The protocol of OpenAI's Realtime API, which other vendors speak too.

https://platform.openai.com/docs/api-reference/realtime

The base class speaks it as OpenAI does. A vendor derives from it and changes `session`, or what else differs.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, ClassVar

from ..context import AgentSaid, Context, ToolAnswered, UserSaid
from ..encodable import encodable
from ..errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from ..signals import ToolCall
from .chat_messages import tools
from .realtime_codec import CodecEvent, RealtimeCodec, RealtimeReady
from .realtime_vocabulary import (
    AgentWords,
    Consumed,
    CutShort,
    Discard,
    Faulted,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechOver,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserPicture,
    UserSound,
    UserSpeaks,
    UserWords,
    Voice,
)
from .vendor_values import base64_bytes, fields, items, json_object, json_text, string, token_count
from .websocket_client import Message

__all__ = ["OpenAIRealtimeCodec", "realtime_tools"]

VERBATIM = "Say exactly the following words, in the language in which they are written, and nothing else: "
BENIGN = ("response_cancel_not_active", "conversation_already_has_active_response",
          "input_audio_buffer_commit_empty", "item_truncate_invalid")  # fmt: skip
LEAST = 0.1  # seconds of sound without which a commit is refused
STATUS = {"completed": "completed", "cancelled": "cancelled", "failed": "failed", "incomplete": "incomplete"}


class OpenAIRealtimeCodec(RealtimeCodec):
    """A connection that speaks OpenAI's protocol, as of general availability."""

    lasts = 3600.0
    sample_rate: ClassVar[int] = 24000
    truncates: ClassVar[bool] = True
    """Whether the vendor can forget what was not heard of a response."""

    def __init__(self, vendor: str, settings: Mapping[str, Any]) -> None:
        self.vendor = vendor
        self.settings = dict(settings)
        self._instructions: tuple[str, object] | None = None
        self._ids = count(1)
        self._sound = 0  # bytes of sound since the last commit
        self._turns: dict[str, int] = {}  # items of the user, in order
        self._heard: dict[str, str] = {}  # words so far, of turns whose words are not final
        self._item: str | None = None  # of the voice that came last
        self._voice = 0  # bytes of that voice
        self._responding = False
        self._calls: dict[str, ToolCall] = {}  # of the response

    # Towards the vendor

    def session(self, context: Context) -> dict[str, Any]:
        """Return the session's settings for a context."""
        return {
            "type": "realtime",
            **self.settings,
            "instructions": context.instructions,
            "tools": realtime_tools(context),
        }

    def begin(self, context: Context) -> Iterable[Message]:
        self._instructions = (context.instructions, context.tools)
        yield json_text(type="session.update", session=self.session(context))
        for item in _history(context):
            yield json_text(type="conversation.item.create", item=item)

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserSound(pcm):
                self._sound += len(pcm)
                yield self._append(pcm)
            case SpeechOver():
                if (missing := round(LEAST * self.sample_rate) * 2 - self._sound) > 0:
                    yield self._append(bytes(missing))
                self._sound = 0
                yield json_text(type="input_audio_buffer.commit")
            case Discard():
                self._sound = 0
                yield json_text(type="input_audio_buffer.clear")
            case UserWords(text):
                yield json_text(type="conversation.item.create", item=_user(text))
            case UserPicture(image):
                url = f"data:{image.media_type};base64,{b64encode(image.data).decode()}"
                content = [{"type": "input_image", "image_url": url}]
                picture = {"type": "message", "role": "user", "content": content}
                yield json_text(type="conversation.item.create", item=picture)
            case Respond():
                yield self._create()
            case Say(text):
                yield from self.say(text)
            case CutShort(heard):
                yield from self._interrupt(heard)
            case ToolOutput(id, _, output):
                result = {"type": "function_call_output", "call_id": id, "output": output}
                yield json_text(type="conversation.item.create", item=result)
            case Remember(context) if (context.instructions, context.tools) != self._instructions:
                self._instructions = (context.instructions, context.tools)
                yield json_text(type="session.update", session=self.session(context))
            case _:
                pass

    def say(self, text: str) -> Iterable[Message]:
        """Have the model say these words."""
        return (
            self._create(instructions=VERBATIM + json.dumps(text, ensure_ascii=False), tool_choice="none"),
        )

    def _append(self, pcm: bytes) -> Message:
        return json_text(type="input_audio_buffer.append", audio=b64encode(pcm).decode())

    def _create(self, **response: object) -> Message:
        asked = {"response": response} if response else {}
        return json_text(type="response.create", event_id=f"create-{next(self._ids)}", **asked)

    def _interrupt(self, heard: float) -> Iterable[Message]:
        if self._responding:
            yield json_text(type="response.cancel")
        if self.truncates and self._item is not None and self._voice:
            end = min(heard, self._voice / 2 / self.sample_rate)
            yield json_text(
                type="conversation.item.truncate",
                item_id=self._item,
                content_index=0,
                audio_end_ms=int(end * 1000),
            )
        self._item = None

    # From the vendor

    def read(self, message: Message) -> Iterable[CodecEvent]:
        told = json_object(message)
        match told.get("type"):
            case "session.updated":
                yield RealtimeReady()
            case "input_audio_buffer.speech_started":
                yield UserSpeaks(True)
                yield UserCutIn()
            case "input_audio_buffer.speech_stopped":
                yield UserSpeaks(False)
            case "input_audio_buffer.committed":
                self._turn(string(told.get("item_id")))
            case "conversation.item.input_audio_transcription.delta":
                item = string(told.get("item_id"))
                self._heard[item] = self._heard.get(item, "") + string(told.get("delta"))
                yield UserHeard(self._turn(item), self._heard[item].strip(), False)
            case "conversation.item.input_audio_transcription.completed":
                item = string(told.get("item_id"))
                self._heard.pop(item, None)
                yield UserHeard(self._turn(item), string(told.get("transcript")).strip(), True)
            case "response.created":
                self._responding, self._calls = True, {}
                yield ResponseBegan()
            case "response.output_audio.delta" | "response.audio.delta":
                yield self._sounds(string(told.get("item_id")), base64_bytes(told.get("delta")))
            case (
                "response.output_audio_transcript.delta"
                | "response.output_text.delta"
                | "response.audio_transcript.delta"
                | "response.text.delta"
            ):
                yield AgentWords(string(told.get("delta")))
            case "response.output_item.done":
                self._call(fields(told.get("item")))
            case "response.done":
                yield from self._done(fields(told.get("response")))
            case "error":
                yield from self._error(fields(told.get("error")))
            case _:
                pass

    def _turn(self, item: str) -> int:
        """Return the number of the user's turn that this item is."""
        return self._turns.setdefault(item, len(self._turns))

    def _sounds(self, item: str, pcm: bytes) -> Voice:
        if item != self._item:
            self._item, self._voice = item, 0
        self._voice += len(pcm)
        return Voice(pcm[: len(pcm) // 2 * 2])

    def _call(self, item: dict[str, Any]) -> None:
        if item.get("type") == "function_call":
            call, arguments = string(item.get("call_id")), string(item.get("arguments")) or "{}"
            self._calls[call] = ToolCall(call, string(item.get("name")), arguments)

    def _done(self, response: dict[str, Any]) -> Iterable[CodecEvent]:
        status = STATUS.get(string(response.get("status")), "completed")
        for item in items(response.get("output")):
            self._call(fields(item))
        if status == "completed":
            yield from self._calls.values()
        usage = fields(response.get("usage"))
        for unit, name in (("tokens read", "input_tokens"), ("tokens written", "output_tokens")):
            if amount := token_count(usage.get(name)):
                yield Consumed(unit, amount)
        details = fields(response.get("status_details"))
        error = fields(details.get("error"))
        reason = string(error.get("message")) or string(details.get("reason"))
        self._responding, self._calls = False, {}
        yield ResponseOver(status, reason[:200])  # type: ignore[arg-type]

    def _error(self, error: dict[str, Any]) -> Iterable[CodecEvent]:
        code, said = (
            string(error.get("code")) or string(error.get("type")),
            string(error.get("message"))[:300],
        )
        known = self.error(code, said)
        if string(error.get("event_id")).startswith("create-") and not self._responding:
            yield ResponseBegan()
            yield ResponseOver("failed", said)
        elif code not in BENIGN and "no active response" not in said.lower():
            yield Faulted(known)

    def error(self, code: str, said: str) -> TheyErred:
        """Return the error of a code; raises one that ends the conversation."""
        if code in ("invalid_api_key", "authentication_error", "insufficient_quota", "invalid_model"):
            raise AuthenticationError(f"{self.vendor}: {said}")
        if "rate_limit" in code:
            return RateLimitError(f"{self.vendor}: {said}")
        if code == "session_expired":
            raise UnavailableError(f"{self.vendor}: {said}")
        return BadResponseError(f"{self.vendor}: {code}: {said}")


def realtime_tools(context: Context) -> list[dict[str, Any]]:
    """Return the context's tools as this protocol describes them."""
    return [{"type": "function", **tool["function"]} for tool in tools(context)]


def _user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": encodable(text)}]}


def _history(context: Context) -> Iterable[dict[str, Any]]:
    """Yield the items of a conversation so far."""
    for entry in context.entries:
        match entry:
            case UserSaid(text):
                yield _user(text)
            case AgentSaid(text, calls):
                if text.strip():
                    content = [{"type": "output_text", "text": text}]
                    yield {"type": "message", "role": "assistant", "content": content}
                for call in calls:
                    yield {"type": "function_call", "call_id": call.id[-32:], "name": call.name,
                           "arguments": call.arguments}  # fmt: skip
            case ToolAnswered(call, result):
                yield {"type": "function_call_output", "call_id": call.id[-32:], "output": result}
