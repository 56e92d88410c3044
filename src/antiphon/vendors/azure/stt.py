"""Azure's speech to text, over websockets.

https://learn.microsoft.com/azure/ai-services/speech-service/speech-to-text

The messages are those of Microsoft's clients; see `wire`.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import uuid4

from ...errors import UnavailableError
from ...services.keys import VendorKey, filled_in
from ...services.recognition_codec import (
    Drained,
    RecognitionCodec,
    RecognitionEvent,
    Tentative,
    UtteranceEnded,
)
from ...services.socket_stt import SocketSTT
from ...services.vendor_values import address, fields, items, json_text, string
from ...services.wav import wav
from ...services.websocket_client import Handshake, Message
from .wire import binary_message, read_message, text_message

__all__ = ["STT"]

PATH = "/speech/recognition/conversation/cognitiveservices/v1"


class STT(SocketSTT):
    """Speech to text, which ends an utterance after `endpointing` seconds of silence.

    `language` is a locale such as "en-US". The region is that of AZURE_SPEECH_REGION unless `base_url` names
    another. `options` are further parameters of the address, such as `cid` for a model of one's own.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        language: str = "en-US",
        keyterms: Sequence[str] = (),
        endpointing: float = 0.5,
        key: str | None = None,
        base_url: str = "wss://{AZURE_SPEECH_REGION}.stt.speech.microsoft.com",
        **options: object,
    ) -> None:
        super().__init__("azure", VendorKey("azure", "AZURE_SPEECH_KEY", key), model or "")
        self._base_url = base_url
        self._query = {"language": language, "format": "simple", "cid": model} | options
        self._endpointing = endpointing
        silence = {"mode": "Custom", "segmentationSilenceTimeoutMs": round(endpointing * 1000)}
        self._context: dict[str, Any] = {
            "phraseDetection": {"mode": "Conversation", "conversation": {"segmentation": silence}},
        }
        if keyterms:
            terms = [{"Text": term} for term in keyterms]
            self._context["dgi"] = {"Groups": [{"Type": "Generic", "Items": terms}]}

    async def open(self) -> None:
        """Check the key and the region."""
        self.key.check(self._base_url)
        await super().open()

    async def handshake(self) -> Handshake:
        headers = {"Ocp-Apim-Subscription-Key": self.key.value, "X-ConnectionId": uuid4().hex}
        return Handshake(address(filled_in("azure", self._base_url) + PATH, self._query), headers)

    def codec(self) -> RecognitionCodec:
        return ConversationCodec(self._context, self.sample_rate, self._endpointing)


class ConversationCodec(RecognitionCodec):
    """A connection: all words of the utterance each time."""

    lasts = 600.0

    def __init__(self, context: dict[str, Any], sample_rate: int, endpointing: float) -> None:
        self._context = context
        self._sample_rate = sample_rate
        self._request = uuid4().hex
        self._ending = False
        self.ended_by_silence = endpointing + 0.1

    def begin(self) -> Iterable[Message]:
        system = {"name": "antiphon", "version": "1", "build": "Python", "lang": "Python"}
        yield text_message("speech.config", self._request, json_text(context={"system": system}))
        yield text_message("speech.context", self._request, json_text(**self._context))
        yield binary_message("audio", self._request, wav(b"", self._sample_rate), "audio/x-wav")

    def audio(self, pcm: bytes) -> Iterable[Message]:
        return (binary_message("audio", self._request, pcm),)

    def end(self) -> Iterable[Message]:
        self._ending = True
        return self.audio(b"")

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = read_message(message)
        match told.path:
            case "speech.hypothesis" | "speech.fragment":
                yield Tentative(string(told.json.get("Text")))
            case "speech.phrase":
                yield from _phrase(told.json)
            case "turn.end" if self._ending:
                yield Drained()
            case "turn.end":
                raise UnavailableError("azure ended the turn by itself")
            case _:
                pass


def _phrase(told: dict[str, Any]) -> Iterable[RecognitionEvent]:
    match told.get("RecognitionStatus"):
        case "Success":
            best = fields(next(iter(items(told.get("NBest"))), None))
            language = string(fields(told.get("PrimaryLanguage")).get("Language"))
            yield UtteranceEnded(string(told.get("DisplayText") or best.get("Display")), language or None)
        case "NoMatch":
            yield UtteranceEnded("")
        case "Error":
            raise UnavailableError("azure could not recognize this audio")
        case _:
            pass
