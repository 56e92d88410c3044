"""Murf's text to speech over websockets, with several utterances on each.

https://murf.ai/api/docs/text-to-speech/web-sockets
"""

from collections.abc import Iterable
from typing import Any

from ..errors import BadResponseError
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.socket_tts import SocketTTS
from ..services.vendor_values import address, base64_bytes, json_object, json_text, string
from ..services.voice_codec import Finished, Sound, VoiceCodec, VoiceEvent
from ..services.websocket_client import Handshake, Message

__all__ = ["TTS", "VENDOR"]


class TTS(SocketTTS):
    """Murf. `voice` is the id of a voice, `language` a locale such as "en-US".

    `options` are further fields of the vendor's `voice_config`, such as `style` or `rate`.
    """

    def __init__(
        self,
        model: str = "FALCON",
        *,
        voice: str = "en-US-matthew",
        language: str | None = None,
        key: str | None = None,
        base_url: str = "wss://global.api.murf.ai",
        **options: object,
    ) -> None:
        super().__init__("murf", VendorKey("murf", "MURF_API_KEY", key), model)
        query = {"model": model, "format": "PCM", "sample_rate": self.sample_rate}
        self._url = address(f"{base_url}/v1/speech/stream-input", query)
        self._voice: dict[str, Any] = {"voice_id": voice, **options}
        if language is not None:
            self._voice["locale"] = language

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"api-key": self.key.value})

    def codec(self) -> VoiceCodec:
        return MurfCodec(self._voice)


class MurfCodec(VoiceCodec):
    """A connection: several utterances at once, each a context."""

    contexts = 10
    confirms_cancel = False
    unused_for = 150.0

    def __init__(self, voice: dict[str, Any]) -> None:
        self._settings: dict[str, Any] = {
            "voice_config": voice,
            "min_buffer_size": 3,
            "max_buffer_delay_in_ms": 0,
        }

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(**self._settings, context_id=context, text=text + " "),)

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(**self._settings, context_id=context, end=True),)

    def cancel(self, context: str) -> Iterable[Message]:
        return (json_text(context_id=context, clear=True),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        context = string(told.get("context_id")) or None
        if error := told.get("error") or told.get("error_message"):
            raise BadResponseError(f"murf: {str(error)[:200]}")
        if audio := base64_bytes(told.get("audio")):
            yield Sound(audio, context)
        if told.get("final"):
            yield Finished(context)


VENDOR = Vendor(
    name="murf",
    provides={"tts": "TTS"},
    docs="https://murf.ai/api/docs",
    env=("MURF_API_KEY",),
    extra="services",
    default={"tts": "FALCON"},
    options={"tts": "voice"},
    checked="2026-11-30",
)
