"""ElevenLabs' text to speech over websockets, with several utterances on each.

https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input

The models from Eleven v3 on have a socket of their own, which is meant for dialogues.
"""

from collections.abc import Iterable
from typing import Any

from ...errors import BadResponseError, RateLimitError, TheyErred
from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.timed_words import TimedCharacters
from ...services.vendor_values import (
    address,
    base64_bytes,
    fields,
    items,
    json_object,
    json_text,
    number,
    string,
)
from ...services.voice_codec import Finished, Sound, SpokenWord, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message

__all__ = ["TTS"]

GEORGE = "JBFqnCBsd6RMkjVDRZzb"
DIALOGUE_MODELS = ("eleven_v3", "eleven_v4")
QUIET = "quiet"  # the name of the context that keeps a connection open


class TTS(SocketTTS):
    """Text to speech. `voice` is the id of a voice.

    `settings` are the vendor's `voice_settings`, such as {"stability": 0.5, "speed": 1.1}; `options` further
    parameters of the connection.
    """

    def __init__(
        self,
        model: str = "eleven_flash_v2_5",
        *,
        voice: str = GEORGE,
        language: str | None = None,
        settings: dict[str, float | bool] | None = None,
        key: str | None = None,
        base_url: str = "wss://api.elevenlabs.io",
        **options: object,
    ) -> None:
        super().__init__("elevenlabs", VendorKey("elevenlabs", "ELEVENLABS_API_KEY", key), model)
        query = {"model_id": model, "output_format": f"pcm_{self.sample_rate}", "language_code": language,
                 "sync_alignment": True}  # fmt: skip
        self._dialogue = model.startswith(DIALOGUE_MODELS)
        if self._dialogue:
            path = "/v1/text-to-dialogue/multi-stream-input"
        else:
            path = f"/v1/text-to-speech/{voice}/multi-stream-input"
            query |= {"auto_mode": True, "inactivity_timeout": 180}
        self._url = address(base_url + path, query | options)
        self._voice = voice
        self._settings = settings

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"xi-api-key": self.key.value})

    def codec(self) -> VoiceCodec:
        if self._dialogue:
            return DialogueCodec(self._voice, self._settings)
        return VoicesCodec(self._settings)


class VoicesCodec(VoiceCodec):
    """A connection: up to five utterances at once, with times of characters."""

    contexts = 5
    unused_for = 170.0  # the vendor closes after 180

    def __init__(self, settings: dict[str, float | bool] | None) -> None:
        self._settings = settings
        self._alignments: dict[str | None, _Alignment] = {}

    def start(self, context: str) -> Iterable[Message]:
        return (json_text(text=" ", context_id=context, voice_settings=self._settings),)

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(text=text + " ", context_id=context, flush=True),)

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(context_id=context, close_context=True),)

    def cancel(self, context: str) -> Iterable[Message]:
        return self.finish(context)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        context = string(told.get("contextId") or told.get("context_id")) or None
        if "error" in told:
            raise BadResponseError(f"elevenlabs: {string(told.get('message') or told.get('error'))[:200]}")
        if audio := base64_bytes(told.get("audio")):
            alignment = self._alignments.setdefault(context, _Alignment(context))
            yield from alignment.read(fields(told.get("alignment")))
            yield Sound(audio, context)
            alignment.seconds += len(audio) / 2 / SAMPLE_RATE
        if told.get("isFinal") or told.get("is_final"):
            if (alignment := self._alignments.pop(context, None)) is not None:
                yield from alignment.end()
            yield Finished(context)

    def closed(self, code: int, reason: str) -> TheyErred | None:
        return RateLimitError(f"elevenlabs: {reason[:200]}") if "exceeded" in reason else None


class DialogueCodec(VoicesCodec):
    """A connection for dialogues: up to four utterances at once.

    A fifth context, in which nothing is said, keeps it open.
    """

    contexts = 4
    keep_alive_every = 15.0

    def __init__(self, voice: str, settings: dict[str, float | bool] | None) -> None:
        super().__init__(settings)
        self._voice = voice

    def begin(self) -> Iterable[Message]:
        return (json_text(context_id=QUIET, voices=[self._voice]),)

    def keep_alive(self) -> Iterable[Message]:
        return (json_text(context_id=QUIET, keep_alive=True),)

    def start(self, context: str) -> Iterable[Message]:
        return (json_text(context_id=context, voices=[self._voice], voice_settings=self._settings),)

    def text(self, context: str, text: str) -> Iterable[Message]:
        said = {"text": text + " ", "voice_id": self._voice, "new_turn": False}
        return (json_text(context_id=context, inputs=[said]), json_text(context_id=context, flush=True))


SAMPLE_RATE = SocketTTS.sample_rate


class _Alignment:
    """Times of characters, which count from the audio of their own message."""

    def __init__(self, context: str | None) -> None:
        self.seconds = 0.0
        """The audio of the messages before this one."""
        self._characters = TimedCharacters(context)
        self.end = self._characters.end

    def read(self, told: dict[str, Any]) -> Iterable[SpokenWord]:
        starts = items(told.get("charStartTimesMs") or told.get("char_start_times_ms"))
        names = ("charDurationsMs", "charsDurationsMs", "char_durations_ms", "chars_durations_ms")
        lengths = items(next((told[name] for name in names if told.get(name)), None))
        times = zip(items(told.get("chars")), starts, lengths, strict=False)
        for char, start, length in times:
            at = self.seconds + (number(start) or 0.0) / 1000
            yield from self._characters.add(string(char), at, at + (number(length) or 0.0) / 1000)
