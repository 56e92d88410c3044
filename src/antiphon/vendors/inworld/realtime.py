"""Inworld's speech to speech: any language model with Inworld's ears and voices.

https://docs.inworld.ai/api-reference/realtimeAPI/realtime/realtime-websocket

The protocol is OpenAI's, as of general availability. The vendor does not say how long a connection may last.
"""

from typing import Any
from uuid import uuid4

from ...services.keys import VendorKey
from ...services.openai_realtime import OpenAIRealtimeCodec
from ...services.socket_realtime import SocketRealtime
from ...services.vendor_values import address
from ...services.websocket_client import Handshake

__all__ = ["InworldRealtimeCodec", "Realtime"]

PCM = {"type": "audio/pcm", "rate": 24000}


class Realtime(SocketRealtime):
    """A model such as "openai/gpt-4.1-nano", or a router of the vendor.

    `tts` is the model of the voice. `options` are further fields of the session, such as `providerData`.
    """

    def __init__(
        self,
        model: str = "openai/gpt-4.1-nano",
        *,
        voice: str = "Dennis",
        tts: str = "inworld-tts-2",
        transcription: str | None = "inworld/inworld-stt-1",
        detection_settings: dict[str, Any] | None = None,
        key: str | None = None,
        base_url: str = "wss://api.inworld.ai",
        **options: Any,
    ) -> None:
        super().__init__("inworld", VendorKey("inworld", "INWORLD_API_KEY", key), model)
        self._url = f"{base_url}/api/v1/realtime/session"
        self._detection = detection_settings or {"type": "semantic_vad"}
        self._heard: dict[str, Any] = {"format": PCM}
        if transcription is not None:
            self._heard["transcription"] = {"model": transcription}
        self._voice = {"format": PCM, "model": tts, "voice": voice}
        self._settings = {"model": model, "output_modalities": ["audio", "text"], **options}

    async def handshake(self, handle: str | None) -> Handshake:
        url = address(self._url, {"key": uuid4().hex, "protocol": "realtime"})
        return Handshake(url, {"Authorization": f"Basic {self.key.value}"})

    def codec(self, detects: bool, handle: str | None) -> OpenAIRealtimeCodec:
        heard = self._heard | {"turn_detection": self._detection if detects else None}
        return InworldRealtimeCodec(
            "inworld", self._settings | {"audio": {"input": heard, "output": self._voice}}
        )


class InworldRealtimeCodec(OpenAIRealtimeCodec):
    """A connection, which is renewed rather too soon than too late."""

    lasts = 1800.0
