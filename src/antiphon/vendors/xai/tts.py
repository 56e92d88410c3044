"""xAI's text to speech over websockets.

https://docs.x.ai/developers/model-capabilities/audio/text-to-speech
"""

from collections.abc import Iterable

from ...errors import BadResponseError
from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.timed_words import TimedCharacters
from ...services.vendor_values import address, base64_bytes, json_object, json_text, string
from ...services.voice_codec import Finished, PieceEnded, Sound, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message

__all__ = ["TTS"]


class TTS(SocketTTS):
    """Grok's voices. A voice stands for a model, of which there is one.

    `options` are further parameters of the connection, such as `speed`.
    """

    def __init__(
        self,
        voice: str = "eve",
        *,
        language: str = "auto",
        key: str | None = None,
        base_url: str = "wss://api.x.ai",
        **options: object,
    ) -> None:
        super().__init__("xai", VendorKey("xai", "XAI_API_KEY", key), voice)
        query = {"voice": voice, "language": language, "codec": "pcm", "sample_rate": self.sample_rate,
                 "with_timestamps": True}  # fmt: skip
        self._url = address(f"{base_url}/v1/tts", query | options)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return XaiCodec()


class XaiCodec(VoiceCodec):
    """A connection: one utterance at a time; "text.done" makes the vendor speak."""

    marks_pieces = True
    ends_with_pieces = True
    times_restart = True

    def __init__(self) -> None:
        self._characters = TimedCharacters()
        self._clearing = False

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(type="text.delta", delta=text + " "), json_text(type="text.done"))

    def cancel(self, context: str) -> Iterable[Message]:
        self._clearing = True
        return (json_text(type="text.clear"),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        match told.get("type"):
            case "audio.delta":
                if audio := base64_bytes(told.get("delta")):
                    yield Sound(audio)
                yield from self._characters.graph(told.get("audio_timestamps"))
            case "audio.done" if not self._clearing:
                yield from self._characters.end()
                yield PieceEnded()
            case "audio.clear":
                self._clearing = False
                self._characters = TimedCharacters()
                yield Finished()
            case "error":
                raise BadResponseError(
                    f"xai: {(string(told.get('message')) or string(told.get('error')))[:200]}"
                )
            case _:
                pass
