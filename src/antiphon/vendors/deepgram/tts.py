"""Deepgram's text to speech, Aura, over websockets.

https://developers.deepgram.com/reference/text-to-speech/speak-streaming
"""

from collections.abc import Iterable

from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.vendor_values import address, json_object, json_text
from ...services.voice_codec import Finished, Sound, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message

__all__ = ["TTS"]

MOST_TEXT = 2000  # characters of one message


class TTS(SocketTTS):
    """Aura. The name of the model is that of the voice; `speed` is 1 for normal."""

    def __init__(
        self,
        model: str = "aura-2-thalia-en",
        *,
        sample_rate: int = 24000,
        speed: float | None = None,
        key: str | None = None,
        base_url: str = "wss://api.deepgram.com",
    ) -> None:
        super().__init__("deepgram", VendorKey("deepgram", "DEEPGRAM_API_KEY", key))
        self.sample_rate = sample_rate
        query = {"model": model, "encoding": "linear16", "sample_rate": sample_rate, "speed": speed}
        self._url = address(f"{base_url}/v1/speak", query)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Token {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return AuraCodec()


class AuraCodec(VoiceCodec):
    """A connection to Aura: one utterance at a time, audio in binary messages."""

    lasts = 3600.0

    def __init__(self) -> None:
        self._clearing = False

    def text(self, context: str, text: str) -> Iterable[Message]:
        for at in range(0, len(text), MOST_TEXT):
            yield json_text(type="Speak", text=text[at : at + MOST_TEXT] + " ")

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(type="Flush"),)

    def cancel(self, context: str) -> Iterable[Message]:
        self._clearing = True
        return (json_text(type="Clear"),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        if isinstance(message, bytes):
            yield Sound(message)
            return
        told = json_object(message)
        match told.get("type"):
            case "Flushed" if not self._clearing:
                yield Finished()
            case "Cleared":
                self._clearing = False
                yield Finished()
            case _:
                pass
