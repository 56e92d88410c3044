"""Inworld's speech to text, over websockets.

https://docs.inworld.ai/api-reference/sttAPI/speechtotext/transcribe-stream-websocket
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from ...services.keys import VendorKey
from ...services.recognition_codec import RecognitionCodec, RecognitionEvent, Tentative, UtteranceEnded
from ...services.socket_stt import SocketSTT
from ...services.vendor_values import fields, json_object, json_text, string
from ...services.websocket_client import Handshake, Message
from .wire import error

__all__ = ["STT"]


class STT(SocketSTT):
    """Speech to text by a model of Inworld, or by one that it hosts.

    `language` is a code such as "en-US". `options` are further fields of the configuration.
    """

    chunk = 0.1

    def __init__(
        self,
        model: str = "inworld/inworld-stt-1",
        *,
        language: str = "en-US",
        key: str | None = None,
        base_url: str = "wss://api.inworld.ai",
        **options: object,
    ) -> None:
        super().__init__("inworld", VendorKey("inworld", "INWORLD_API_KEY", key), model)
        self._url = f"{base_url}/stt/v1/transcribe:streamBidirectional"
        self._config: dict[str, Any] = {
            "modelId": model,
            "audioEncoding": "LINEAR16",
            "sampleRateHertz": self.sample_rate,
            "numberOfChannels": 1,
            "language": language,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Basic {self.key.value}"})

    def codec(self) -> RecognitionCodec:
        return BidirectionalCodec(self._config)


class BidirectionalCodec(RecognitionCodec):
    """A connection: all words of the turn each time."""

    always_answers = False

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config

    def begin(self) -> Iterable[Message]:
        return (json_text(transcribeConfig=self._config),)

    def audio(self, pcm: bytes) -> Iterable[Message]:
        return (json_text(audioChunk={"content": b64encode(pcm).decode()}),)

    def flush(self) -> Iterable[Message]:
        return (json_text(endTurn={}),)

    def end(self) -> Iterable[Message]:
        return (json_text(closeStream={}),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        if "error" in told:
            raise error(fields(told["error"]))
        heard = fields(fields(told.get("result")).get("transcription"))
        text = string(heard.get("transcript"))
        if heard.get("isFinal"):
            yield UtteranceEnded(text)
        elif text:
            yield Tentative(text)
