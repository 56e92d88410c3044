"""Speechmatics' speech to text over websockets.

https://docs.speechmatics.com/api-ref/realtime-transcription-websocket
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from ...services.keys import VendorKey
from ...services.recognition_codec import (
    Drained,
    Flushed,
    Ready,
    RecognitionCodec,
    RecognitionEvent,
    Settled,
    Tentative,
    UtteranceEnded,
)
from ...services.socket_stt import SocketSTT
from ...services.vendor_values import fields, items, json_object, json_text, string
from ...services.websocket_client import Handshake, Message

__all__ = ["STT"]

ERRORS: dict[str, type[TheyErred]] = {
    "not_authorised": AuthenticationError,
    "insufficient_funds": AuthenticationError,
    "not_allowed": AuthenticationError,
    "quota_exceeded": RateLimitError,
    "timelimit_exceeded": UnavailableError,
    "idle_timeout": UnavailableError,
    "session_timeout": UnavailableError,
    "session_transfer": UnavailableError,
    "job_error": UnavailableError,
    "buffer_error": UnavailableError,
    "internal_error": UnavailableError,
    "unknown_error": UnavailableError,
}
"""What went wrong, by the type of an error; types that are not listed say that a request was wrong."""
CLOSED = {4001: "not_authorised", 4003: "not_allowed", 4005: "quota_exceeded", 4006: "timelimit_exceeded",
          4013: "job_error"}  # fmt: skip


class STT(SocketSTT):
    """Speech to text. `model` is "standard", "enhanced" or "melia-1".

    `options` are further fields of the `transcription_config`, such as `max_delay=1.5`.
    """

    def __init__(
        self,
        model: str = "enhanced",
        *,
        language: str = "en",
        keyterms: Sequence[str] = (),
        key: str | None = None,
        base_url: str = "wss://eu.rt.speechmatics.com",
        **options: object,
    ) -> None:
        super().__init__("speechmatics", VendorKey("speechmatics", "SPEECHMATICS_API_KEY", key), model)
        self._url = f"{base_url}/v2"
        vocabulary = [{"content": term} for term in keyterms]
        config = {"language": language, "model": model, "enable_partials": True}
        config |= {"additional_vocab": vocabulary} if vocabulary else {}
        audio = {"type": "raw", "encoding": "pcm_s16le", "sample_rate": self.sample_rate}
        self._setup = {"audio_format": audio, "transcription_config": config | options}

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> RecognitionCodec:
        return SpeechmaticsCodec(self._setup)


class SpeechmaticsCodec(RecognitionCodec):
    """A connection: final pieces, and partial words behind them."""

    waits_for_ready = True
    lasts = 48 * 3600.0

    def __init__(self, setup: dict[str, Any]) -> None:
        self._setup = setup
        self._sent = 0
        self._delimiter = " "

    def begin(self) -> Iterable[Message]:
        return (json_text(message="StartRecognition", **self._setup),)

    def audio(self, pcm: bytes) -> Iterable[Message]:
        self._sent += 1
        return (pcm,)

    def flush(self) -> Iterable[Message]:
        return (json_text(message="ForceEndOfUtterance"),)

    def end(self) -> Iterable[Message]:
        return (json_text(message="EndOfStream", last_seq_no=self._sent),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("message"):
            case "RecognitionStarted":
                delimiter = fields(told.get("language_pack_info")).get("word_delimiter", " ")
                self._delimiter = string(delimiter)
                yield Ready()
            case "AddPartialTranscript":
                yield Tentative(*self._words(items(told.get("results"))))
            case "AddTranscript":
                yield Settled(*self._words(items(told.get("results"))))
            case "EndOfUtterance":
                yield Flushed() if told.get("forced") else UtteranceEnded()
            case "EndOfTranscript":
                yield Drained()
            case "Error":
                raise _error(string(told.get("type")), string(told.get("reason")))
            case _:
                pass

    def _words(self, results: list[Any]) -> tuple[str, str]:
        """Return the text of results, and what stands between it and the words before."""
        text, joint = "", self._delimiter
        for at, result in enumerate(map(fields, results)):
            best = fields(next(iter(items(result.get("alternatives"))), None))
            attached = result.get("attaches_to") in ("previous", "both")
            if at == 0:
                joint = "" if attached else self._delimiter
            text += self._delimiter * (at > 0 and not attached) + string(best.get("content"))
        return text, joint

    def closed(self, code: int, reason: str) -> TheyErred | None:
        return _error(CLOSED[code], reason) if code in CLOSED else None


def _error(kind: str, reason: str) -> TheyErred:
    return ERRORS.get(kind, BadResponseError)(f"speechmatics: {kind}: {reason[:200]}")
