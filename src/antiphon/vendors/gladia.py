"""Gladia: speech to text over websockets, in a session that a request creates.

https://docs.gladia.io/api-reference/v2/live/init
"""

from collections.abc import Iterable, Sequence

from ..errors import BadResponseError
from ..services.http_client import HttpClient, body
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.recognition_codec import (
    Drained,
    RecognitionCodec,
    RecognitionEvent,
    Tentative,
    UtteranceEnded,
)
from ..services.socket_stt import SocketSTT
from ..services.vendor_values import address, fields, json_object, json_text, said_text, string
from ..services.websocket_client import Handshake, Message

__all__ = ["STT"]

VENDOR = Vendor(
    name="gladia",
    provides={"stt": "STT"},
    docs="https://docs.gladia.io/api-reference/v2/live/init",
    env=("GLADIA_API_KEY",),
    extra="services",
    default={"stt": "solaria-1"},
    options={"stt": "language"},
    languages={"stt": "100+"},
    checked="2026-11-30",
)

WITHIN = 3.0  # seconds for the request that creates a session
MOST = 1 << 16  # bytes of its answer


class STT(SocketSTT):
    """Speech to text, which ends an utterance after `endpointing` seconds of silence.

    `language` is a code such as "en"; None lets the vendor detect it. `region` is "eu-west" or "us-west".
    `options` are further fields of the request.
    """

    def __init__(
        self,
        model: str = "solaria-1",
        *,
        language: str | None = None,
        keyterms: Sequence[str] = (),
        endpointing: float = 0.2,
        region: str | None = None,
        key: str | None = None,
        base_url: str = "https://api.gladia.io",
        **options: object,
    ) -> None:
        super().__init__("gladia", VendorKey("gladia", "GLADIA_API_KEY", key), model)
        self._url = address(f"{base_url}/v2/live", {"region": region})
        self._http = HttpClient("gladia", extra="services", key_name=self.key.name)
        self._endpointing = endpointing
        terms = {"custom_vocabulary": True, "custom_vocabulary_config": {"vocabulary": [*keyterms]}}
        self._request = {
            "encoding": "wav/pcm",
            "bit_depth": 16,
            "sample_rate": self.sample_rate,
            "channels": 1,
            "model": model,
            "endpointing": endpointing,
            "language_config": {"languages": [language] if language else [], "code_switching": False},
            "messages_config": {"receive_partial_transcripts": True, "receive_lifecycle_events": True},
            **({"realtime_processing": terms} if keyterms else {}),
        } | options

    async def close(self) -> None:
        """Leave the shared connections over which sessions are created."""
        await self._http.close()

    async def handshake(self) -> Handshake:
        headers = {"X-Gladia-Key": self.key.value}
        async with self._http.stream(
            "POST", self._url, json=self._request, headers=headers, within=WITHIN
        ) as response:
            session = json_object(await body(response, MOST), "a session")
        if not (url := string(session.get("url"))):
            raise BadResponseError("gladia: the session that was created has no address")
        return Handshake(url)

    def codec(self) -> RecognitionCodec:
        return LiveCodec(self._endpointing)


class LiveCodec(RecognitionCodec):
    """A connection: all words of the utterance each time."""

    def __init__(self, endpointing: float) -> None:
        self.ended_by_silence = endpointing + 0.1

    def end(self) -> Iterable[Message]:
        return (json_text(type="stop_recording"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("type"):
            case "transcript":
                data = fields(told.get("data"))
                utterance = fields(data.get("utterance"))
                text, language = said_text(utterance.get("text")), string(utterance.get("language")) or None
                yield UtteranceEnded(text, language) if data.get("is_final") else Tentative(text)
            case "end_session":
                yield Drained()
            case "audio_chunk" | "stop_recording" if told.get("acknowledged") is False:
                raise BadResponseError(f"gladia: {str(told.get('error'))[:200]}")
            case "error":
                raise BadResponseError(f"gladia: {str(told.get('data') or told.get('error'))[:200]}")
            case _:
                pass
