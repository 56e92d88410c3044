"""Soniox' speech to text, over websockets.

https://soniox.com/docs/stt/api-reference/websocket-api
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ...services.http_client import stated_error
from ...services.keys import VendorKey
from ...services.ports import TurnHint
from ...services.recognition_codec import (
    Drained,
    Flushed,
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


class STT(SocketSTT):
    """Speech to text that mixes languages freely.

    `language` is a hint such as "en". `turns=True` lets the vendor decide when a turn is over. `options` are
    further fields of the first message, such as `max_endpoint_delay_ms=1000`.
    """

    def __init__(
        self,
        model: str = "stt-rt-v5",
        *,
        language: str | None = None,
        keyterms: Sequence[str] = (),
        turns: bool = False,
        key: str | None = None,
        base_url: str = "wss://stt-rt.soniox.com",
        **options: object,
    ) -> None:
        super().__init__("soniox", VendorKey("soniox", "SONIOX_API_KEY", key), model)
        self._url = f"{base_url}/transcribe-websocket"
        self._setup: dict[str, Any] = {
            "model": model,
            "audio_format": "pcm_s16le",
            "sample_rate": self.sample_rate,
            "num_channels": 1,
            "language_hints": [language] if language else None,
            "context": {"terms": [*keyterms]} if keyterms else None,
            "enable_endpoint_detection": turns,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> RecognitionCodec:
        return TokensCodec(self._setup)


class TokensCodec(RecognitionCodec):
    """A connection: final tokens once, the others again each time."""

    keep_alive_every = 8.0  # the vendor closes after 20 s
    lasts = 300 * 60.0

    def __init__(self, setup: dict[str, Any]) -> None:
        self._setup = setup

    def begin(self) -> Iterable[Message]:
        return (json_text(**self._setup),)

    def flush(self) -> Iterable[Message]:
        return (json_text(type="finalize"),)

    def keep_alive(self) -> Iterable[Message]:
        return (json_text(type="keepalive"),)

    def end(self) -> Iterable[Message]:
        return ("",)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        if "error_code" in told:
            raise stated_error("soniox", told["error_code"], told.get("error_message"), "SONIOX_API_KEY")
        if "tokens" in told:
            yield from _read(items(told["tokens"]))
        if told.get("finished"):
            yield Drained()


def _read(tokens: list[Any]) -> Iterable[RecognitionEvent]:
    """Read the tokens of a message; those behind an end begin the next utterance."""
    changing = ""
    for token in map(fields, tokens):
        match string(token.get("text")):
            case "<fin>":
                yield Flushed()
            case "<end>":
                yield UtteranceEnded()
                yield TurnHint(1.0, final=True)
            case text if token.get("is_final"):
                yield Settled(text, joint="", language=string(token.get("language")) or None)
            case text:
                changing += text
    yield Tentative(changing, joint="")
