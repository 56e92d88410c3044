"""Deepgram's text to speech over websockets.

Aura: https://developers.deepgram.com/reference/text-to-speech/speak-streaming
Flux: https://developers.deepgram.com/reference/text-to-speech/speak-flux
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from ...errors import BadResponseError, TheyErred, UnavailableError
from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.vendor_values import address, json_object, json_text, string
from ...services.voice_codec import Finished, PieceEnded, Sound, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message

__all__ = ["TTS", "Aura", "FluxVoice"]

MOST_TEXT = 2000  # characters of one message
MOST_FLUSHES = 15  # within WINDOW: the vendor allows 20, and those that end a reply must not be refused
WINDOW = 60.0  # seconds


def TTS(model: str = "aura-2-thalia-en", **settings: Any) -> "Aura | FluxVoice":  # noqa: N802  two classes
    """Make the service of a model: Flux for a name that begins so, else Aura."""
    return FluxVoice(model, **settings) if model.startswith("flux") else Aura(model, **settings)


class _DeepgramVoice(SocketTTS):
    def __init__(
        self, path: str, query: dict[str, object], sample_rate: int, key: str | None, base_url: str
    ) -> None:
        super().__init__("deepgram", VendorKey("deepgram", "DEEPGRAM_API_KEY", key), str(query["model"]))
        self.sample_rate = sample_rate
        query = query | {"encoding": "linear16", "sample_rate": self.sample_rate}
        self._url = address(base_url + path, query)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Token {self.key.value}"})


class Aura(_DeepgramVoice):
    """Aura. The name of the model is that of the voice; `speed` is 1 for normal."""

    def __init__(
        self,
        model: str = "aura-2-thalia-en",
        *,
        sample_rate: int = 24000,
        speed: float | None = None,
        key: str | None = None,
        base_url: str = "wss://api.deepgram.com",
        **options: object,
    ) -> None:
        query = {"model": model, "speed": speed, **options}
        super().__init__("/v1/speak", query, sample_rate, key, base_url)

    def codec(self) -> VoiceCodec:
        return AuraCodec(asyncio.get_running_loop().time)


class FluxVoice(_DeepgramVoice):
    """Flux, which decides by itself when it has enough text to speak.

    The name of the model is that of the voice. `options` are further parameters of the connection, such as
    `speed` or `expressivity`.
    """

    def __init__(
        self,
        model: str = "flux-haley-en",
        *,
        sample_rate: int = 24000,
        key: str | None = None,
        base_url: str = "wss://api.deepgram.com",
        **options: object,
    ) -> None:
        super().__init__("/v2/speak", {"model": model, **options}, sample_rate, key, base_url)

    def codec(self) -> VoiceCodec:
        return FluxVoiceCodec()


class AuraCodec(VoiceCodec):
    """A connection to Aura: one utterance at a time, audio in binary messages.

    Aura collects text until a Flush, of which it allows 20 a minute. So each piece is flushed, but not more
    than 15 a minute: those above wait for the next flush, or for the end of the reply. Replies after that are
    spoken over another connection.
    """

    lasts = 3600.0
    marks_pieces = True
    ends_with_pieces = True

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._flushed_at = deque[float](maxlen=MOST_FLUSHES)
        self._unflushed = 0  # pieces
        self._flushes = deque[int]()  # how many pieces each flush has that is not confirmed
        self._clearing = False

    def takes_utterance(self) -> bool:
        full = len(self._flushed_at) == MOST_FLUSHES
        return not full or self._clock() - self._flushed_at[0] > WINDOW

    def text(self, context: str, text: str) -> Iterable[Message]:
        for at in range(0, len(text), MOST_TEXT):
            yield json_text(type="Speak", text=text[at : at + MOST_TEXT] + " ")
        self._unflushed += 1
        if self.takes_utterance():
            yield from self.finish(context)

    def finish(self, context: str) -> Iterable[Message]:
        if self._unflushed:
            self._flushed_at.append(self._clock())
            self._flushes.append(self._unflushed)
            self._unflushed = 0
            yield json_text(type="Flush")

    def cancel(self, context: str) -> Iterable[Message]:
        self._clearing = True
        self._unflushed = 0
        self._flushes.clear()
        return (json_text(type="Clear"),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        if isinstance(message, bytes):
            yield Sound(message)
            return
        match json_object(message).get("type"):
            case "Flushed" if not self._clearing and self._flushes:
                for _ in range(self._flushes.popleft()):
                    yield PieceEnded()
            case "Cleared":
                self._clearing = False
                yield Finished()
            case _:
                pass


class FluxVoiceCodec(VoiceCodec):
    """A connection to Flux: one turn at a time, which a Flush completes."""

    lasts = 3600.0

    def __init__(self) -> None:
        self._interrupting = False

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(type="Speak", text=text + " "),)

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(type="Flush"),)

    def cancel(self, context: str) -> Iterable[Message]:
        self._interrupting = True
        return (json_text(type="Interrupt"),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        if isinstance(message, bytes):
            yield Sound(message)
            return
        told = json_object(message)
        match told.get("type"):
            case "SpeechMetadata" if not self._interrupting:
                yield Finished()
            case "SpeechInterrupted":
                self._interrupting = False
                yield Finished()
            case "Warning" if self._interrupting and told.get("code") == "NO_ACTIVE_SPEECH":
                self._interrupting = False
                yield Finished()
            case "Error":
                raise _error(told)
            case _:
                pass


def _error(told: dict[str, Any]) -> TheyErred:
    code, said = string(told.get("code")), string(told.get("description"))
    kind = UnavailableError if code.startswith(("NET", "INTERNAL")) else BadResponseError
    return kind(f"deepgram: {code} {said[:200]}")
