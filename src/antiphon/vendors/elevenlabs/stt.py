"""ElevenLabs' speech to text, Scribe, over websockets.

https://elevenlabs.io/docs/api-reference/speech-to-text/v-1-speech-to-text-realtime
"""

from base64 import b64encode
from collections.abc import Iterable

from ...errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from ...services.keys import VendorKey
from ...services.recognition_codec import Flushed, Ready, RecognitionCodec, RecognitionEvent, Tentative
from ...services.socket_stt import SocketSTT
from ...services.vendor_values import (
    address,
    json_object,
    json_text,
    said_text,
    string,
)
from ...services.websocket_client import Handshake, Message

__all__ = ["STT"]

NOT_FATAL = ("commit_throttled", "insufficient_audio_activity")
ERRORS: dict[str, type[TheyErred]] = {
    "auth_error": AuthenticationError,
    "unaccepted_terms": AuthenticationError,
    "quota_exceeded": RateLimitError,
    "rate_limited": RateLimitError,
    "queue_overflow": RateLimitError,
    "resource_exhausted": RateLimitError,
    "session_time_limit_exceeded": UnavailableError,
    "transcriber_error": UnavailableError,
    "error": UnavailableError,
    "input_error": BadResponseError,
    "invalid_request": BadResponseError,
    "chunk_size_exceeded": BadResponseError,
}


class STT(SocketSTT):
    """Scribe. `language` is a code such as "en"; None lets the vendor detect it."""

    def __init__(
        self,
        model: str = "scribe_v2_realtime",
        *,
        language: str | None = "en",
        key: str | None = None,
        base_url: str = "wss://api.elevenlabs.io",
        **options: object,
    ) -> None:
        super().__init__("elevenlabs", VendorKey("elevenlabs", "ELEVENLABS_API_KEY", key), model)
        query = {"model_id": model, "audio_format": f"pcm_{self.sample_rate}", "commit_strategy": "manual",
                 "language_code": language}  # fmt: skip
        self._url = address(f"{base_url}/v1/speech-to-text/realtime", query | options)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"xi-api-key": self.key.value})

    def codec(self) -> RecognitionCodec:
        return ScribeCodec(self.sample_rate)


class ScribeCodec(RecognitionCodec):
    """A connection: cumulative words, settled by a commit."""

    waits_for_ready = True
    keep_alive_every = 10.0

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate

    def audio(self, pcm: bytes, commit: bool = False) -> Iterable[Message]:
        audio = b64encode(pcm).decode()
        return (json_text(message_type="input_audio_chunk", audio_base_64=audio, commit=commit,
                        sample_rate=self._sample_rate),)  # fmt: skip

    def flush(self) -> Iterable[Message]:
        return self.audio(b"", commit=True)

    def keep_alive(self) -> Iterable[Message]:
        return self.audio(b"")

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match kind := string(told.get("message_type")):
            case "session_started":
                yield Ready()
            case "partial_transcript":
                yield Tentative(said_text(told.get("text")))
            case "committed_transcript" | "final_transcript":
                yield Flushed(said_text(told.get("text")), string(told.get("language_code")) or None)
            case _ if kind in NOT_FATAL:
                yield Flushed()
            case _ if (error := ERRORS.get(kind)) is not None:
                raise error(f"elevenlabs: {kind}: {string(told.get('error'))[:200]}")
            case _:
                pass
