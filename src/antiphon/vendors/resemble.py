"""Resemble's text to speech over websockets.

https://docs.resemble.ai/api-reference/synthesis/websocket
"""

from collections.abc import Iterable
from itertools import count
from typing import Any

from ..services.http_client import stated_error
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.socket_tts import SocketTTS
from ..services.timed_words import TimedCharacters
from ..services.vendor_values import base64_bytes, json_object, json_text
from ..services.voice_codec import PiecesInTurn, Sound, VoiceCodec, VoiceEvent
from ..services.websocket_client import Handshake, Message

__all__ = ["TTS", "VENDOR"]


class TTS(SocketTTS):
    """Resemble, where the voice, by its id, stands for a model.

    `options` are further fields of each request, such as `project_uuid`.
    """

    sample_rate = 22050

    def __init__(
        self,
        voice: str = "55592656",
        *,
        key: str | None = None,
        base_url: str = "wss://websocket.cluster.resemble.ai",
        **options: object,
    ) -> None:
        super().__init__("resemble", VendorKey("resemble", "RESEMBLE_API_KEY", key), voice)
        self._url = f"{base_url}/stream"
        self._request: dict[str, Any] = {
            "voice_uuid": voice,
            "binary_response": False,
            "output_format": "wav",
            "no_audio_header": True,
            "precision": "PCM_16",
            "sample_rate": self.sample_rate,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return ResembleCodec(self._request)


class ResembleCodec(PiecesInTurn):
    """A connection: one utterance at a time, and one request, which is a piece."""

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__()
        self._request = request
        self._ids = count(1)
        self._characters = TimedCharacters()

    def piece(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(**self._request, data=text, request_id=next(self._ids)),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        match told.get("type"):
            case "audio":
                yield from self._characters.graph(told.get("audio_timestamps"))
                yield Sound(base64_bytes(told.get("audio_content")))
            case "audio_end":
                yield from self._characters.end()
                yield from self.ended()
            case "error":
                said = told.get("message") or told.get("error_name")
                raise stated_error("resemble", told.get("status_code"), said, "RESEMBLE_API_KEY")
            case _:
                pass


VENDOR = Vendor(
    name="resemble",
    provides={"tts": "TTS"},
    docs="https://docs.resemble.ai",
    env=("RESEMBLE_API_KEY",),
    extra="services",
    default={"tts": "55592656"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
