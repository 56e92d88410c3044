"""A vendor with a voice over a websocket: a codec reads its messages, the driver does all else."""

from collections.abc import Iterable

from antiphon.services.http_client import stated_error
from antiphon.services.keys import VendorKey
from antiphon.services.ports import Vendor
from antiphon.services.socket_tts import SocketTTS
from antiphon.services.vendor_values import address, json_object, json_text
from antiphon.services.voice_codec import Finished, PieceEnded, Sound, VoiceCodec, VoiceEvent
from antiphon.services.websocket_client import Handshake, Message

KEY = "GRAMOPHONE_API_KEY"


class Gramophone(SocketTTS):
    """The voices of a vendor that does not exist."""

    def __init__(
        self,
        model: str = "shellac",
        *,
        voice: str = "nipper",
        key: str | None = None,
        base_url: str = "wss://api.gramophone.example",
    ) -> None:
        super().__init__("gramophone", VendorKey("gramophone", KEY, key))
        query = {"model": model, "voice": voice, "sample_rate": self.sample_rate}
        self._url = address(f"{base_url}/v1/speak", query)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return GramophoneCodec()


class GramophoneCodec(VoiceCodec):
    """A connection: one utterance at a time, in which each piece is flushed."""

    marks_pieces = True

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(type="text", text=text), json_text(type="flush"))

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(type="end"),)

    def cancel(self, context: str) -> Iterable[Message]:
        return (json_text(type="clear"),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        if isinstance(message, bytes):
            yield Sound(message)
            return
        told = json_object(message)
        match told.get("type"):
            case "flushed":
                yield PieceEnded()
            case "ended" | "cleared":
                yield Finished()
            case "error":
                raise stated_error("gramophone", told.get("status"), told.get("message"), KEY)
            case _:
                pass


VENDOR = Vendor(
    name="gramophone",
    provides={"tts": "Gramophone"},
    docs="https://en.wikipedia.org/wiki/Phonograph",
    env=(KEY,),
    extra="services",
    default={"tts": "shellac"},
    options={"tts": "voice"},
)
