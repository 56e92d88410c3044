"""OpenAI's transcription: in real time, over websockets, or over HTTP.

https://platform.openai.com/docs/guides/realtime-transcription
"""

from typing import Any

from ...services.http_stt import HttpSTT, TranscriptionEndpoint
from ...services.keys import VendorKey
from ...services.realtime_transcription import RealtimeTranscriptionCodec
from ...services.recognition_codec import RecognitionCodec
from ...services.socket_stt import SocketSTT
from ...services.vendor_values import address
from ...services.websocket_client import Handshake

__all__ = ["STT", "RealtimeTranscription", "RequestedTranscription"]


def STT(  # noqa: N802  stands for two classes
    model: str = "gpt-live-transcribe", *, realtime: bool | None = None, **settings: Any
) -> "RealtimeTranscription | RequestedTranscription":
    """Make the service of a model.

    It is in real time, unless the model is "whisper-1" or `realtime` is False.
    """
    realtime = not model.startswith("whisper") if realtime is None else realtime
    return (RealtimeTranscription if realtime else RequestedTranscription)(model, **settings)


class RealtimeTranscription(SocketSTT):
    """Transcription in real time.

    `language` is a code such as "en"; None lets the vendor detect it.

    `noise_reduction` is "near_field" or "far_field"; `options` are further fields of the transcription, such
    as `prompt` or `keywords`.
    """

    sample_rate = 24000

    def __init__(
        self,
        model: str = "gpt-live-transcribe",
        *,
        language: str | None = None,
        noise_reduction: str | None = None,
        key: str | None = None,
        base_url: str = "wss://api.openai.com/v1",
        **options: object,
    ) -> None:
        super().__init__("openai", VendorKey("openai", "OPENAI_API_KEY", key), model)
        self._url = address(f"{base_url}/realtime", {"intent": "transcription"})
        self._input: dict[str, Any] = {
            "format": {"type": "audio/pcm", "rate": self.sample_rate},
            "transcription": {"model": model} | ({"language": language} if language else {}) | options,
            "noise_reduction": {"type": noise_reduction} if noise_reduction else None,
            "turn_detection": None,
        }

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> RecognitionCodec:
        session = {"type": "transcription", "audio": {"input": self._input}}
        return OpenAITranscriptionCodec(session)


class RequestedTranscription(HttpSTT):
    """Transcription of what was said, by a request for each stretch of speech.

    `language` is a code such as "en"; `options` are further fields of each request, such as `prompt`.
    """

    def __init__(
        self,
        model: str = "gpt-4o-mini-transcribe",
        *,
        language: str | None = None,
        key: str | None = None,
        base_url: str = "https://api.openai.com/v1",
        **options: Any,
    ) -> None:
        endpoint = TranscriptionEndpoint("openai", base_url, "OPENAI_API_KEY", model)
        super().__init__(model, endpoint, language=language, key=key, options=options)


class OpenAITranscriptionCodec(RealtimeTranscriptionCodec):
    """A connection."""

    waits_for_greeting = True
    lasts = 30 * 60.0

    def __init__(self, session: dict[str, Any]) -> None:
        super().__init__("openai", session, ready="session.updated")
