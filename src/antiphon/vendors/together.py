"""Together: transcription in real time, over websockets, and voices over HTTP.

https://docs.together.ai/docs/inference/transcription/streaming
https://docs.together.ai/docs/inference/text-to-speech/streaming
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ..services.http_tts import told_events
from ..services.keys import VendorKey
from ..services.openai_speech import OpenAISpeech, SpeechEndpoint
from ..services.ports import Vendor, Word
from ..services.realtime_transcription import RealtimeTranscriptionCodec
from ..services.recognition_codec import RecognitionCodec
from ..services.socket_stt import SocketSTT
from ..services.vendor_values import address, base64_bytes
from ..services.websocket_client import Handshake

if TYPE_CHECKING:
    import httpx

__all__ = ["STT", "TTS"]

VENDOR = Vendor(
    name="together",
    provides={"stt": "STT", "tts": "TTS"},
    docs="https://docs.together.ai",
    env=("TOGETHER_API_KEY",),
    extra="services",
    default={"stt": "openai/whisper-large-v3", "tts": "canopylabs/orpheus-3b-0.1-ft"},
    options={"stt": "language", "tts": "voice"},
    languages={"stt": "99"},
    checked="2026-11-30",
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
        super().__init__("together", VendorKey("together", "TOGETHER_API_KEY", key), model)
        query = {"intent": "transcription", "model": model, "turn_detection": "none",
                 "input_audio_format": f"pcm_s16le_{self.sample_rate}", "language": language}  # fmt: skip
        self._url = address(f"{base_url}/realtime", query | options)

    async def handshake(self) -> Handshake:
        headers = {"Authorization": f"Bearer {self.key.value}", "OpenAI-Beta": "realtime=v1"}
        return Handshake(self._url, headers)

    def codec(self) -> RecognitionCodec:
        return RealtimeTranscriptionCodec("together", None, ready="session.created")


class TTS(OpenAISpeech):
    """A voice. `options` are further fields of each request, such as `language`."""

    def __init__(
        self,
        model: str = "canopylabs/orpheus-3b-0.1-ft",
        *,
        voice: str = "tara",
        key: str | None = None,
        base_url: str = "https://api.together.ai/v1",
        **options: Any,
    ) -> None:
        endpoint = SpeechEndpoint("together", base_url, "TOGETHER_API_KEY", model, voice)
        form = {"response_format": "raw", "response_encoding": "pcm_s16le", "stream": True}
        super().__init__(model, endpoint, key=key, options=form | options)

    async def audio(self, response: "httpx.Response") -> AsyncGenerator[bytes | Word]:
        async with aclosing(told_events(response)) as told:
            async for _, data in told:
                if data.get("type") == "conversation.item.audio_output.delta":
                    yield base64_bytes(data.get("delta"))
