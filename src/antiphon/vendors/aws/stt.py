"""AWS' speech to text, Transcribe, over websockets.

https://docs.aws.amazon.com/transcribe/latest/dg/websocket.html
"""

import time
from collections.abc import Iterable
from typing import Any

from ...errors import BadResponseError, RateLimitError, TheyErred, UnavailableError
from ...services.aws_event_stream import AwsEvent, AwsEventReader, encode_event
from ...services.aws_signing import AwsSigner
from ...services.recognition_codec import RecognitionCodec, RecognitionEvent, Tentative, UtteranceEnded
from ...services.socket_stt import SocketSTT
from ...services.vendor_values import address, fields, items, json_object, reason_in, said_text, string
from ...services.websocket_client import Handshake, Message

__all__ = ["STT"]

REFUSED = {"LimitExceededException": RateLimitError, "BadRequestException": BadResponseError}


class STT(SocketSTT):
    """Transcribe.

    `model` is the name of a language model of one's own; `language` a locale such as "en-US". `options` are
    further parameters of the request with underscores for hyphens, such as `vocabulary_name="products"`.
    """

    chunk = 0.1

    def __init__(
        self,
        model: str | None = None,
        *,
        language: str = "en-US",
        region: str | None = None,
        key: str | None = None,
        secret: str | None = None,
        base_url: str | None = None,
        **options: object,
    ) -> None:
        self._signer = AwsSigner("transcribe", region, key=key, secret=secret)
        super().__init__("aws", self._signer.key, model or "")
        self._base_url = base_url
        query = {"language_code": language, "media_encoding": "pcm", "sample_rate": self.sample_rate,
                 "language_model_name": model} | options  # fmt: skip
        self._query = {name.replace("_", "-"): value for name, value in query.items()}

    async def open(self) -> None:
        """Check the key, its secret and the region."""
        self._signer.check()
        await super().open()

    async def handshake(self) -> Handshake:
        base = self._base_url or f"wss://transcribestreaming.{self._signer.region}.amazonaws.com:8443"
        url = address(f"{base}/stream-transcription-websocket", self._query)
        return Handshake(self._signer.presigned_url(url, at=time.time()))

    def codec(self) -> RecognitionCodec:
        return TranscribeCodec()


class TranscribeCodec(RecognitionCodec):
    """A connection: all words of a segment each time.

    The vendor closes it after the last ones.
    """

    ended_by_silence = 1.0
    keep_alive_every = 5.0  # the vendor closes after 15 s without audio
    lasts = 4 * 3600.0

    def __init__(self) -> None:
        self._reader = AwsEventReader()

    def audio(self, pcm: bytes) -> Iterable[Message]:
        return (
            encode_event(
                pcm,
                message_type="event",
                event_type="AudioEvent",
                content_type="application/octet-stream",
            ),
        )

    def keep_alive(self) -> Iterable[Message]:
        return self.audio(bytes(3200))

    def end(self) -> Iterable[Message]:
        return self.audio(b"")

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        if isinstance(message, str):
            raise BadResponseError(f"aws: text where events should be: {message[:80]!r}")
        for event in self._reader.feed(message):
            if event.headers.get(":message-type") != "event":
                raise _error(event)
            if event.headers.get(":event-type") == "TranscriptEvent":
                transcript = fields(json_object(event.payload).get("Transcript"))
                for result in map(fields, items(transcript.get("Results"))):
                    yield from _result(result)


def _result(result: dict[str, Any]) -> Iterable[RecognitionEvent]:
    best = fields(next(iter(items(result.get("Alternatives"))), None))
    text = said_text(best.get("Transcript"))
    if result.get("IsPartial"):
        yield Tentative(text)
    else:
        yield UtteranceEnded(text, string(result.get("LanguageCode")) or None)


def _error(event: AwsEvent) -> TheyErred:
    kind = event.headers.get(":exception-type") or event.headers.get(":error-code", "an error")
    said = event.headers.get(":error-message") or reason_in(event.payload)
    if "no new audio" in said:
        return UnavailableError(f"aws: {said[:200]}")
    return REFUSED.get(kind, UnavailableError)(f"aws: {kind}: {said[:200]}")
