"""Rime's text to speech over websockets.

https://docs.rime.ai/docs/websockets and https://docs.rime.ai/docs/websockets-segment
"""

from collections.abc import Iterable

from ..errors import BadResponseError
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.socket_tts import SocketTTS
from ..services.timed_words import spoken_words
from ..services.vendor_values import address, base64_bytes, fields, json_object, json_text, string
from ..services.voice_codec import PiecesInTurn, Sound, VoiceCodec, VoiceEvent
from ..services.websocket_client import Handshake, Message

__all__ = ["TTS", "VENDOR"]


class TTS(SocketTTS):
    """Rime. `voice` is the name of a speaker.

    `options` are further parameters of the connection, such as `temperature` or `timeScaleFactor`.
    """

    def __init__(
        self,
        model: str = "coda",
        *,
        voice: str = "lyra",
        language: str = "eng",
        key: str | None = None,
        base_url: str = "wss://users-ws.rime.ai",
        **options: object,
    ) -> None:
        super().__init__("rime", VendorKey("rime", "RIME_API_KEY", key), model)
        query = {"speaker": voice, "modelId": model, "lang": language, "audioFormat": "pcm",
                 "samplingRate": self.sample_rate, "segment": "never"}  # fmt: skip
        self._url = address(f"{base_url}/ws3", query | options)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return RimeCodec()


class RimeCodec(PiecesInTurn):
    """A connection: one utterance at a time, since "done" names none.

    Text is spoken when it is flushed. The vendor answers two flushes at once with one "done", and "clear"
    does not stop what it speaks already.
    """

    def piece(self, context: str, text: str) -> Iterable[Message]:
        return (
            json_text(text=text + " ", contextId=context),  # without a space the last dot is read aloud
            json_text(operation="flush", contextId=context),
        )

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        context = string(told.get("contextId")) or None
        match told.get("type"):
            case "chunk":
                yield Sound(base64_bytes(told.get("data")), context)
            case "timestamps":
                words = fields(told.get("word_timestamps"))
                yield from spoken_words(words.get("words"), words.get("start"), words.get("end"), context)
            case "done":
                yield from self.ended(context)
            case "error":
                raise BadResponseError(f"rime: {string(told.get('message'))[:200]}")
            case _:
                pass


VENDOR = Vendor(
    name="rime",
    provides={"tts": "TTS"},
    docs="https://docs.rime.ai/docs/websockets",
    env=("RIME_API_KEY",),
    extra="services",
    default={"tts": "coda"},
    options={"tts": "voice"},
    can={"tts": ("word times",)},
    checked="2026-11-30",
)
