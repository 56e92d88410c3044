"""Fish Audio's text to speech with word times, a websocket for each utterance.

https://docs.fish.audio/api-reference/endpoint/openapi-v1/text-to-speech-live-with-timestamps
"""

from collections.abc import Iterable
from typing import Any

from ..errors import BadResponseError, RateLimitError
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.socket_tts import SocketTTS
from ..services.vendor_values import fields, items, msgpack_bytes, msgpack_object, number, string
from ..services.voice_codec import Finished, Sound, SpokenWord, VoiceCodec, VoiceEvent
from ..services.websocket_client import Handshake, Message

__all__ = ["TTS", "VENDOR"]


class TTS(SocketTTS):
    """Fish Audio. `voice` is the id of a voice model.

    `options` are further fields of the request, such as `temperature` or `prosody={"speed": 1.1}`.
    """

    def __init__(
        self,
        model: str = "s2.1-pro",
        *,
        voice: str | None = "933563129e564b19a115bedd57b7406a",
        key: str | None = None,
        base_url: str = "wss://api.fish.audio",
        **options: object,
    ) -> None:
        super().__init__("fish", VendorKey("fish", "FISH_API_KEY", key), model)
        self._url = f"{base_url}/v1/tts/live/with-timestamp"
        self._model = model
        self._request: dict[str, Any] = {
            "text": "",
            "format": "pcm",
            "sample_rate": self.sample_rate,
            "reference_id": voice,
            "latency": "balanced",
        } | options

    async def handshake(self) -> Handshake:
        headers = {"Authorization": f"Bearer {self.key.value}", "model": self._model}
        return Handshake(self._url, headers)

    def codec(self) -> VoiceCodec:
        return FishCodec(self._request)


class FishCodec(VoiceCodec):
    """A connection, which speaks one utterance; all messages are MessagePack.

    The audio comes in chunks. Each has an alignment, which may be sent again when it is known better.
    """

    reusable = False

    def __init__(self, request: dict[str, Any]) -> None:
        self._request = request
        self._chunk: object = None
        self._told = 0  # words of the chunk

    def start(self, context: str) -> Iterable[Message]:
        return (msgpack_bytes(event="start", request=self._request),)

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (msgpack_bytes(event="text", text=text + " "), msgpack_bytes(event="flush"))

    def finish(self, context: str) -> Iterable[Message]:
        return (msgpack_bytes(event="stop"),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = msgpack_object(message)
        match told.get("event"):
            case "audio":
                if isinstance(audio := told.get("audio"), bytes):
                    yield Sound(audio)
                yield from self._words(told)
            case "finish" if told.get("reason") == "error":
                raise BadResponseError("fish: the speech ended with an error")
            case "finish":
                yield Finished()
            case "error":
                kind = RateLimitError if "max_concurrency" in told else BadResponseError
                raise kind(f"fish: {string(told.get('error'))[:200]}")
            case _:
                pass

    def _words(self, told: dict[str, Any]) -> Iterable[SpokenWord]:
        """Yield the words of a chunk that were not told before."""
        if told.get("chunk_seq") != self._chunk:
            self._chunk, self._told = told.get("chunk_seq"), 0
        offset = number(told.get("chunk_audio_offset_sec")) or 0.0
        segments = items(fields(told.get("alignment")).get("segments"))[self._told :]
        self._told += len(segments)
        for word in map(fields, segments):
            start, end = number(word.get("start")) or 0.0, number(word.get("end"))
            yield SpokenWord(string(word.get("text")), offset + start, None if end is None else offset + end)


VENDOR = Vendor(
    name="fish",
    provides={"tts": "TTS"},
    docs="https://docs.fish.audio",
    env=("FISH_API_KEY",),
    extra="services",
    default={"tts": "s2.1-pro"},
    options={"tts": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
