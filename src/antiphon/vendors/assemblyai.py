"""AssemblyAI: speech to text with Universal Streaming, over websockets.

https://www.assemblyai.com/docs/streaming/message-sequence
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ..encodable import to_json
from ..errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from ..services.keys import VendorKey
from ..services.ports import TurnHint, Vendor
from ..services.recognition_codec import (
    Drained,
    Ready,
    RecognitionCodec,
    RecognitionEvent,
    Tentative,
    UtteranceEnded,
)
from ..services.socket_stt import SocketSTT
from ..services.vendor_values import address, fields, items, json_object, json_text, number, said_text, string
from ..services.websocket_client import Handshake, Message

__all__ = ["STT"]

VENDOR = Vendor(
    name="assemblyai",
    provides={"stt": "STT"},
    docs="https://www.assemblyai.com/docs/streaming/message-sequence",
    env=("ASSEMBLYAI_API_KEY",),
    extra="services",
    default={"stt": "universal-streaming-english"},
    can={"stt": ("turns",)},
    languages={"stt": "English"},
    checked="2026-11-30",
)


class STT(SocketSTT):
    """Universal Streaming.

    `turns=True` lets it decide when a turn is over; else words are asked for at the end of speech. `options`
    are further parameters of the connection, such as `min_turn_silence=400`.
    """

    bills_open = True

    def __init__(
        self,
        model: str = "universal-streaming-english",
        *,
        turns: bool = False,
        keyterms: Sequence[str] = (),
        key: str | None = None,
        base_url: str = "wss://streaming.assemblyai.com",
        **options: object,
    ) -> None:
        super().__init__("assemblyai", VendorKey("assemblyai", "ASSEMBLYAI_API_KEY", key), model)
        formats_later = model.startswith("universal-streaming")
        query = {
            "speech_model": model,
            "sample_rate": self.sample_rate,
            "encoding": "pcm_s16le",
            "format_turns": True if formats_later else None,
            "end_of_turn_confidence_threshold": None if turns or not formats_later else 1.0,
            "keyterms_prompt": to_json([*keyterms]).decode() if keyterms else None,
        }
        self._url = address(f"{base_url}/v3/ws", query | options)
        self._turns = turns
        self._formats_later = formats_later and options.get("format_turns", True) is True

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": self.key.value})

    def codec(self) -> RecognitionCodec:
        return UniversalCodec(self.sample_rate // 20 * 2, turns=self._turns, formats=self._formats_later)


class UniversalCodec(RecognitionCodec):
    """A connection: all words of the turn each time.

    A message of audio has at least `least` bytes. With `formats` the end of a turn is told twice, and only
    the second time with punctuation.
    """

    waits_for_ready = True
    lasts = 3 * 3600.0
    hears_faster = False
    always_answers = False

    def __init__(self, least: int, *, turns: bool, formats: bool) -> None:
        self._least = least
        self._turns = turns
        self._formats = formats
        self._forced = False

    def audio(self, pcm: bytes) -> Iterable[Message]:
        return (pcm.ljust(self._least, b"\0"),)

    def flush(self) -> Iterable[Message]:
        self._forced = True
        return (json_text(type="ForceEndpoint"),)

    def end(self) -> Iterable[Message]:
        return (json_text(type="Terminate"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("type"):
            case "Begin":
                yield Ready()
            case "Turn":
                yield from self._turn(told)
            case "Termination":
                yield Drained()
            case "Error":
                raise _error(number(told.get("error_code")) or 0, string(told.get("error")))
            case _:
                pass

    def _turn(self, told: dict[str, Any]) -> Iterable[RecognitionEvent]:
        text = said_text(told.get("transcript"))
        if not told.get("end_of_turn"):
            words = [string(fields(word).get("text")) for word in items(told.get("words"))]
            yield Tentative(" ".join(words) or text)
        elif self._formats and not told.get("turn_is_formatted"):
            yield Tentative(text)
        else:
            yield UtteranceEnded(text, string(told.get("language_code")) or None)
            if self._turns and not self._forced:
                yield TurnHint(1.0, final=True)
            self._forced = False

    def closed(self, code: int, reason: str) -> TheyErred | None:
        return _error(code, reason) if code == 1008 or 3005 <= code <= 3009 else None


def _error(code: float, reason: str) -> TheyErred:
    said = f"assemblyai: {code:g} {reason[:200]}"
    if code == 3009 or "too many" in reason.lower() or "concurrent" in reason.lower():
        return RateLimitError(said)
    if code in (1008, 401, 403):
        return AuthenticationError(f"{said}. Is ASSEMBLYAI_API_KEY right?")
    return BadResponseError(said) if code in (3006, 3007) else UnavailableError(said)
