"""Azure's Voice Live: a model of choice with Azure's hearing and voices.

https://learn.microsoft.com/azure/ai-services/speech-service/voice-live-how-to

The protocol is that of OpenAI's beta. With Azure's voices the vendor tells when each word is spoken, and says
given words without asking the model. Avatars and the shapes of a mouth are not used.
"""

from collections.abc import Iterable
from typing import Any

from ...services.flat_realtime import FlatRealtimeCodec
from ...services.keys import VendorKey, filled_in
from ...services.ports import Sees
from ...services.realtime_codec import CodecEvent
from ...services.realtime_vocabulary import AgentWords
from ...services.socket_realtime import SocketRealtime
from ...services.vendor_values import address, number, string
from ...services.websocket_client import Handshake, Message

__all__ = ["Realtime", "VoiceLiveCodec"]

VERSION = "2026-04-10"
LONGEST_WAIT = 20_000  # characters that wait for their times


class Realtime(SocketRealtime):
    """A model that Voice Live serves.

    `voice` is one of Azure's such as "en-US-Ava:DragonHDLatestNeural", one of OpenAI's such as "alloy" for a
    model that speaks by itself, or the vendor's object. `transcription` is "azure-speech", or for the models
    of OpenAI that hear by themselves "gpt-4o-transcribe". The key is that of the resource, which
    AZURE_FOUNDRY_RESOURCE names unless `base_url` does. `options` are further fields of the session, such as
    `input_audio_noise_reduction`.
    """

    sees: Sees = "turns"

    def __init__(
        self,
        model: str = "gpt-4.1",
        *,
        voice: str | dict[str, Any] = "en-US-AvaMultilingualNeural",
        transcription: str | None = "azure-speech",
        speaks: bool = True,
        detection_settings: dict[str, Any] | None = None,
        key: str | None = None,
        base_url: str = "wss://{AZURE_FOUNDRY_RESOURCE}.services.ai.azure.com",
        **options: Any,
    ) -> None:
        super().__init__("azure", VendorKey("azure", "AZURE_SPEECH_KEY", key), model)
        self.speaks = speaks
        self._model = model
        self._base_url = base_url
        self._detection = detection_settings or {"type": "azure_semantic_vad"}
        if isinstance(voice, str):
            voice = {"type": "azure-standard" if "-" in voice else "openai", "name": voice}
        self._settings: dict[str, Any] = {
            "modalities": ["text", "audio"] if speaks else ["text"],
            "voice": voice,
            "input_audio_format": "pcm16",
            "output_audio_format": "pcm16",
            "input_audio_sampling_rate": self.input_rate,
        }
        if transcription is not None:
            self._settings["input_audio_transcription"] = {"model": transcription}
        if speaks and voice["type"] != "openai":
            self._settings["output_audio_timestamp_types"] = ["word"]
        self._settings |= options

    async def open(self) -> None:
        """Check the key and the resource."""
        self.key.check(self._base_url)
        await super().open()

    async def handshake(self, handle: str | None) -> Handshake:
        url = f"{filled_in('azure', self._base_url)}/voice-live/realtime"
        query = {"api-version": VERSION, "model": self._model}
        return Handshake(address(url, query), {"api-key": self.key.value})

    def codec(self, detects: bool, handle: str | None) -> "VoiceLiveCodec":
        return VoiceLiveCodec(
            "azure", self._settings | {"turn_detection": self._detection if detects else None}
        )


class VoiceLiveCodec(FlatRealtimeCodec):
    """A connection. Words wait for their times, if there are any."""

    lasts = 1800.0

    def __init__(self, vendor: str, settings: dict[str, Any]) -> None:
        super().__init__(vendor, settings)
        self._times = bool(settings.get("output_audio_timestamp_types"))
        self._text = ""  # of the response, that has no times yet
        self._until = 0.0  # seconds into its voice until which the words before were spoken

    def say(self, text: str) -> Iterable[Message]:
        message = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": text}]}
        return (self.create(pre_generated_assistant_message=message),)

    def says(self, words: str, *, spoken: bool) -> Iterable[CodecEvent]:
        if not (spoken and self._times):
            yield from super().says(words, spoken=spoken)
            return
        self._text += words
        if len(self._text) > LONGEST_WAIT:
            yield from self._rest()

    def responds(self, kind: str, told: dict[str, Any]) -> Iterable[CodecEvent]:
        if kind == "response.audio_timestamp.delta":
            times = (number(told.get("audio_offset_ms")), number(told.get("audio_duration_ms")))
            self._until = max(self._until, sum(time or 0.0 for time in times) / 1000)
            if piece := self._through(string(told.get("text"))):
                yield AgentWords(piece, self._until)
        yield from super().responds(kind, told)

    def done(self, response: dict[str, Any]) -> Iterable[CodecEvent]:
        if self.output.has(string(response.get("id"))):
            yield from self._rest()
            self._until = 0.0
        yield from super().done(response)

    def _rest(self) -> Iterable[CodecEvent]:
        """Yield the words that have no times."""
        text, self._text = self._text, ""
        if text:
            yield AgentWords(text)

    def _through(self, word: str) -> str:
        """Take the text up to the end of a word, with marks right behind it."""
        if (at := self._text.casefold().find(word.strip().casefold())) < 0 or not word.strip():
            return ""
        end = at + len(word.strip())
        while end < len(self._text) and not self._text[end].isspace():
            end += 1
        piece, self._text = self._text[:end], self._text[end:]
        return piece
