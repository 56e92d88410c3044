"""Fireworks: transcription in real time, over websockets.

https://docs.fireworks.ai/api-reference/audio-streaming-transcriptions
"""

from collections.abc import Iterable
from typing import Any

from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.recognition_codec import Drained, Flushed, RecognitionCodec, RecognitionEvent, Tentative
from ..services.socket_stt import SocketSTT
from ..services.vendor_values import address, fields, items, json_object, json_text, string
from ..services.websocket_client import Handshake, Message

__all__ = ["STT"]

VENDOR = Vendor(
    name="fireworks",
    provides={"stt": "STT"},
    docs="https://docs.fireworks.ai/api-reference/audio-streaming-transcriptions",
    env=("FIREWORKS_API_KEY",),
    extra="services",
    options={"stt": "language"},
    checked="2026-11-30",
)
LAST = "final"


class STT(SocketSTT):
    """Transcription in real time.

    `language` is a code such as "en"; None lets the vendor detect it. `options` are further parameters of
    the address, such as `prompt`.
    """

    chunk = 0.1

    def __init__(
        self,
        model: str | None = None,
        *,
        language: str | None = None,
        key: str | None = None,
        base_url: str = "wss://audio-streaming.api.fireworks.ai",
        **options: object,
    ) -> None:
        super().__init__("fireworks", VendorKey("fireworks", "FIREWORKS_API_KEY", key), model or "")
        query = {"model": model, "language": language, "response_format": "verbose_json"}
        self._url = address(f"{base_url}/v1/audio/transcriptions/streaming", query | options)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": self.key.value})

    def codec(self) -> RecognitionCodec:
        return SegmentsCodec()


class SegmentsCodec(RecognitionCodec):
    """A connection: segments that are written anew until they are left behind.

    A checkpoint is answered once all audio before it has been transcribed. The vendor knows no utterances:
    words that were answered at a checkpoint are left out of what it says later.
    """

    flush_answered_within = 1.5

    def __init__(self) -> None:
        self._segments: dict[int, list[str]] = {}
        self._answered = (-1, 0)  # a segment, and how many of its words were answered
        self._checkpoints = 0

    def flush(self) -> Iterable[Message]:
        self._checkpoints += 1
        return (json_text(checkpoint_id=str(self._checkpoints)),)

    def end(self) -> Iterable[Message]:
        return (json_text(checkpoint_id=LAST),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        if "segments" in told:
            for segment in map(fields, items(told["segments"])):
                self._note(segment)
            yield Tentative(self._news())
        match told.get("checkpoint_id"):
            case None:
                pass
            case "final":
                yield Drained()
            case _:
                yield Flushed(self._news())
                newest = max(self._segments, default=-1)
                self._answered = (newest, len(self._segments.get(newest, ())))

    def _note(self, segment: dict[str, Any]) -> None:
        name = _index(segment.get("id"))
        self._segments[name] = string(segment.get("text")).split()
        self._segments = {one: words for one, words in self._segments.items()
                          if self._answered[0] <= one <= name}  # fmt: skip

    def _news(self) -> str:
        last, count = self._answered
        words = [
            word
            for name, told in sorted(self._segments.items())
            for word in told[count if name == last else 0 :]
        ]
        return " ".join(words)


def _index(value: object) -> int:
    """Return the place of a segment, which is told as a number or as text."""
    digits = str(value)[:9]
    return int(digits) if digits.isascii() and digits.isdigit() else 0
