"""Cartesia's text to speech, Sonic, over websockets.

https://docs.cartesia.ai/api-reference/tts/websocket
"""

from collections.abc import Iterable
from typing import Any

from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.timed_words import spoken_words
from ...services.vendor_values import address, base64_bytes, fields, json_object, json_text, string
from ...services.voice_codec import Finished, Sound, SpeechRefused, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message
from .wire import VERSION, error

__all__ = ["TTS"]

KATIE = "f786b574-daa5-4673-aa0c-cbe3e8534c02"


class TTS(SocketTTS):
    """Sonic.

    `voice` is the id of a voice; `speed` is 0.6 to 1.5, `emotion` a word of the vendor's list.
    """

    def __init__(
        self,
        model: str = "sonic-3",
        *,
        voice: str = KATIE,
        language: str = "en",
        speed: float | None = None,
        emotion: str | None = None,
        key: str | None = None,
        base_url: str = "wss://api.cartesia.ai",
        **options: object,
    ) -> None:
        super().__init__("cartesia", VendorKey("cartesia", "CARTESIA_API_KEY", key), model)
        self._url = address(f"{base_url}/tts/websocket", {"cartesia_version": VERSION})
        manner = {
            name: value for name, value in (("speed", speed), ("emotion", emotion)) if value is not None
        }
        self._request: dict[str, Any] = {
            "model_id": model,
            "voice": {"mode": "id", "id": voice},
            "language": language,
            "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": self.sample_rate},
            "add_timestamps": True,
            "max_buffer_delay_ms": 0,
            "generation_config": manner or None,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"X-API-Key": self.key.value})

    def codec(self) -> VoiceCodec:
        return SonicCodec(self._request)


class SonicCodec(VoiceCodec):
    """A connection: several utterances at once, each a context."""

    contexts = 10
    unused_for = 280.0  # the vendor closes after 300

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(**self._request, context_id=context, transcript=text + " ", **{"continue": True}),)

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(**self._request, context_id=context, transcript="", **{"continue": False}),)

    def cancel(self, context: str) -> Iterable[Message]:
        return (json_text(context_id=context, cancel=True),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        context = string(told.get("context_id")) or None
        match told.get("type"):
            case "chunk":
                yield Sound(base64_bytes(told.get("data")), context)
            case "timestamps":
                words = fields(told.get("word_timestamps"))
                yield from spoken_words(words.get("words"), words.get("start"), words.get("end"), context)
            case "done":
                yield Finished(context)
            case "error" if context is not None:
                yield SpeechRefused(error(told), context)
            case "error":
                raise error(told)
            case _:
                pass
