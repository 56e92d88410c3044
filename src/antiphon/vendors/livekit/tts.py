"""Text to speech by a plugin of LiveKit."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing
from functools import cached_property
from typing import Any

from ...errors import ConfigurationError
from ...services.http_tts import HttpTTS
from ...services.keys import VendorKey
from ...services.ports import Speech, TextToSpeech, Word
from ...services.spoken_pieces import SpeakingPace, SpokenPieces
from ...services.vendor_values import number
from .plugin import Plugin, PluginService

TIMED = "lk.timed_transcripts"  # where a frame's userdata has the words that were timed meanwhile


class TTS(PluginService, TextToSpeech):
    """A plugin: "cartesia/sonic-3" with its parameters, or its object.

    Each clause or sentence is a stream of its own, as LiveKit asks; plugins keep their connections.
    """

    port = "TTS"

    @property
    def sample_rate(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The rate that the plugin makes."""
        return self._plugin.object.sample_rate

    @cached_property
    def _pieces(self) -> "_Pieces":
        return _Pieces(self._plugin)

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word]:
        """Speak the pieces of one reply."""
        async with aclosing(self._pieces.speak(text)) as spoken:
            async for item in spoken:
                yield item


class _Pieces(HttpTTS):
    """The driver for voices that are asked for one piece after the other."""

    def __init__(self, plugin: Plugin) -> None:
        super().__init__(plugin.vendor, VendorKey(plugin.vendor, None))
        if (channels := plugin.object.num_channels) != 1:
            raise ConfigurationError(f"{plugin.vendor} speaks on {channels} channels, not one")
        self.sample_rate = plugin.object.sample_rate
        self._plugin = plugin

    async def open(self) -> None:
        await self._plugin.open()

    async def fetch(self, text: str) -> AsyncGenerator[bytes | Word]:
        """Yield the audio of a piece, and its words if the plugin tells their times."""
        pieces = SpokenPieces(self.sample_rate, SpeakingPace(), marked=True)
        pieces.add(text)
        plugin = self._plugin.object
        streams = plugin.capabilities.streaming
        whole = {} if streams else {"text": text}
        async with self._plugin.stream(plugin.stream if streams else plugin.synthesize, **whole) as stream:
            if streams:
                stream.push_text(text)
                stream.end_input()
            async for audio in stream:
                for item in _told(audio.frame, pieces):
                    yield item
        for word in pieces.finish():
            yield word


def _told(frame: Any, pieces: SpokenPieces) -> Iterator[bytes | Word]:
    """Yield what a frame of LiveKit adds."""
    for word in frame.userdata.get(TIMED, ()):
        if (start := number(word.start_time)) is not None:
            yield from pieces.word(str(word), start, number(word.end_time))
    for item in pieces.sound(frame.data.tobytes()):
        yield item.pcm if isinstance(item, Speech) else item
