"""Smallest's text to speech, Waves: a websocket for each utterance.

https://docs.smallest.ai/waves/api-reference
"""

from collections.abc import Iterable
from typing import Any

from ..services.http_client import stated_error
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.socket_tts import SocketTTS
from ..services.vendor_values import address, base64_bytes, fields, json_object, json_text, number, string
from ..services.voice_codec import Finished, Sound, SpokenWord, VoiceCodec, VoiceEvent
from ..services.websocket_client import Handshake, Message

__all__ = ["TTS", "VENDOR"]

IDLE = 60  # seconds without a request after which the vendor closes
BACKOFF_MS = 100  # that the vendor waits after the last audio before it says that all was spoken; else 4000


class TTS(SocketTTS):
    """Waves. `voice` is the id of a voice; `options` are further fields of each text."""

    def __init__(
        self,
        model: str = "lightning_v3.1",
        *,
        voice: str = "magnus",
        language: str = "en",
        key: str | None = None,
        base_url: str = "wss://api.smallest.ai",
        **options: object,
    ) -> None:
        super().__init__("smallest", VendorKey("smallest", "SMALLEST_API_KEY", key), model)
        self._url = address(f"{base_url}/waves/v1/tts/live", {"timeout": IDLE})
        self._request: dict[str, Any] = {
            "model": model,
            "voice_id": voice,
            "language": language,
            "sample_rate": self.sample_rate,
            "output_format": "pcm",
            "word_timestamps": True,
            "complete_backoff_ms": BACKOFF_MS,
            "flush": True,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return WavesCodec(self._request, self.sample_rate)


class WavesCodec(VoiceCodec):
    """A connection, which speaks one utterance and is closed by the vendor.

    The vendor may speak a text as a request of its own, whose times of words count from its own audio.
    """

    reusable = False
    unused_for = IDLE * 0.9

    def __init__(self, request: dict[str, Any], sample_rate: int) -> None:
        self._request = request
        self._rate = sample_rate
        self._spoken: object = None  # the vendor's name of the request that is spoken
        self._seconds = self._begun = 0.0  # of audio, and how much when that request began

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(text=text + " ", **self._request, **{"continue": True}),)

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(text="", **self._request, **{"continue": False}),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        data = fields(told.get("data"))
        if (name := told.get("request_id")) is not None and name != self._spoken:
            self._spoken, self._begun = name, self._seconds
        match told.get("status"):
            case "chunk":
                audio = base64_bytes(data.get("audio"))
                self._seconds += len(audio) / 2 / self._rate
                yield Sound(audio)
            case "word_timestamp":
                start, end = number(data.get("start")) or 0.0, number(data.get("end"))
                ended = None if end is None else self._begun + end
                yield SpokenWord(string(data.get("word")), self._begun + start, ended)
            case "complete":
                yield Finished()
            case "error":
                said = told.get("message") or fields(told.get("error")).get("message")
                raise stated_error("smallest", told.get("code"), said, "SMALLEST_API_KEY")
            case _:
                pass


VENDOR = Vendor(
    name="smallest",
    provides={"tts": "TTS"},
    docs="https://docs.smallest.ai/waves",
    env=("SMALLEST_API_KEY",),
    extra="services",
    default={"tts": "lightning_v3.1"},
    options={"tts": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
