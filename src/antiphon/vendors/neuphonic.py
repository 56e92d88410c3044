"""Neuphonic's text to speech over websockets.

https://docs.neuphonic.com/api-reference/api-reference/websocket
"""

from collections.abc import Iterable

from ..errors import BadResponseError
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.socket_tts import SocketTTS
from ..services.vendor_values import address, base64_bytes, fields, json_object, json_text, string
from ..services.voice_codec import PieceEnded, Sound, VoiceCodec, VoiceEvent
from ..services.websocket_client import Handshake, Message

__all__ = ["TTS", "VENDOR"]


class TTS(SocketTTS):
    """Neuphonic, where the voice, by its id, stands for a model.

    `options` are further parameters of the connection, such as `speed`.
    """

    sample_rate = 22050

    def __init__(
        self,
        voice: str = "8e9c4bc8-3979-48ab-8626-df53befc2090",
        *,
        language: str = "en",
        key: str | None = None,
        base_url: str = "wss://api.neuphonic.com",
        **options: object,
    ) -> None:
        super().__init__("neuphonic", VendorKey("neuphonic", "NEUPHONIC_API_KEY", key), voice)
        query = {"voice_id": voice, "lang_code": language, "encoding": "pcm_linear",
                 "sampling_rate": self.sample_rate}  # fmt: skip
        self._url = address(f"{base_url}/speak/{language}", query | options)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"x-api-key": self.key.value})

    def codec(self) -> VoiceCodec:
        return NeuphonicCodec()


class NeuphonicCodec(VoiceCodec):
    """A connection: one utterance at a time; "<STOP>" ends each piece."""

    marks_pieces = True
    ends_with_pieces = True
    keep_alive_every = 10.0

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(text=f"{text} <STOP>", context_id=context),)

    def keep_alive(self) -> Iterable[Message]:
        return (json_text(text=""),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        if told.get("type") == "error":
            raise BadResponseError(f"neuphonic: {string(told.get('message')) or str(told)[:200]}")
        data = fields(told.get("data"))
        context = string(data.get("context_id")) or None
        if audio := base64_bytes(data.get("audio")):
            yield Sound(audio, context)
        if data.get("stop"):
            yield PieceEnded(context)


VENDOR = Vendor(
    name="neuphonic",
    provides={"tts": "TTS"},
    docs="https://docs.neuphonic.com",
    env=("NEUPHONIC_API_KEY",),
    extra="services",
    default={"tts": "8e9c4bc8-3979-48ab-8626-df53befc2090"},
    checked="2026-11-30",
)
