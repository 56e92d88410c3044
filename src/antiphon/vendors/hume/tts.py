"""Hume's text to speech, Octave, over websockets.

https://dev.hume.ai/reference/text-to-speech-tts/stream-input
"""

from collections import deque
from collections.abc import Iterable
from typing import Any

from ...services.http_client import stated_error
from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.vendor_values import address, base64_bytes, fields, json_object, json_text, number, string
from ...services.voice_codec import PieceEnded, Sound, SpokenWord, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message

__all__ = ["TTS"]

SPELLING = 3  # letters that a snippet may have less than what was sent, such as "Dr" for "Doctor"


class TTS(SocketTTS):
    """Octave. The model is a version, "2" or "1".

    `voice` is the name of one of the vendor's voices. `options` are further fields of each text, such as
    `speed`, or `description` with version 1.
    """

    sample_rate = 48000

    def __init__(
        self,
        model: str = "2",
        *,
        voice: str = "Male English Actor",
        key: str | None = None,
        base_url: str = "wss://api.hume.ai",
        **options: object,
    ) -> None:
        super().__init__("hume", VendorKey("hume", "HUME_API_KEY", key), model)
        query = {"version": model, "format_type": "pcm", "strip_headers": True, "no_binary": True,
                 "instant_mode": True, "include_timestamp_types": "word"}  # fmt: skip
        self._address = (f"{base_url}/v0/tts/stream/input", query)
        self._settings = {"voice": {"name": voice, "provider": "HUME_AI"}} | options

    async def handshake(self) -> Handshake:
        url, query = self._address
        return Handshake(address(url, {"api_key": self.key.value, **query}))

    def codec(self) -> VoiceCodec:
        return OctaveCodec(self._settings)


class OctaveCodec(VoiceCodec):
    """A connection: one utterance at a time, in which each piece is flushed.

    The vendor speaks a piece as one snippet or several. It tells the end of each snippet, and its text.
    """

    marks_pieces = True
    ends_with_pieces = True
    times_restart = True

    def __init__(self, settings: dict[str, Any]) -> None:
        self._settings = settings
        self._left = deque[int]()  # letters of each piece that were not spoken

    def text(self, context: str, text: str) -> Iterable[Message]:
        self._left.append(_letters(text))
        return (json_text(text=text, flush=True, **self._settings),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        match told.get("type"):
            case "audio":
                yield Sound(base64_bytes(told.get("audio")))
                if told.get("is_last_chunk") and self._ends_piece(string(told.get("text"))):
                    yield PieceEnded()
            case "timestamp":
                stamp = fields(told.get("timestamp"))
                time = fields(stamp.get("time"))
                if stamp.get("type") == "word":
                    begin, end = number(time.get("begin")) or 0.0, number(time.get("end"))
                    ended = None if end is None else end / 1000
                    yield SpokenWord(string(stamp.get("text")), begin / 1000, ended)
            case "error":
                raise stated_error("hume", told.get("status"), told.get("message"), "HUME_API_KEY")
            case _:
                pass

    def _ends_piece(self, snippet: str) -> bool:
        """Return whether a piece has been spoken after a snippet with this text."""
        if not self._left:
            return False
        self._left[0] -= _letters(snippet)
        if self._left[0] > SPELLING and snippet:
            return False
        self._left.popleft()
        return True


def _letters(text: str) -> int:
    return sum(map(str.isalnum, text))
