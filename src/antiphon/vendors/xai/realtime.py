"""xAI's models that hear and speak: Grok Voice.

https://docs.x.ai/docs/guides/voice/agent

The protocol is OpenAI's, with differences. Given words are spoken by themselves. The vendor cannot be told
reliably what was heard of a response. If we decide on turns, it answers a turn as soon as that is committed,
and sound that reaches it during a response silences that: so both are held back.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from ...context import Context
from ...services.keys import VendorKey
from ...services.openai_realtime import OpenAIRealtimeCodec
from ...services.realtime_codec import CodecEvent, MessagesToSend
from ...services.realtime_vocabulary import (
    Consumed,
    Discard,
    RealtimeInput,
    SpeechOver,
    UserSound,
)
from ...services.socket_realtime import SocketRealtime
from ...services.vendor_values import address, fields, json_text, number, string
from ...services.websocket_client import Handshake, Message

__all__ = ["GrokRealtimeCodec", "Realtime"]

PCM = {"type": "audio/pcm", "rate": 24000}
MOST_HELD = 500  # pieces of sound, some 20 s: the vendor is silent about requests that it drops


class Realtime(SocketRealtime):
    """Grok Voice.

    With `transcription=None` the vendor does not tell what the user says. `options` are further fields of the
    session, such as `reasoning={"effort": "none"}`.
    """

    def __init__(
        self,
        model: str = "grok-voice-latest",
        *,
        voice: str = "eve",
        transcription: str | None = "grok-transcribe",
        detection_settings: dict[str, Any] | None = None,
        key: str | None = None,
        base_url: str = "wss://api.x.ai/v1",
        **options: Any,
    ) -> None:
        super().__init__("xai", VendorKey("xai", "XAI_API_KEY", key), model)
        self._url = address(f"{base_url}/realtime", {"model": model})
        self._detection = detection_settings or {"type": "server_vad"}
        heard: dict[str, Any] = {"format": PCM}
        if transcription is not None:
            heard["transcription"] = {"model": transcription}
        self._settings = {"voice": voice, "audio": {"input": heard, "output": {"format": PCM}}, **options}

    async def handshake(self, handle: str | None) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self, detects: bool, handle: str | None) -> "GrokRealtimeCodec":
        settings = self._settings | {"turn_detection": self._detection if detects else None}
        return GrokRealtimeCodec("xai", settings, detects)


class GrokRealtimeCodec(OpenAIRealtimeCodec):
    """A connection."""

    lasts = 1800.0
    truncates = False

    def __init__(self, vendor: str, settings: Mapping[str, Any], detects: bool) -> None:
        super().__init__(vendor, settings)
        self.turns.detects = detects
        self._held = deque[UserSound | SpeechOver]()  # what came while a response was made
        self._sent = self._due = False  # whether sound was sent, and a turn has ended, since the last commit
        self._speech = False  # whether the vendor has heard speech since the last commit
        self._billed = 0.0  # seconds

    def session(self, context: Context) -> dict[str, Any]:
        return {**self.settings, **self.known(context)}

    def update(self, context: Context) -> dict[str, Any]:
        return self.known(context)

    # Towards the vendor

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        if self.turns.detects:
            yield from super().put(item)
            return
        match item:
            case UserSound() | SpeechOver():
                self._held.append(item)
                self.asked = self.asked and len(self._held) < MOST_HELD
                yield from self._let_through()
            case Discard():
                while self._held and isinstance(self._held[-1], UserSound):
                    self._held.pop()
                if self._sent and not self._due:
                    self._sent = self._speech = False
                    yield from super().put(item)
            case _:
                yield from super().put(item)

    def _let_through(self) -> Iterable[Message]:
        """Send what was held back, unless a response is being made."""
        while self._held and not (self.responding or self.asked):
            item = self._held.popleft()
            if isinstance(item, UserSound):
                self._sent = True
                yield self.append(item.pcm)
            else:
                if self._due:  # two turns in one commit, of which the vendor makes one item
                    self.turns.skip()
                self._due = True

    def respond(self) -> Iterable[Message]:
        """Commit the user's turn, which the vendor answers, or ask for a response."""
        yield from self._let_through()
        if not self._due:
            yield from super().respond()
            return
        *silence, _ = super().commit()
        yield from silence
        yield json_text(type="input_audio_buffer.commit", event_id=self.request_id())
        self._sent = self._due = False

    def say(self, text: str) -> Iterable[Message]:
        content = [{"type": "output_text", "text": text}]
        item = {"type": "force_message", "role": "assistant", "interruptible": True, "content": content}
        yield json_text(type="conversation.item.create", event_id=self.request_id(), item=item)

    # From the vendor

    def understand(self, told: dict[str, Any]) -> Iterable[CodecEvent]:
        kind = told.get("type")
        if kind == "response.done" and "usage" in told:
            told = told | {"response": {"usage": told["usage"]} | fields(told.get("response"))}
        yield from super().understand(told)
        self.asked = self.asked and kind != "error"
        if not self.turns.detects and (messages := tuple(self._let_through())):
            yield MessagesToSend(messages)

    def hears(self, told: dict[str, Any]) -> Iterable[CodecEvent]:
        match told.get("type"):
            case "input_audio_buffer.speech_started" | "input_audio_buffer.speech_stopped" if (
                not self.turns.detects
            ):
                self._speech = True
            case "input_audio_buffer.committed" if not self.turns.detects:
                yield from super().hears(told)
                if not self._speech:  # it answers no turn in which it heard nobody speak
                    yield MessagesToSend((self.create(),))
                self._speech = False
            case "conversation.item.input_audio_transcription.updated":
                yield from self._heard(told)
            case "conversation.item.input_audio_transcription.completed" if (
                told.get("status", "completed") != "completed"
            ):
                yield from self._heard(told)
            case _:
                yield from super().hears(told)

    def _heard(self, told: dict[str, Any]) -> Iterable[CodecEvent]:
        """Yield words of the user that may change."""
        return self.turns.heard(string(told.get("item_id")), string(told.get("transcript")), final=False)

    def done(self, response: dict[str, Any]) -> Iterable[CodecEvent]:
        billed = number(fields(response.get("usage")).get("billable_audio_seconds")) or 0.0
        if billed > self._billed:
            yield Consumed("seconds of conversation", billed - self._billed)
            self._billed = billed
        yield from super().done(response)
