"""The protocol of OpenAI's Realtime API, which other vendors speak too.

https://platform.openai.com/docs/api-reference/realtime

The base class speaks it as OpenAI does. A vendor derives from it and changes `session`, or what else differs.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any, ClassVar

from ..context import Context, Image
from ..errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from ..signals import ToolCall
from .openai_realtime_items import RealtimeItems, realtime_tools, user_item
from .realtime_codec import CodecEvent, RealtimeCodec, RealtimeReady
from .realtime_usage import told_tokens
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
from .vendor_values import base64_bytes, fields, items, json_object, json_text, number, string
from .websocket_client import Message

__all__ = ["OpenAIRealtimeCodec"]

VERBATIM = "Say exactly the following words, in the language in which they are written, and nothing else: "
BENIGN = ("response_cancel_not_active", "conversation_already_has_active_response",
          "input_audio_buffer_commit_empty", "item_truncate_invalid", "item_delete_invalid",
          "unsupported_content_type")  # fmt: skip
NOTHING_TO_CANCEL = ("no active response", "no ongoing response")
REFUSALS = ("invalid_api_key", "authentication_error", "insufficient_quota", "credit_balance_exhausted",
            "invalid_model", "model_not_found")  # fmt: skip
LEAST = 0.1  # seconds of sound without which a commit is refused
STATUS = {"completed": "completed", "cancelled": "cancelled", "failed": "failed", "incomplete": "incomplete"}


class OpenAIRealtimeCodec(RealtimeCodec):
    """A connection that speaks OpenAI's protocol, as of general availability."""

    lasts = 3600.0
    input_rate: ClassVar[int] = 24000
    output_rate: ClassVar[int] = 24000
    truncates: ClassVar[bool] = True
    """Whether the vendor can forget what was not heard of a response."""
    said: ClassVar[str] = "output_text"
    """The type of what the agent said before."""

    def __init__(self, vendor: str, settings: Mapping[str, Any]) -> None:
        self.vendor = vendor
        self.settings = dict(settings)
        heard = fields(fields(self.settings.get("audio")).get("input")).get("transcription")
        heard = heard or self.settings.get("input_audio_transcription")
        self.transcriber = string(fields(heard).get("model"))
        self.responding = False
        self.items = RealtimeItems(self.said)
        self._told: tuple[str, object] | None = None  # instructions and tools
        self._ids = count(1)
        self._sound = 0  # bytes of sound since the last commit
        self._turns: dict[str, int] = {}  # items of the user, in order
        self._heard: dict[str, str] = {}  # words so far, of turns whose words are not final
        self._response: str | None = None  # the id of the one in progress
        self._voices: dict[str, int] = {}  # bytes of voice by item, of the newest response
        self._calls: dict[str, ToolCall] = {}  # of the response

    # Towards the vendor

    def session(self, context: Context) -> dict[str, Any]:
        """Return all settings of the session for a context."""
        return {"type": "realtime", **self.settings, **self.known(context)}

    def update(self, context: Context) -> dict[str, Any]:
        """Return the settings that change with the context; the voice is fixed."""
        return {"type": "realtime", **self.known(context)}

    def known(self, context: Context) -> dict[str, Any]:
        """Return instructions and tools."""
        return {"instructions": context.instructions, "tools": realtime_tools(context)}

    def begin(self, context: Context) -> Iterable[Message]:
        self._told = (context.instructions, context.tools)
        yield json_text(type="session.update", session=self.session(context))
        yield from map(self.add, self.items.history(context))

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserSound(pcm):
                yield self.append(pcm)
            case SpeechOver():
                yield from self.commit()
            case Discard():
                self._sound = 0
                yield json_text(type="input_audio_buffer.clear")
            case UserWords(text):
                yield self.add(user_item(text))
            case UserPicture(image):
                yield from self.show(image)
            case Respond():
                yield from self.respond()
            case Say(text):
                yield from self.say(text)
            case CutShort(heard):
                yield from self._interrupt(heard)
            case ToolOutput(id, name, output):
                yield from map(self.add, self.items.output(id, name, output))
            case Remember(context) if (context.instructions, context.tools) != self._told:
                self._told = (context.instructions, context.tools)
                yield json_text(type="session.update", session=self.update(context))
            case _:
                pass

    def append(self, pcm: bytes) -> Message:
        """Let the model hear sound."""
        self._sound += len(pcm)
        return json_text(type="input_audio_buffer.append", audio=b64encode(pcm).decode())

    def commit(self) -> Iterable[Message]:
        """Make a turn of what was heard."""
        if (missing := round(LEAST * self.input_rate) * 2 - self._sound) > 0:
            yield self.append(bytes(missing))
        self._sound = 0
        yield json_text(type="input_audio_buffer.commit")

    def show(self, image: Image) -> Iterable[Message]:
        """Show the model a picture."""
        return (self.add(user_item("", (image,))),)

    def respond(self) -> Iterable[Message]:
        """Ask for a response."""
        return (self.create(),)

    def say(self, text: str) -> Iterable[Message]:
        """Have the model say these words."""
        words = VERBATIM + json.dumps(text, ensure_ascii=False)
        return (self.create(instructions=words, tool_choice="none"),)

    def create(self, **response: object) -> Message:
        """Ask for a response with these settings."""
        return json_text(type="response.create", event_id=self.request_id(), response=response or None)

    def request_id(self) -> str:
        """Return the id of a request, by which its refusal is known."""
        return f"create-{next(self._ids)}"

    def cancel(self, response: str | None) -> Message:
        """Stop the response in progress, of this id."""
        return json_text(type="response.cancel", response_id=response)

    def add(self, item: dict[str, Any]) -> Message:
        """Add an item to the conversation."""
        return json_text(type="conversation.item.create", item=item)

    def _interrupt(self, heard: float) -> Iterable[Message]:
        """Stop, and forget what was not heard.

        The vendor refuses to cut a voice at 0, or beyond its end.
        """
        if self.responding:
            yield self.cancel(self._response)
        voices, self._voices = self._voices, {}
        for item, size in voices.items() if self.truncates else ():
            length = size / 2 / self.output_rate
            unfinished = self.responding and item == next(reversed(voices))
            if (end := int(min(heard, length) * 1000)) <= 0:
                yield json_text(type="conversation.item.delete", item_id=item)
            elif heard < length or unfinished:
                yield json_text(
                    type="conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=end
                )
            heard -= length

    # From the vendor

    def read(self, message: Message) -> Iterable[CodecEvent]:
        return self.understand(json_object(message))

    def understand(self, told: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield what a message means."""
        match told.get("type"):
            case "session.updated":
                yield RealtimeReady()
            case "response.created":
                self.responding, self._calls, self._voices = True, {}, {}
                self._response = string(fields(told.get("response")).get("id")) or None
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
            case "response.function_call_arguments.done" if told.get("name"):
                self._call(told | {"type": "function_call"})
            case "response.done":
                yield from self.done(fields(told.get("response")))
            case "error":
                yield from self._error(fields(told.get("error")))
            case _:
                yield from self.hears(told)

    def hears(self, told: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield what a message says of the user."""
        item = string(told.get("item_id"))
        match told.get("type"):
            case "input_audio_buffer.speech_started":
                self.turn(item)
                yield UserSpeaks(True)
                yield UserCutIn()
            case "input_audio_buffer.speech_stopped":
                yield UserSpeaks(False)
            case "input_audio_buffer.committed":
                self.turn(item)
            case "conversation.item.input_audio_transcription.delta":
                self._heard[item] = self._heard.get(item, "") + string(told.get("delta"))
                yield UserHeard(self.turn(item), self._heard[item].strip(), False)
            case "conversation.item.input_audio_transcription.completed":
                self._heard.pop(item, None)
                yield UserHeard(self.turn(item), string(told.get("transcript")).strip(), True)
                yield from self._transcribed(fields(told.get("usage")))
            case "conversation.item.input_audio_transcription.failed":
                yield UserHeard(self.turn(item), self._heard.pop(item, "").strip(), True)
                yield from self._error(fields(told.get("error")))
            case _:
                pass

    def _transcribed(self, usage: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield what the model used that writes down the user's words."""
        by = self.vendor, self.transcriber
        if seconds := number(usage.get("seconds")):
            yield Consumed("seconds heard", seconds, *by)
        yield from told_tokens(usage, *by)

    def turn(self, item: str) -> int:
        """Return the number of the user's turn that this item is."""
        return self._turns.setdefault(item, len(self._turns))

    def _sounds(self, item: str, pcm: bytes) -> Voice:
        self._voices[item] = self._voices.get(item, 0) + len(pcm)
        return Voice(pcm[: len(pcm) // 2 * 2])

    def _call(self, item: dict[str, Any]) -> None:
        if item.get("type") == "function_call" and (call := string(item.get("call_id"))) not in self._calls:
            arguments = string(item.get("arguments")) or "{}"
            self._calls[call] = ToolCall(call, string(item.get("name")), arguments)
            self.items.knows(call)

    def done(self, response: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield what the end of a response means."""
        status = STATUS.get(string(response.get("status")), "completed")
        for item in items(response.get("output")):
            self._call(fields(item))
        if status == "completed":
            yield from self._calls.values()
        yield from told_tokens(fields(response.get("usage")))
        self.responding, self._response, self._calls = False, None, {}
        details = fields(response.get("status_details"))
        reason = string(fields(details.get("error")).get("message")) or string(details.get("reason"))
        yield ResponseOver(status, reason[:200])  # type: ignore[arg-type]

    def _error(self, error: dict[str, Any]) -> Iterable[CodecEvent]:
        code = string(error.get("code")) or string(error.get("type"))
        said = string(error.get("message"))[:300]
        known = self.error(code, said)
        if string(error.get("event_id")).startswith("create-") and not self.responding:
            yield ResponseBegan()
            yield ResponseOver("failed", said)
        elif not code.startswith(BENIGN) and not any(words in said.lower() for words in NOTHING_TO_CANCEL):
            yield Faulted(known)

    def error(self, code: str, said: str) -> TheyErred:
        """Return the error of a code; raises one that ends the conversation."""
        if code in REFUSALS:
            raise AuthenticationError(f"{self.vendor}: {said}")
        if "rate_limit" in code:
            return RateLimitError(f"{self.vendor}: {said}")
        if code == "session_expired":
            raise UnavailableError(f"{self.vendor}: {said}")
        return BadResponseError(f"{self.vendor}: {code}: {said}")
