"""Sarvam's speech to text for the languages of India, over websockets.

https://docs.sarvam.ai/api-reference-docs/speech-to-text
"""

from base64 import b64encode
from collections.abc import Iterable

from ...errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred
from ...services.http_client import stated_error
from ...services.keys import VendorKey
from ...services.recognition_codec import (
    Drained,
    Ready,
    RecognitionCodec,
    RecognitionEvent,
    Tentative,
    UtteranceEnded,
)
from ...services.socket_stt import SocketSTT
from ...services.vendor_values import address, json_object, json_text, said_text, string
from ...services.websocket_client import Handshake, Message

__all__ = ["STT"]


class STT(SocketSTT):
    """Speech to text, which ends an utterance after `endpointing` seconds of silence.

    `language` is a code such as "hi-IN", or "auto". `options` are further parameters of the address, such as
    `mode="codemix"`.
    """

    def __init__(
        self,
        model: str = "saaras:v3-realtime",
        *,
        language: str = "auto",
        endpointing: float = 0.3,
        key: str | None = None,
        base_url: str = "wss://api.sarvam.ai",
        **options: object,
    ) -> None:
        super().__init__("sarvam", VendorKey("sarvam", "SARVAM_API_KEY", key), model)
        query = {
            "model": model,
            "language_code": language,
            "endpointing": "vad",
            "silence_duration_ms": round(endpointing * 1000),
            "encoding": "linear16",
            "sample_rate": self.sample_rate,
        }
        self._url = address(f"{base_url}/speech-to-text-realtime/ws", query | options)
        self._endpointing = endpointing

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Api-Subscription-Key": self.key.value})

    def codec(self) -> RecognitionCodec:
        return SaarasCodec(self._endpointing)


class SaarasCodec(RecognitionCodec):
    """A connection: all words of the utterance each time."""

    waits_for_ready = True
    keep_alive_every = 10.0

    def __init__(self, endpointing: float) -> None:
        self.ended_by_silence = endpointing + 0.1

    def audio(self, pcm: bytes) -> Iterable[Message]:
        return (json_text(event="audio_input", audio=b64encode(pcm).decode()),)

    def keep_alive(self) -> Iterable[Message]:
        return (json_text(event="ping"),)

    def end(self) -> Iterable[Message]:
        return (json_text(event="end"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("event"):
            case "session.begin":
                yield Ready()
            case "transcript.partial":
                yield Tentative(said_text(told.get("text")))
            case "transcript.final":
                yield UtteranceEnded(said_text(told.get("text")), string(told.get("language")) or None)
            case "session.end":
                yield Drained()
            case "error" if told.get("is_fatal"):
                raise stated_error("sarvam", told.get("status_code"), told.get("message"), "SARVAM_API_KEY")
            case _:
                pass

    def closed(self, code: int, reason: str) -> TheyErred | None:
        said = f"sarvam closed the connection: {code} {reason[:200]}"
        if code == 1003:  # stands for the key, the quota and the rate
            return AuthenticationError(said) if "key" in reason.lower() else RateLimitError(said)
        return BadResponseError(said) if code == 4000 else None
