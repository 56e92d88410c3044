"""Gradium's speech to text, over websockets.

https://docs.gradium.ai/api-reference/endpoint/stt-websocket
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from ...services.http_client import stated_error
from ...services.keys import VendorKey
from ...services.recognition_codec import (
    Drained,
    Flushed,
    Ready,
    RecognitionCodec,
    RecognitionEvent,
    Settled,
)
from ...services.socket_stt import SocketSTT
from ...services.vendor_values import json_object, json_text, said_text
from ...services.websocket_client import Handshake, Message

__all__ = ["STT"]


class STT(SocketSTT):
    """Speech to text.

    `options` are further fields of its `json_config`, such as `delay_in_frames=10`.
    """

    chunk = 0.08

    def __init__(
        self,
        model: str = "default",
        *,
        language: str | None = None,
        key: str | None = None,
        base_url: str = "wss://api.gradium.ai",
        **options: object,
    ) -> None:
        super().__init__("gradium", VendorKey("gradium", "GRADIUM_API_KEY", key), model)
        self._url = f"{base_url}/api/speech/asr"
        config = ({"language": language} if language else {}) | options
        self._setup = {"model_name": model, "input_format": f"pcm_{self.sample_rate}",
                       "json_config": json_text(**config) if config else None}  # fmt: skip

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"x-api-key": self.key.value})

    def codec(self) -> RecognitionCodec:
        return StepsCodec(self._setup)


class StepsCodec(RecognitionCodec):
    """A connection: words that stay, and a step for every 80 ms.

    Words may still come after the answer to a flush; those of the next step begin another utterance.
    """

    waits_for_ready = True

    def __init__(self, setup: dict[str, Any]) -> None:
        self._setup = setup
        self._flushed = False
        self._flushes = 0

    def begin(self) -> Iterable[Message]:
        return (json_text(type="setup", **self._setup),)

    def audio(self, pcm: bytes) -> Iterable[Message]:
        return (json_text(type="audio", audio=b64encode(pcm).decode()),)

    def flush(self) -> Iterable[Message]:
        self._flushes += 1
        return (json_text(type="flush", flush_id=str(self._flushes)),)

    def end(self) -> Iterable[Message]:
        return (json_text(type="end_of_stream"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("type"):
            case "ready":
                yield Ready()
            case "text":
                yield Settled(said_text(told.get("text")))
            case "flushed":
                self._flushed = True
            case "step" if self._flushed:
                self._flushed = False
                yield Flushed()
            case "end_of_stream":
                yield Drained()
            case "error":
                raise stated_error("gradium", told.get("code"), told.get("message"), "GRADIUM_API_KEY")
            case _:
                pass
