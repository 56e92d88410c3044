"""Cartesia's speech to text, Ink, over websockets.

https://docs.cartesia.ai/api-reference/stt
"""

from collections.abc import Iterable

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
from ...services.vendor_values import address, json_object, json_text, said_text, string
from ...services.websocket_client import Handshake, Message
from .wire import VERSION, error

__all__ = ["STT"]


class STT(SocketSTT):
    """Ink.

    `turns=True` lets it detect turns by itself; else words are asked for at the end of speech.
    """

    chunk = 0.1

    def __init__(
        self,
        model: str = "ink-2",
        *,
        turns: bool = False,
        language: str = "en",
        key: str | None = None,
        base_url: str = "wss://api.cartesia.ai",
        **options: object,
    ) -> None:
        super().__init__("cartesia", VendorKey("cartesia", "CARTESIA_API_KEY", key), model)
        self._turns = turns
        path = "/stt/turns/websocket" if turns else "/stt/websocket"
        query = {"model": model, "encoding": "pcm_s16le", "sample_rate": self.sample_rate,
                 "language": None if turns else language}  # fmt: skip
        self._url = address(base_url + path, query | options)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"X-API-Key": self.key.value, "Cartesia-Version": VERSION})

    def codec(self) -> RecognitionCodec:
        return TurnsCodec() if self._turns else InkCodec()


class InkCodec(RecognitionCodec):
    """A connection that is asked for words: deltas, and commands in plain text."""

    def flush(self) -> Iterable[Message]:
        return ("finalize",)

    def end(self) -> Iterable[Message]:
        return ("close",)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("type"):
            case "transcript" if told.get("is_final"):
                yield Settled(
                    said_text(told.get("text")), joint="", language=string(told.get("language")) or None
                )
            case "transcript":
                yield Tentative(said_text(told.get("text")), joint="")
            case "flush_done":
                yield Flushed()
            case "done":
                yield Drained()
            case "error":
                raise error(told)
            case _:
                pass


class TurnsCodec(RecognitionCodec):
    """A connection that detects turns: all words of the turn each time."""

    waits_for_ready = True

    def end(self) -> Iterable[Message]:
        return (json_text(type="close"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        text = said_text(told.get("transcript"))
        match told.get("type"):
            case "connected":
                yield Ready()
            case "turn.update":
                yield Tentative(text)
            case "turn.eager_end":
                yield Tentative(text)
                yield TurnHint(EAGER)
            case "turn.resume":
                yield TurnHint(0.0)
            case "turn.end":
                yield UtteranceEnded(text)
                yield TurnHint(1.0, final=True)
            case "error":
                raise error(told)
            case _:
                pass


EAGER = 0.6  # the probability that an eager end of the turn stands for; the vendor sends none
