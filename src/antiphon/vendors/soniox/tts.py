"""Soniox' text to speech over websockets, with several utterances on each.

https://soniox.com/docs/api-reference/tts/websocket-api
"""

from collections.abc import Iterable
from typing import Any

from ...services.http_client import stated_error
from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.timed_words import TimedCharacters
from ...services.vendor_values import base64_bytes, fields, json_object, json_text, string
from ...services.voice_codec import Finished, Sound, SpeechRefused, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message

__all__ = ["TTS"]

MOST_TEXT = 5000  # characters of one message


class TTS(SocketTTS):
    """Soniox. `voice` is a name.

    `options` are further fields of a stream, such as `speed`.
    """

    def __init__(
        self,
        model: str = "tts-rt-v2",
        *,
        voice: str = "Adrian",
        language: str = "en",
        key: str | None = None,
        base_url: str = "wss://tts-rt.soniox.com",
        **options: object,
    ) -> None:
        super().__init__("soniox", VendorKey("soniox", "SONIOX_API_KEY", key), model)
        self._url = f"{base_url}/tts-websocket"
        self._stream: dict[str, Any] = {
            "model": model,
            "language": language,
            "voice": voice,
            "audio_format": "pcm_s16le",
            "sample_rate": self.sample_rate,
            "return_timestamps": True,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return StreamsCodec(self._stream)


class StreamsCodec(VoiceCodec):
    """A connection: up to five streams, each an utterance, with times of characters."""

    contexts = 5
    keep_alive_every = 20.0

    def __init__(self, stream: dict[str, Any]) -> None:
        self._stream = stream
        self._characters: dict[str | None, TimedCharacters] = {}

    def start(self, context: str) -> Iterable[Message]:
        return (json_text(**self._stream, stream_id=context),)

    def text(self, context: str, text: str) -> Iterable[Message]:
        said = text + " "
        parts = (said[at : at + MOST_TEXT] for at in range(0, len(said), MOST_TEXT))
        return (json_text(text=part, text_end=False, stream_id=context) for part in parts)

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(text="", text_end=True, stream_id=context),)

    def cancel(self, context: str) -> Iterable[Message]:
        return (json_text(stream_id=context, cancel=True),)

    def keep_alive(self) -> Iterable[Message]:
        return (json_text(keep_alive=True),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        context = string(told.get("stream_id")) or None
        if code := told.get("error_code"):
            error = stated_error("soniox", code, told.get("error_message"), "SONIOX_API_KEY")
            if context is None:
                raise error
            yield SpeechRefused(error, context)
        characters = self._characters.setdefault(context, TimedCharacters(context))
        yield from characters.spelled(fields(told.get("timestamps")))
        if audio := base64_bytes(told.get("audio")):
            yield Sound(audio, context)
        if told.get("terminated"):
            yield from characters.end()
            del self._characters[context]
            yield Finished(context)
