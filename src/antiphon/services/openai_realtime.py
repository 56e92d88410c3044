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
from .openai_realtime_errors import code_and_words, error_in, is_benign, known_error
from .openai_realtime_items import RealtimeItems, realtime_tools, user_item
from .openai_realtime_response import RealtimeOutput
from .openai_realtime_turns import RealtimeTurns
from .realtime_codec import CodecEvent, RealtimeCodec, RealtimeReady
from .realtime_usage import told_tokens, told_transcription
from .realtime_vocabulary import (
    AgentWords,
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
    UserPicture,
    UserSound,
    UserWords,
    Voice,
)
from .vendor_values import base64_bytes, fields, items, json_object, json_text, string
from .websocket_client import Message

__all__ = ["OpenAIRealtimeCodec"]

VERBATIM = "Say exactly the following words, in the language in which they are written, and nothing else: "
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
        detection = (fields(fields(self.settings.get("audio")).get("input")) | self.settings).get(
            "turn_detection", {}
        )
        interrupts = fields(detection).get("interrupt_response") is not False
        self.turns = RealtimeTurns(detection is not None, interrupts=interrupts)
        self.output = RealtimeOutput()
        self.asked = False
        """Whether a response was asked for that has not begun."""
        self.items = RealtimeItems(self.said)
        self._told: tuple[str, object] | None = None  # instructions and tools
        self._ids = count(1)
        self._sound = 0  # bytes of sound since the last commit
        self._ready = False

    @property
    def responding(self) -> bool:
        """Whether a response is being made."""
        return self.output.open

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
        """Return the id of a request for a response, by which its refusal is known."""
        self.asked = True
        return f"create-{next(self._ids)}"

    def cancel(self, response: str | None) -> Message:
        """Stop the response in progress, of this id."""
        return json_text(type="response.cancel", response_id=response)

    def add(self, item: dict[str, Any]) -> Message:
        """Add an item to the conversation."""
        return json_text(type="conversation.item.create", item=item)

    def _interrupt(self, heard: float) -> Iterable[Message]:
        """Stop, and forget what was not heard."""
        if self.responding:
            yield self.cancel(self.output.id or None)
        for item, end in self.output.cut(heard, self.output_rate) if self.truncates else ():
            if end is None:
                yield json_text(type="conversation.item.delete", item_id=item)
            else:
                yield json_text(
                    type="conversation.item.truncate", item_id=item, content_index=0, audio_end_ms=end
                )

    # From the vendor

    def read(self, message: Message) -> Iterable[CodecEvent]:
        return self.understand(json_object(message))

    def understand(self, told: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield what a message means."""
        match told.get("type"):
            case "session.updated":
                self._ready = True
                yield RealtimeReady()
            case "response.created":
                yield from self._begin(string(fields(told.get("response")).get("id")))
            case "response.done":
                yield from self.done(fields(told.get("response")))
            case "error":
                yield from self._error(error_in(told))
            case str(kind) if self.output.has(string(told.get("response_id"))) and kind.startswith(
                "response."
            ):
                yield from self.responds(kind, told)
            case _:
                yield from self.hears(told)

    def responds(self, kind: str, told: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield what a message says of the response that is being made."""
        match kind:
            case "response.output_audio.delta" | "response.audio.delta":
                if pcm := self.output.sound(string(told.get("item_id")), base64_bytes(told.get("delta"))):
                    yield Voice(pcm)
            case (
                "response.output_audio_transcript.delta"
                | "response.output_audio_transcript.done"
                | "response.audio_transcript.delta"
                | "response.audio_transcript.done"
            ):
                yield from self.says(self.output.words(told), spoken=True)
            case (
                "response.output_text.delta"
                | "response.output_text.done"
                | "response.text.delta"
                | "response.text.done"
            ):
                yield from self.says(self.output.words(told), spoken=False)
            case "response.output_item.added":
                self.output.begin_call(fields(told.get("item")))
            case "response.output_item.done":
                self._call(fields(told.get("item")))
            case "response.function_call_arguments.done":
                self._call(told | {"type": "function_call"})
            case _:
                pass

    def says(self, words: str, *, spoken: bool) -> Iterable[CodecEvent]:
        """Yield words of the agent, which it speaks or writes."""
        if words:
            yield AgentWords(words)

    def hears(self, told: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield what a message says of the user."""
        yield from self.turns.understand(told)
        match told.get("type"):
            case "conversation.item.input_audio_transcription.completed":
                yield from told_transcription(fields(told.get("usage")), self.vendor, self.transcriber)
            case "conversation.item.input_audio_transcription.failed":
                yield Faulted(known_error(self.vendor, *code_and_words(error_in(told))))
            case _:
                pass

    def _begin(self, response: str) -> Iterable[CodecEvent]:
        if self.output.has(response):
            return
        if self.output.open:
            yield from self.done({"status": "incomplete", "error": "another response has begun"})
        self.asked, self.output = False, RealtimeOutput(response, begun=True)
        yield ResponseBegan()

    def _call(self, item: dict[str, Any]) -> None:
        call = self.output.call(item) if item.get("type") == "function_call" else None
        if call is not None and not self.output.invented(call.id):
            self.items.knows(call.id)

    def done(self, response: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield what the end of a response means."""
        if not self.output.has(string(response.get("id"))):
            return
        status = STATUS.get(string(response.get("status")), "completed")
        for item in items(response.get("output")):
            self._call(fields(item))
        if status == "completed":
            yield from self.output.calls
        yield from told_tokens(fields(response.get("usage")))
        self.output.open = False
        details = fields(response.get("status_details"))
        code, said = code_and_words(error_in(details) or error_in(response))
        reason = said or code or string(details.get("reason"))
        yield ResponseOver(status, "" if status == "completed" else reason[:200])  # type: ignore[arg-type]

    def _error(self, error: dict[str, Any]) -> Iterable[CodecEvent]:
        code, said = code_and_words(error)
        known, benign = known_error(self.vendor, code, said), is_benign(code, said)
        request = string(error.get("event_id"))
        refused = request.startswith("create-") or (self.asked and not request and not benign)
        if refused and not self.responding:
            self.asked = False
            yield ResponseBegan()
            yield ResponseOver("failed", said or code)
        elif not benign and not self._ready:
            raise known
        elif not benign:
            yield Faulted(known)
