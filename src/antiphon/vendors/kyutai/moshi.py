"""The codec of Kyutai's Moshi: binary messages of a kind and its content.

https://github.com/kyutai-labs/moshi/blob/main/moshi/moshi/server.py
"""

from collections.abc import Iterable

from ...audio.ogg_opus import OggOpusDecoder, OggOpusEncoder
from ...audio.pcm import samples
from ...context import Context
from ...errors import BadResponseError, UnavailableError
from ...services.realtime_codec import CodecEvent, RealtimeCodec, RealtimeReady
from ...services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    RealtimeInput,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    UserSound,
    UserSpeaks,
    Voice,
)
from ...services.websocket_client import Message

__all__ = ["MoshiCodec"]

READY, SOUND, TEXT, ERROR = 0, 1, 2, 5
RATE = 24000
LOUD = 1500  # a sample of the user's sound that belongs to speech
FAINT = 300  # a sample of Moshi's sound that does not
WORDLESS = 0.8  # seconds of Moshi's sound without a word after which a response ends once it is faint
SILENT = 3.0  # and after which it ends anyway
NOT_SAID = ResponseOver("failed", "Moshi says nothing on demand")


class MoshiCodec(RealtimeCodec):
    """A connection. Sound flows both ways at all times."""

    tells_within = 3.0  # a turn is told of with its answer; more sound would delay all that follows

    def __init__(self) -> None:
        self._encode, self._decode = OggOpusEncoder(RATE), OggOpusDecoder(RATE)
        self._asked = 0  # responses that were asked for, and will not come
        self._user_spoke = False
        self._responding = self._muted = False
        self._wordless = 0.0  # seconds of Moshi's sound since its last word

    def begin(self, context: Context) -> Iterable[Message]:
        return ()

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserSound(pcm):
                self._user_spoke = self._user_spoke or _peak(pcm) > LOUD
                return (bytes([SOUND]) + self._encode(pcm),)
            case Respond() | Say():
                self._asked += 1
            case CutShort():
                self._muted = self._responding
            case _:
                pass
        return ()

    def read(self, message: Message) -> Iterable[CodecEvent]:
        if isinstance(message, str) or not message:
            raise BadResponseError(f"kyutai: not a message of Moshi: {message[:80]!r}")
        match message[0]:
            case kind if kind == READY:
                yield RealtimeReady()
            case kind if kind == SOUND:
                yield from self._sound(self._decode(message[1:]))
            case kind if kind == TEXT:
                yield from self._words(message[1:].decode(errors="replace"))
            case kind if kind == ERROR:
                raise UnavailableError(f"kyutai: {message[1:200].decode(errors='replace')}")
            case _:
                pass
        while self._asked and not self._responding:
            self._asked -= 1
            yield ResponseBegan()
            yield NOT_SAID

    def _sound(self, pcm: bytes) -> Iterable[CodecEvent]:
        if not pcm or not self._responding:
            return
        if not self._muted:
            yield Voice(pcm)
        self._wordless += len(pcm) / 2 / RATE
        if self._wordless > SILENT or (self._wordless > WORDLESS and _peak(pcm) < FAINT):
            self._responding = False
            yield ResponseOver("cancelled" if self._muted else "completed")

    def _words(self, text: str) -> Iterable[CodecEvent]:
        begins = not self._responding
        if begins:
            if self._user_spoke:
                yield UserSpeaks(True)
                yield UserSpeaks(False)
            self._responding, self._muted, self._user_spoke = True, False, False
            yield ResponseBegan()
        self._wordless = 0.0
        if not self._muted:
            yield AgentWords(text.lstrip() if begins else text)


def _peak(pcm: bytes) -> int:
    return int(abs(samples(pcm).astype("i4")).max(initial=0))
