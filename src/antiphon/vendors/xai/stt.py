"""xAI's speech to text, over websockets.

https://docs.x.ai/developers/rest-api-reference/inference/voice
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import UnavailableError
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

    `options` are further parameters of the address, such as `smart_turn=0.7`.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        language: str = "en",
        keyterms: Sequence[str] = (),
        endpointing: float = 0.3,
        key: str | None = None,
        base_url: str = "wss://api.x.ai",
        **options: object,
    ) -> None:
        super().__init__("xai", VendorKey("xai", "XAI_API_KEY", key), model or "")
        query = {"model": model, "sample_rate": self.sample_rate, "encoding": "pcm", "language": language,
                 "interim_results": True, "endpointing": round(endpointing * 1000),
                 "keyterm": [*keyterms]}  # fmt: skip
        self._url = address(f"{base_url}/v1/stt", query | options)
        self._endpointing = endpointing

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> RecognitionCodec:
        return GrokCodec(self._endpointing)


class GrokCodec(RecognitionCodec):
    """A connection: final chunks, then the end of the utterance.

    It is not documented whether the end repeats the chunks, so both are understood.
    """

    waits_for_ready = True

    def __init__(self, endpointing: float) -> None:
        self.ended_by_silence = endpointing + 0.1
        self._chunks = ""

    def end(self) -> Iterable[Message]:
        return (json_text(type="audio.done"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("type"):
            case "transcript.created":
                yield Ready()
            case "transcript.partial":
                yield from self._partial(told)
            case "transcript.done":
                yield Drained()
            case "error":
                raise UnavailableError(f"xai: {string(told.get('message'))[:200]}")
            case _:
                pass

    def _partial(self, told: dict[str, Any]) -> Iterable[RecognitionEvent]:
        words = _joined(self._chunks, said_text(told.get("text")))
        if told.get("speech_final"):
            self._chunks = ""
            yield UtteranceEnded(words, string(told.get("language")) or None)
            return
        if told.get("is_final"):
            self._chunks = words
        yield Tentative(words)


def _joined(chunks: str, text: str) -> str:
    """Return all words of an utterance, of which `text` may repeat the chunks."""
    before, now = _letters(chunks), _letters(text)
    if now.startswith(before):
        return text
    return chunks if before.endswith(now) else f"{chunks} {text}"


def _letters(text: str) -> str:
    return "".join(sign for sign in text.lower() if sign.isalnum())
