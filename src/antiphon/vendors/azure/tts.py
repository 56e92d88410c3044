"""Azure's text to speech, over websockets.

https://learn.microsoft.com/azure/ai-services/speech-service/text-to-speech

The messages are those of Microsoft's clients; see `wire`.
"""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4
from xml.sax.saxutils import escape, quoteattr

from ...services.keys import VendorKey, filled_in
from ...services.socket_tts import SocketTTS
from ...services.vendor_values import fields, items, json_text, number, string
from ...services.voice_codec import PiecesInTurn, Sound, SpokenWord, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message
from .wire import read_message, text_message

__all__ = ["TTS"]

PATH = "/tts/cognitiveservices/websocket/v1"
NAMESPACE = "http://www.w3.org/2001/10/synthesis"
TICKS = 10_000_000  # of 100 ns in a second


class TTS(SocketTTS):
    """Text to speech; the name of the model is that of a voice.

    `prosody` are attributes of SSML such as {"rate": "+10%"}. The region is that of AZURE_SPEECH_REGION
    unless `base_url` names another.
    """

    def __init__(
        self,
        voice: str = "en-US-AvaMultilingualNeural",
        *,
        language: str | None = None,
        prosody: dict[str, str] | None = None,
        key: str | None = None,
        base_url: str = "wss://{AZURE_SPEECH_REGION}.tts.speech.microsoft.com",
    ) -> None:
        super().__init__("azure", VendorKey("azure", "AZURE_SPEECH_KEY", key), voice)
        self._base_url = base_url
        language = language or "-".join(voice.split("-")[:2])
        manner = "".join(f" {name}={quoteattr(value)}" for name, value in (prosody or {}).items())
        self._ssml = (
            f'<speak version="1.0" xmlns="{NAMESPACE}" xml:lang={quoteattr(language)}>'
            f"<voice name={quoteattr(voice)}><prosody{manner}>",
            "</prosody></voice></speak>",
        )

    async def open(self) -> None:
        """Check the key and the region."""
        self.key.check(self._base_url)
        await super().open()

    async def handshake(self) -> Handshake:
        headers = {"Ocp-Apim-Subscription-Key": self.key.value, "X-ConnectionId": uuid4().hex}
        return Handshake(filled_in("azure", self._base_url) + PATH, headers)

    def codec(self) -> VoiceCodec:
        return SynthesisCodec(self._ssml)


class SynthesisCodec(PiecesInTurn):
    """A connection: one utterance at a time, and one of its pieces, which is a turn."""

    lasts = 600.0

    def __init__(self, ssml: tuple[str, str]) -> None:
        super().__init__()
        self._ssml = ssml
        self._request: str | None = None  # of the turn that is spoken
        sound = {
            "outputFormat": "raw-24khz-16bit-mono-pcm",
            "metadataOptions": {"wordBoundaryEnabled": True, "sentenceBoundaryEnabled": False},
        }
        self._context: dict[str, Any] = {"synthesis": {"audio": sound}}

    def begin(self) -> Iterable[Message]:
        system = {"name": "antiphon", "version": "1", "build": "Python", "lang": "Python"}
        return (text_message("speech.config", uuid4().hex, json_text(context={"system": system})),)

    def piece(self, context: str, text: str) -> Iterable[Message]:
        self._request = request = uuid4().hex
        ssml = escape(text).join(self._ssml)
        return (
            text_message("synthesis.context", request, json_text(**self._context)),
            text_message("ssml", request, ssml, "application/ssml+xml"),
        )

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = read_message(message)
        if told.headers.get("x-requestid") != self._request:
            return
        match told.path:
            case "audio":
                yield Sound(told.body)
            case "audio.metadata":
                for one in map(fields, items(told.json.get("Metadata"))):
                    if one.get("Type") == "WordBoundary":
                        yield _word(fields(one.get("Data")))
            case "turn.end":
                self._request = None
                yield from self.ended()
            case _:
                pass


def _word(data: dict[str, Any]) -> SpokenWord:
    begin, length = number(data.get("Offset")) or 0.0, number(data.get("Duration")) or 0.0
    return SpokenWord(string(fields(data.get("text")).get("Text")), begin / TICKS, (begin + length) / TICKS)
