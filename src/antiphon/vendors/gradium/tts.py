"""Gradium's text to speech over websockets.

https://docs.gradium.ai/api-reference/endpoint/tts-websocket
"""

from collections.abc import Iterable
from typing import Any

from ...errors import AuthenticationError, TheyErred
from ...services.http_client import stated_error
from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.vendor_values import base64_bytes, json_object, json_text, number, string
from ...services.voice_codec import Finished, Sound, SpokenWord, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message

__all__ = ["TTS"]


class TTS(SocketTTS):
    """Gradium. `voice` is the id of a voice; `options` are further fields of a setup."""

    def __init__(
        self,
        model: str = "default",
        *,
        voice: str = "_6Aslh2DxfmnRLmP",
        key: str | None = None,
        base_url: str = "wss://api.gradium.ai",
        **options: object,
    ) -> None:
        super().__init__("gradium", VendorKey("gradium", "GRADIUM_API_KEY", key), model)
        self._url = f"{base_url}/api/speech/tts"
        self._setup: dict[str, Any] = {
            "model_name": model,
            "voice_id": voice,
            "output_format": f"pcm_{self.sample_rate}",
            "close_ws_on_eos": False,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"x-api-key": self.key.value})

    def codec(self) -> VoiceCodec:
        return GradiumCodec(self._setup)


class GradiumCodec(VoiceCodec):
    """A connection: one utterance at a time, which the vendor cannot stop."""

    def __init__(self, setup: dict[str, Any]) -> None:
        self._setup = setup

    def start(self, context: str) -> Iterable[Message]:
        return (json_text(type="setup", client_req_id=context, **self._setup),)

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(type="text", client_req_id=context, text=text + " "),)

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(type="end_of_stream", client_req_id=context),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        context = string(told.get("client_req_id")) or None
        match told.get("type"):
            case "audio":
                yield Sound(base64_bytes(told.get("audio")), context)
            case "text":
                start, end = number(told.get("start_s")) or 0.0, number(told.get("stop_s"))
                for place, word in enumerate(string(told.get("text")).split()):
                    yield SpokenWord(word, start if place == 0 else end or start, end, context)
            case "end_of_stream":
                yield Finished(context)
            case "error":
                raise stated_error("gradium", told.get("code"), told.get("message"), "GRADIUM_API_KEY")
            case _:
                pass

    def closed(self, code: int, reason: str) -> TheyErred | None:
        return AuthenticationError(f"gradium: {reason[:200]}") if code == 1008 else None
