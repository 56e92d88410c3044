"""LMNT's text to speech over websockets.

https://docs.lmnt.com/build-with-lmnt/speech-sessions-api
"""

from collections.abc import Iterable
from typing import Any

from ..services.http_client import stated_error
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.socket_tts import SocketTTS
from ..services.vendor_values import fields, items, json_object, json_text, number, string
from ..services.voice_codec import Finished, PieceEnded, Sound, SpokenWord, VoiceCodec, VoiceEvent
from ..services.websocket_client import Handshake, Message

__all__ = ["TTS", "VENDOR"]

VERSION = "1.2"
STATUSES = {
    "authentication_error": 401,
    "payment_required_error": 402,
    "permission_error": 403,
    "rate_limit_error": 429,
    "internal_server_error": 500,
}


class TTS(SocketTTS):
    """LMNT, which chooses the model; a voice stands for it."""

    def __init__(
        self,
        voice: str = "leah",
        *,
        language: str | None = None,
        key: str | None = None,
        base_url: str = "wss://api.lmnt.com",
        **options: object,
    ) -> None:
        super().__init__("lmnt", VendorKey("lmnt", "LMNT_API_KEY", key), voice)
        self._url = f"{base_url}/v1/ai/speech/stream"
        self._settings: dict[str, Any] = {
            "lmnt-version": VERSION,
            "voice": voice,
            "language": language,
            "format": "pcm_s16le",
            "sample_rate": self.sample_rate,
            "return_timestamps": True,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url)

    def codec(self) -> VoiceCodec:
        return LmntCodec({"X-API-Key": self.key.value, **self._settings})


class LmntCodec(VoiceCodec):
    """A connection: one utterance at a time, in which each piece is flushed."""

    marks_pieces = True
    ends_with_pieces = True
    times_restart = True

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._nonce = 0
        self._reset: int | None = None  # the nonce of a reset that is not confirmed

    def begin(self) -> Iterable[Message]:
        return (json_text(**self._settings),)

    def text(self, context: str, text: str) -> Iterable[Message]:
        self._nonce += 1
        return (json_text(type="text", text=text + " "), json_text(type="flush", nonce=self._nonce))

    def cancel(self, context: str) -> Iterable[Message]:
        self._nonce += 1
        self._reset = self._nonce
        return (json_text(type="reset", nonce=self._nonce),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        if isinstance(message, bytes):
            yield Sound(message)
            return
        told = json_object(message)
        match told.get("type"):
            case "timestamps":
                for word in map(fields, items(told.get("timestamps"))):
                    start, length = number(word.get("start")) or 0.0, number(word.get("duration")) or 0.0
                    yield SpokenWord(string(word.get("text")), start, start + length)
            case "flush_complete" if self._reset is None:
                yield PieceEnded()
            case "reset_complete" if told.get("nonce") == self._reset:
                self._reset = None
                yield Finished()
            case "error":
                error = fields(told.get("error"))
                status = STATUSES.get(string(error.get("type")), 400)
                raise stated_error("lmnt", status, error.get("message") or told.get("error"), "LMNT_API_KEY")
            case _:
                pass


VENDOR = Vendor(
    name="lmnt",
    provides={"tts": "TTS"},
    docs="https://docs.lmnt.com",
    env=("LMNT_API_KEY",),
    extra="services",
    default={"tts": "leah"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
