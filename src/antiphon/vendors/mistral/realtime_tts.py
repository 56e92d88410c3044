"""Mistral's text to speech in real time, Voxtral, over websockets.

https://docs.mistral.ai/studio/audio/text-to-speech/speak-in-realtime
"""

from collections.abc import Iterable
from typing import Any

from ...services.http_client import stated_error
from ...services.keys import VendorKey
from ...services.pcm_reader import FloatPcmReader
from ...services.socket_tts import SocketTTS
from ...services.vendor_values import address, base64_bytes, fields, json_object, json_text
from ...services.voice_codec import MessagesDue, PieceEnded, Sound, VoiceCodec, VoiceEvent, VoiceReady
from ...services.websocket_client import Handshake, Message

__all__ = ["RealtimeVoice"]


class RealtimeVoice(SocketTTS):
    """Voxtral in real time. `voice` is an id.

    `options` are further fields of the session, such as `expressiveness` or `streaming_mode`.
    """

    def __init__(
        self,
        model: str = "voxtral-mini-tts-3",
        *,
        voice: str = "voice_478",
        key: str | None = None,
        base_url: str = "wss://api.mistral.ai",
        **options: object,
    ) -> None:
        super().__init__("mistral", VendorKey("mistral", "MISTRAL_API_KEY", key), model)
        self._url = address(f"{base_url}/v1/audio/speech/realtime", {"model": model})
        self._session: dict[str, Any] = {"voice": voice, "response_format": "pcm"} | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return GenerationsCodec(self._session)


class GenerationsCodec(VoiceCodec):
    """A connection: one utterance at a time, of which each piece is a generation."""

    waits_for_ready = True
    marks_pieces = True
    ends_with_pieces = True

    def __init__(self, session: dict[str, Any]) -> None:
        self._session = session
        self._samples = FloatPcmReader()  # what the vendor calls "pcm" are 32-bit floats

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(type="input_text.append", text=text), json_text(type="input_text.flush"))

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        match told.get("type"):
            case "session.created":
                yield MessagesDue((json_text(type="session.update", session=self._session),))
            case "session.updated":
                yield VoiceReady()
            case "speech.audio.delta":
                yield Sound(self._samples.feed(base64_bytes(told.get("audio_data"))))
            case "speech.audio.done":
                self._samples = FloatPcmReader()
                yield PieceEnded()
            case "error":
                error = fields(told.get("error"))
                said = f"{error.get('code')}: {error.get('message')}"
                raise stated_error("mistral", error.get("code"), said, "MISTRAL_API_KEY")
            case _:
                pass
