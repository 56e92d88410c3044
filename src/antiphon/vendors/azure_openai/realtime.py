"""Azure's deployments of OpenAI's models that hear and speak.

https://learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio-websockets

The protocol is OpenAI's, as of general availability.
"""

from typing import Any

from ...services.keys import VendorKey, filled_in
from ...services.openai_realtime import OpenAIRealtimeCodec
from ...services.ports import Sees
from ...services.socket_realtime import SocketRealtime
from ...services.vendor_values import address
from ...services.websocket_client import Handshake

__all__ = ["AzureRealtimeCodec", "Realtime"]

PCM = {"type": "audio/pcm", "rate": 24000}


class Realtime(SocketRealtime):
    """A deployment of gpt-realtime or a successor; `model` is the deployment's name.

    The resource is that of AZURE_OPENAI_RESOURCE unless `base_url` names another. `transcription` is the
    deployment of the model that writes down what the user says; None writes nothing. A `key` that is a token
    of Entra is sent as one. The other parameters are those of OpenAI.
    """

    sees: Sees = "turns"

    def __init__(
        self,
        model: str,
        *,
        voice: str = "marin",
        transcription: str | None = "gpt-4o-mini-transcribe",
        speaks: bool = True,
        detection_settings: dict[str, Any] | None = None,
        key: str | None = None,
        base_url: str = "wss://{AZURE_OPENAI_RESOURCE}.openai.azure.com/openai/v1",
        **options: Any,
    ) -> None:
        super().__init__("azure_openai", VendorKey("azure_openai", "AZURE_OPENAI_API_KEY", key), model)
        self.speaks = speaks
        self._model = model
        self._base_url = base_url
        self._detection = detection_settings or {"type": "semantic_vad"}
        self._heard: dict[str, Any] = {"format": PCM}
        if transcription is not None:
            self._heard["transcription"] = {"model": transcription}
        self._voice = {"format": PCM, "voice": voice}
        self._settings = {"output_modalities": ["audio" if speaks else "text"], **options}

    async def open(self) -> None:
        """Check the key and the resource."""
        self.key.check(self._base_url)
        await super().open()

    async def handshake(self, handle: str | None) -> Handshake:
        url = address(f"{filled_in('azure_openai', self._base_url)}/realtime", {"model": self._model})
        key = self.key.value
        return Handshake(
            url, {"Authorization": f"Bearer {key}"} if key.startswith("eyJ") else {"api-key": key}
        )

    def codec(self, detects: bool, handle: str | None) -> OpenAIRealtimeCodec:
        heard = self._heard | {"turn_detection": self._detection if detects else None}
        audio = {"input": heard, "output": self._voice}
        return AzureRealtimeCodec("azure_openai", self._settings | {"audio": audio})


class AzureRealtimeCodec(OpenAIRealtimeCodec):
    """A connection, which Azure ends sooner than OpenAI does."""

    lasts = 1800.0
