"""Inworld's text to speech over websockets, with several utterances on each.

https://docs.inworld.ai/api-reference/ttsAPI/texttospeech/synthesize-speech-websocket
"""

from collections.abc import Iterable

from ...services.keys import VendorKey
from ...services.socket_tts import SocketTTS
from ...services.timed_words import spoken_words
from ...services.vendor_values import base64_bytes, fields, json_object, json_text, string
from ...services.voice_codec import Finished, PieceEnded, Sound, SpeechRefused, VoiceCodec, VoiceEvent
from ...services.websocket_client import Handshake, Message
from .wire import error

__all__ = ["TTS"]

MOST_TEXT = 1000  # characters of one message
NOT_FOUND = 5  # of gRPC: the context is gone already


class TTS(SocketTTS):
    """Inworld. `voice` is an id; `options` are further fields of a context."""

    def __init__(
        self,
        model: str = "inworld-tts-2",
        *,
        voice: str = "Ashley",
        language: str | None = None,
        speed: float | None = None,
        key: str | None = None,
        base_url: str = "wss://api.inworld.ai",
        **options: object,
    ) -> None:
        super().__init__("inworld", VendorKey("inworld", "INWORLD_API_KEY", key), model)
        self._url = f"{base_url}/tts/v1/voice:streamBidirectional"
        sound = {"audioEncoding": "PCM", "sampleRateHertz": self.sample_rate}
        self._settings: dict[str, object] = {
            "modelId": model,
            "voiceId": voice,
            "audioConfig": sound if speed is None else sound | {"speakingRate": speed},
            "timestampType": "WORD",
        } | options
        if language is not None:
            self._settings["language"] = language

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Basic {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return InworldCodec(self._settings)


class InworldCodec(VoiceCodec):
    """A connection: up to five contexts, in which each piece is flushed."""

    contexts = 5
    marks_pieces = True
    times_restart = True

    def __init__(self, settings: dict[str, object]) -> None:
        self._settings = settings

    def start(self, context: str) -> Iterable[Message]:
        return (json_text(create=self._settings, contextId=context),)

    def text(self, context: str, text: str) -> Iterable[Message]:
        for at in range(0, len(text), MOST_TEXT):
            sent: dict[str, object] = {"text": text[at : at + MOST_TEXT]}
            if at + MOST_TEXT >= len(text):
                sent["flush_context"] = {}
            yield json_text(send_text=sent, contextId=context)

    def finish(self, context: str) -> Iterable[Message]:
        return (json_text(close_context={}, contextId=context),)

    def cancel(self, context: str) -> Iterable[Message]:
        return self.finish(context)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        if "error" in told:
            raise error(fields(told["error"]))
        result = fields(told.get("result"))
        context = string(result.get("contextId")) or None
        status = fields(result.get("status"))
        if (code := status.get("code")) and code != NOT_FOUND:
            yield SpeechRefused(error(status), context)
        if chunk := fields(result.get("audioChunk")):
            times = fields(fields(chunk.get("timestampInfo")).get("wordAlignment"))
            starts, ends = times.get("wordStartTimeSeconds"), times.get("wordEndTimeSeconds")
            yield from spoken_words(times.get("words"), starts, ends, context)
            yield Sound(base64_bytes(chunk.get("audioContent")), context)
        if "flushCompleted" in result:
            yield PieceEnded(context)
        if "contextClosed" in result:
            yield Finished(context)
