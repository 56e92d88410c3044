"""Speech to text by a plugin of LiveKit."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import aclosing
from importlib import import_module
from typing import Any

from ...services.keys import VendorKey
from ...services.ports import AudioChunk, Flush, Recognized, SpeechToText, TurnHint
from ...services.recognition_codec import (
    Flushed,
    RecognitionCodec,
    RecognitionEvent,
    Settled,
    Tentative,
    UtteranceEnded,
)
from ...services.socket_stt import SocketSTT
from ...services.vendor_values import string
from ...services.websocket_client import Message
from .plugin import Plugin, PluginService, PluginSocket

RATE = 16000
FLUSH, END = "flush", "end"
NEWS = RATE * 2  # bytes of audio after the end of an utterance in which a flush brings nothing new
LONGEST = 120 * RATE * 2  # bytes of one utterance; what is older is left out


class STT(PluginService, SpeechToText):
    """A plugin: "deepgram", "deepgram/nova-3" with its parameters, or its object."""

    sample_rate = RATE
    port = "STT"

    @property
    def segmented(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """True for a plugin that takes whole recordings."""
        return not self._plugin.object.capabilities.streaming

    async def transcribe(
        self, audio: AsyncIterator[AudioChunk | Flush]
    ) -> AsyncGenerator[Recognized | TurnHint]:
        """Transcribe one conversation."""
        await self.open()
        heard = self._recognize(audio) if self.segmented else _Streaming(self._plugin).transcribe(audio)
        async with aclosing(heard) as items:
            async for item in items:
                yield item

    async def _recognize(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[Recognized]:
        heard, asked, words = bytearray(), True, ("", None)
        async for item in audio:
            if isinstance(item, AudioChunk):
                heard += item.pcm
                del heard[: max(0, len(heard) - LONGEST)]
                asked = asked and not item.pcm
                continue
            if not asked:
                asked, words = True, await self._ask(bytes(heard))
            yield Recognized(words[0], item.final, words[1])
            if item.final:
                heard.clear()
                asked, words = True, ("", None)

    async def _ask(self, pcm: bytes) -> tuple[str, str | None]:
        return _words(await self._plugin.ask(self._plugin.object.recognize, buffer=_frame(pcm)))


class _Streaming(SocketSTT):
    """A plugin that hears while it is spoken, by the driver for websockets."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin.vendor, VendorKey(plugin.vendor, None))
        self._plugin = plugin

    async def open(self) -> None:
        await self._plugin.open()

    async def connect(self, codec: RecognitionCodec) -> PluginSocket:
        return PluginSocket(self.vendor, self._plugin.begin(self._plugin.object.stream), _push)

    def codec(self) -> RecognitionCodec:
        return _SpeechEvents(flushes=getattr(self._plugin.object.capabilities, "manual_flush", False))


def _push(stream: Any, message: Message) -> None:
    match message:
        case bytes():
            stream.push_frame(_frame(message))
        case "flush":
            stream.flush()
        case _:
            stream.end_input()


class _SpeechEvents(RecognitionCodec):
    """The events of a stream.

    After a flush the first final words are its answer: nothing says that there were none. A plugin that
    cannot be flushed is given silence.
    """

    always_answers = False

    def __init__(self, *, flushes: bool) -> None:
        self.ended_by_silence = 0.0 if flushes else 1.0
        self._asked = False
        self._since_end = NEWS

    def audio(self, pcm: bytes) -> Iterable[Message]:
        self._since_end += len(pcm)
        return (pcm,)

    def flush(self) -> Iterable[Message]:
        if self._since_end < NEWS:
            return ()  # the vendor has ended the utterance by itself
        self._asked = True
        return (FLUSH,)

    def end(self) -> Iterable[Message]:
        return (END,)

    def read(self, message: Any) -> Iterable[RecognitionEvent]:
        text, language = _words(message)
        match message.type.value:
            case "interim_transcript" | "preflight_transcript":
                self._since_end = NEWS
                yield Tentative(text)
            case "final_transcript":
                self._since_end = NEWS
                yield Settled(text, language=language)
                if self._asked:
                    self._asked = False
                    yield Flushed()
            case "end_of_speech":
                self._since_end, self._asked = 0, False
                yield UtteranceEnded()
            case _:
                pass


def _frame(pcm: bytes) -> Any:
    """Return samples as a frame of LiveKit."""
    return import_module("livekit.rtc").AudioFrame(pcm, RATE, 1, len(pcm) // 2)


def _words(event: Any) -> tuple[str, str | None]:
    """Return the likeliest words of an event, and their language."""
    for heard in event.alternatives:
        return string(heard.text).strip(), string(heard.language) or None
    return "", None
