"""Deepgram's speech to text over websockets.

Nova: https://developers.deepgram.com/reference/speech-to-text/listen-streaming
Flux: https://developers.deepgram.com/reference/speech-to-text/listen-flux
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import TheyErred, UnavailableError
from ...services.keys import VendorKey
from ...services.ports import TurnHint
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
from ...services.vendor_values import (
    address,
    fields,
    items,
    json_object,
    json_text,
    number,
    said_text,
    string,
)
from ...services.websocket_client import Handshake, Message

__all__ = ["STT", "Flux", "Nova"]


def STT(model: str = "nova-3", **settings: Any) -> "Nova | Flux":  # noqa: N802  stands for two classes
    """Make the service of a model: Flux for a name that begins so, else Nova."""
    return Flux(model, **settings) if model.startswith("flux") else Nova(model, **settings)


class _Deepgram(SocketSTT):
    def __init__(self, path: str, query: dict[str, object], key: str | None, base_url: str) -> None:
        super().__init__("deepgram", VendorKey("deepgram", "DEEPGRAM_API_KEY", key), str(query["model"]))
        self._url = address(
            base_url + path, query | {"encoding": "linear16", "sample_rate": self.sample_rate}
        )

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Token {self.key.value}"})


class Nova(_Deepgram):
    """Nova: final pieces, asked for at the end of speech.

    `language` is a code, or "multi"; `keyterms` are words that are likely to be said. `options` are further
    parameters of the request, such as `numerals=True`.
    """

    def __init__(
        self,
        model: str = "nova-3",
        *,
        language: str = "en",
        keyterms: Sequence[str] = (),
        key: str | None = None,
        base_url: str = "wss://api.deepgram.com",
        **options: object,
    ) -> None:
        query = {"model": model, "language": language, "interim_results": True, "smart_format": True,
                 "endpointing": False, "keyterm": [*keyterms]}  # fmt: skip
        super().__init__("/v1/listen", query | options, key, base_url)

    def codec(self) -> RecognitionCodec:
        return NovaCodec()


class NovaCodec(RecognitionCodec):
    """A connection to Nova."""

    keep_alive_every = 4.0
    always_answers = False
    mute_after = 5.0

    def flush(self) -> Iterable[Message]:
        return (json_text(type="Finalize"),)

    def keep_alive(self) -> Iterable[Message]:
        return (json_text(type="KeepAlive"),)

    def end(self) -> Iterable[Message]:
        return (json_text(type="CloseStream"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("type"):
            case "Results":
                best = fields(next(iter(items(fields(told.get("channel")).get("alternatives"))), None))
                text = said_text(best.get("transcript"))
                if told.get("is_final"):
                    language = next(iter(items(best.get("languages"))), None)
                    yield Settled(text, language=string(language) or None)
                else:
                    yield Tentative(text)
                if told.get("from_finalize"):
                    yield Flushed()
                elif told.get("speech_final"):
                    yield UtteranceEnded()
            case "Metadata":
                yield Drained()
            case _:
                pass

    def closed(self, code: int, reason: str) -> TheyErred | None:
        return UnavailableError(f"deepgram closed the connection: {reason}") if "NET-" in reason else None


class Flux(_Deepgram):
    """Flux: all words of the turn each time, and its own judgement of its end.

    `eager`: the probability at which an answer may be begun early; None never asks for it. `certain`: the
    probability at which the turn is over. `languages` are hints for the multilingual model.
    """

    chunk = 0.08

    def __init__(
        self,
        model: str = "flux-general-en",
        *,
        eager: float | None = 0.5,
        certain: float = 0.7,
        keyterms: Sequence[str] = (),
        languages: Sequence[str] = (),
        key: str | None = None,
        base_url: str = "wss://api.deepgram.com",
        **options: object,
    ) -> None:
        query = {"model": model, "eot_threshold": certain, "eager_eot_threshold": eager,
                 "keyterm": [*keyterms], "language_hint": [*languages]}  # fmt: skip
        super().__init__("/v2/listen", query | options, key, base_url)

    def codec(self) -> RecognitionCodec:
        return FluxCodec()


class FluxCodec(RecognitionCodec):
    """A connection to Flux."""

    waits_for_ready = True
    mute_after = 5.0

    def flush(self) -> Iterable[Message]:
        return (json_text(type="ForceEndTurn"),)

    def end(self) -> Iterable[Message]:
        return (json_text(type="CloseStream"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("type"):
            case "Connected":
                yield Ready()
            case "TurnInfo":
                yield from _turn(told)
            case "Warning" if told.get("code") == "FORCE_END_TURN_NO_ACTIVE_TURN":
                yield Flushed()
            case "Error":
                raise UnavailableError(
                    f"deepgram: {told.get('code')}: {string(told.get('description'))[:200]}"
                )
            case _:
                pass


def _turn(told: dict[str, Any]) -> Iterable[RecognitionEvent]:
    text = said_text(told.get("transcript"))
    confidence = min(1.0, max(0.0, number(told.get("end_of_turn_confidence")) or 0.0))
    match told.get("event"):
        case "EagerEndOfTurn":
            yield Tentative(text)
            yield TurnHint(confidence)
        case "TurnResumed":
            yield TurnHint(0.0)
            yield Tentative(text)
        case "EndOfTurn" if told.get("trigger") == "manual":
            yield Flushed(text)
        case "EndOfTurn":
            language = next(iter(items(told.get("languages"))), None)
            yield UtteranceEnded(text, string(language) or None)
            yield TurnHint(confidence, final=True)
        case _:
            yield Tentative(text)
