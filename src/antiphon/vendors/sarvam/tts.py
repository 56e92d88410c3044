"""Sarvam's text to speech, Bulbul, over websockets.

https://docs.sarvam.ai/api-reference-docs/text-to-speech/websocket
"""

from collections.abc import Iterable
from typing import Any

from ...services.http_client import stated_error
from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.vendor_values import address, base64_bytes, fields, json_object, json_text
from ...services.voice_codec import PieceEnded, Sound, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message

__all__ = ["TTS"]

MOST_TEXT = 2500  # characters of one message


class TTS(SocketTTS):
    """Bulbul. `voice` is the name of a speaker, `language` such as "hi-IN".

    `options` are further fields of the configuration, such as `pace`.
    """

    def __init__(
        self,
        model: str = "bulbul:v3",
        *,
        voice: str = "shubh",
        language: str = "en-IN",
        key: str | None = None,
        base_url: str = "wss://api.sarvam.ai",
        **options: object,
    ) -> None:
        super().__init__("sarvam", VendorKey("sarvam", "SARVAM_API_KEY", key), model)
        query = {"model": model, "send_completion_event": True}
        self._url = address(f"{base_url}/text-to-speech/ws", query)
        self._config: dict[str, Any] = {
            "language_code": language,
            "target_language_code": language,  # its former name, which some pages still have
            "speaker": voice,
            "speech_sample_rate": self.sample_rate,
            "output_audio_codec": "linear16",
            "min_buffer_size": 200,  # the most: below that, only a flush makes it speak
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"api-subscription-key": self.key.value})

    def codec(self) -> VoiceCodec:
        return BulbulCodec(self._config)


class BulbulCodec(VoiceCodec):
    """A connection: one utterance at a time, in which each piece is flushed."""

    marks_pieces = True
    ends_with_pieces = True
    keep_alive_every = 25.0  # the vendor closes after 60 seconds

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config

    def begin(self) -> Iterable[Message]:
        return (json_text(type="config", data=self._config),)

    def text(self, context: str, text: str) -> Iterable[Message]:
        for at in range(0, len(text), MOST_TEXT):
            yield json_text(type="text", data={"text": text[at : at + MOST_TEXT]})
        yield json_text(type="flush")

    def keep_alive(self) -> Iterable[Message]:
        return (json_text(type="ping"),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        data = fields(told.get("data"))
        match told.get("type"):
            case "audio":
                yield Sound(base64_bytes(data.get("audio")))
            case "event" if data.get("event_type") == "final":
                yield PieceEnded()
            case "error":
                raise stated_error("sarvam", data.get("code"), data.get("message"), "SARVAM_API_KEY")
            case _:
                pass
