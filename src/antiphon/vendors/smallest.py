"""Smallest's text to speech, Waves, over websockets.

https://docs.smallest.ai/waves/api-reference
"""

from collections.abc import Iterable
from typing import Any

from ..services.http_client import stated_error
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.socket_tts import SocketTTS
from ..services.vendor_values import address, base64_bytes, fields, json_object, json_text, number, string
from ..services.voice_codec import PieceEnded, Sound, SpokenWord, VoiceCodec, VoiceEvent
from ..services.websocket_client import Handshake, Message

__all__ = ["TTS", "VENDOR"]

IDLE = 60  # seconds without a request after which the vendor closes


class TTS(SocketTTS):
    """Waves. `voice` is the id of a voice; `options` are further fields of each text."""

    def __init__(
        self,
        model: str = "lightning_v3.1",
        *,
        voice: str = "magnus",
        language: str = "en",
        key: str | None = None,
        base_url: str = "wss://api.smallest.ai",
        **options: object,
    ) -> None:
        super().__init__("smallest", VendorKey("smallest", "SMALLEST_API_KEY", key))
        self._url = address(f"{base_url}/waves/v1/tts/live", {"timeout": IDLE})
        self._request: dict[str, Any] = {
            "model": model,
            "voice_id": voice,
            "language": language,
            "sample_rate": self.sample_rate,
            "output_format": "pcm",
            "word_timestamps": True,
            "continue": False,
            "flush": True,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return WavesCodec(self._request)


class WavesCodec(VoiceCodec):
    """A connection: one utterance at a time, a request for each piece."""

    marks_pieces = True
    ends_with_pieces = True
    times_restart = True
    unused_for = IDLE * 0.9

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(text=text, **self._request),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        data = fields(told.get("data"))
        match told.get("status"):
            case "chunk":
                yield Sound(base64_bytes(data.get("audio")))
            case "word_timestamp":
                start, end = number(data.get("start")) or 0.0, number(data.get("end"))
                yield SpokenWord(string(data.get("word")), start, end)
            case "complete":
                yield PieceEnded()
            case "error":
                said = told.get("message") or fields(told.get("error")).get("message")
                raise stated_error("smallest", told.get("code"), said, "SMALLEST_API_KEY")
            case _:
                pass


VENDOR = Vendor(
    name="smallest",
    provides={"tts": "TTS"},
    docs="https://docs.smallest.ai/waves",
    env="SMALLEST_API_KEY",
    extra="services",
    default={"tts": "lightning_v3.1"},
    options={"tts": "voice"},
)
