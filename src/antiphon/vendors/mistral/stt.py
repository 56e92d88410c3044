"""Mistral's speech to text, Voxtral, over websockets.

https://docs.mistral.ai/studio/audio/speech-to-text/transcribe-in-realtime
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import UnavailableError
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
from ...services.vendor_values import address, fields, json_object, json_text, said_text, string
from ...services.websocket_client import Handshake, Message

__all__ = ["STT"]


class STT(SocketSTT):
    """Voxtral.

    `language` is a code such as "en"; None lets the vendor detect it. `options` are further fields of the
    session, such as `target_streaming_delay_ms=240`.
    """

    chunk = 0.1

    def __init__(
        self,
        model: str = "voxtral-mini-transcribe-realtime-2602",
        *,
        language: str | None = None,
        keyterms: Sequence[str] = (),
        key: str | None = None,
        base_url: str = "wss://api.mistral.ai",
        **options: object,
    ) -> None:
        super().__init__("mistral", VendorKey("mistral", "MISTRAL_API_KEY", key), model)
        self._url = address(f"{base_url}/v1/audio/transcriptions/realtime", {"model": model})
        audio = {"encoding": "pcm_s16le", "sample_rate": self.sample_rate}
        given = {"language": language, "context_bias": [*keyterms] or None} | options
        self._session = {"audio_format": audio} | {k: v for k, v in given.items() if v is not None}

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> RecognitionCodec:
        return VoxtralCodec(self._session)


class VoxtralCodec(RecognitionCodec):
    """A connection: characters as they come, and all of the utterance after a flush."""

    waits_for_greeting = True
    waits_for_ready = True

    def __init__(self, session: dict[str, Any]) -> None:
        self._session = session
        self._flushes = 0
        self._ending = False

    def begin(self) -> Iterable[Message]:
        return (json_text(type="session.update", session=self._session),)

    def audio(self, pcm: bytes) -> Iterable[Message]:
        return (json_text(type="input_audio.append", audio=b64encode(pcm).decode()),)

    def flush(self) -> Iterable[Message]:
        self._flushes += 1
        return (json_text(type="input_audio.flush"),)

    def end(self) -> Iterable[Message]:
        self._ending = True
        return (json_text(type="input_audio.end"),)

    def read(self, message: Message) -> Iterable[RecognitionEvent]:
        told = json_object(message)
        match told.get("type"):
            case "session.updated":
                yield Ready()
            case "transcription.text.delta":
                yield Settled(said_text(told.get("text")), joint="")
            case "transcription.done" if self._flushes:
                self._flushes -= 1
                yield Flushed(said_text(told.get("text")), string(told.get("language")) or None)
            case "transcription.done" if self._ending:
                yield Drained()
            case "error":
                error = fields(told.get("error"))
                raise UnavailableError(f"mistral: {error.get('code')}: {str(error.get('message'))[:200]}")
            case _:
                pass
