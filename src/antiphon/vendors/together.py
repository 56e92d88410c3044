"""Together: transcription in real time, over websockets.

https://docs.together.ai/docs/inference/transcription/streaming
"""

from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.realtime_transcription import RealtimeTranscriptionCodec
from ..services.recognition_codec import RecognitionCodec
from ..services.socket_stt import SocketSTT
from ..services.vendor_values import address
from ..services.websocket_client import Handshake

__all__ = ["STT"]

VENDOR = Vendor(
    name="together",
    provides={"stt": "STT"},
    docs="https://docs.together.ai/docs/inference/transcription/streaming",
    env="TOGETHER_API_KEY",
    extra="services",
    default={"stt": "openai/whisper-large-v3"},
    options={"stt": "language"},
)


class STT(SocketSTT):
    """Transcription in real time, by the protocol of OpenAI.

    `language` is a code such as "en"; None lets the vendor detect it.
    """

    def __init__(
        self,
        model: str = "openai/whisper-large-v3",
        *,
        language: str | None = None,
        key: str | None = None,
        base_url: str = "wss://api.together.ai/v1",
        **options: object,
    ) -> None:
        super().__init__("together", VendorKey("together", "TOGETHER_API_KEY", key))
        query = {"intent": "transcription", "model": model, "turn_detection": "none",
                 "input_audio_format": f"pcm_s16le_{self.sample_rate}", "language": language}  # fmt: skip
        self._url = address(f"{base_url}/realtime", query | options)

    async def handshake(self) -> Handshake:
        headers = {"Authorization": f"Bearer {self.key.value}", "OpenAI-Beta": "realtime=v1"}
        return Handshake(self._url, headers)

    def codec(self) -> RecognitionCodec:
        return RealtimeTranscriptionCodec("together", None, ready="session.created")
