"""OpenAI's models that hear and speak.

https://platform.openai.com/docs/api-reference/realtime
"""

from typing import Any

from ...errors import ConfigurationError
from ...services.keys import VendorKey
from ...services.openai_realtime import OpenAIRealtimeCodec
from ...services.ports import Sees
from ...services.socket_realtime import SocketRealtime
from ...services.vendor_values import address
from ...services.websocket_client import Handshake

__all__ = ["Realtime"]

PCM = {"type": "audio/pcm", "rate": 24000}


class Realtime(SocketRealtime):
    """gpt-realtime and its successors.

    `transcription` is the model that writes down what the user says; None writes nothing. With
    `speaks=False` it answers with text. `detection_settings` are those of the vendor's turn detection.
    `options` are further fields of the session, such as `reasoning={"effort": "low"}`.
    """

    sees: Sees = "turns"

    def __init__(
        self,
        model: str = "gpt-realtime-2.1",
        *,
        voice: str = "marin",
        transcription: str | None = "gpt-4o-mini-transcribe",
        speaks: bool = True,
        detection_settings: dict[str, Any] | None = None,
        key: str | None = None,
        base_url: str = "wss://api.openai.com/v1",
        **options: Any,
    ) -> None:
        super().__init__("openai", VendorKey("openai", "OPENAI_API_KEY", key), model)
        if model.startswith("gpt-live"):
            raise ConfigurationError(f"{model} has a protocol of its own: write openai_live/{model}")
        self.speaks = speaks
        self._url = address(f"{base_url}/realtime", {"model": model})
        self._detection = detection_settings or {"type": "semantic_vad"}
        self._audio: dict[str, Any] = {"input": {"format": PCM}, "output": {"format": PCM, "voice": voice}}
        if transcription is not None:
            self._audio["input"]["transcription"] = {"model": transcription}
        self._settings = {"model": model, "output_modalities": ["audio" if speaks else "text"], **options}

    async def handshake(self, handle: str | None) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self, detects: bool, handle: str | None) -> OpenAIRealtimeCodec:
        heard = self._audio["input"] | {"turn_detection": self._detection if detects else None}
        audio = {"audio": self._audio | {"input": heard}}
        return OpenAIRealtimeCodec("openai", self._settings | audio)
