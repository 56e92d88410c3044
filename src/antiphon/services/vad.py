"""The stage that hears when somebody speaks."""

from collections.abc import AsyncGenerator

from ..frames import Frame, SessionStarted, Signal, UserAudio
from ..processor import on
from ..stage import Channel, Stage, Work
from ..turns.vad import SpeechRules, VADSettings
from .matching import Matched, load
from .ports import VoiceActivity

__all__ = ["VAD"]


class VAD(Stage):
    """Passes the user's audio on and adds what it hears in it: SpeechStarted, -Paused, -Resumed, -Stopped."""

    def __init__(self, service: VoiceActivity, settings: VADSettings | None = None) -> None:
        self.service = service
        self.rules = SpeechRules(settings)
        self._matched = Matched(service.sample_rate)
        self._bytes = service.window * 2
        self._seconds = service.window / service.sample_rate
        self._rest = b""
        self._windows = Channel[tuple[float, bytes]](2.0, lambda window: self._seconds, "drop oldest")

    async def open(self) -> None:
        """Load the model."""
        await load(self.service)

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.run(Work(self, None, self._windows), self._detect())

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        pcm = self._rest + self._matched(frame)
        ended = frame.at / frame.sample_rate + len(frame.pcm) / 2 / frame.sample_rate
        size = self._bytes
        count = len(pcm) // size
        for index in range(count):
            behind = (len(pcm) - (index + 1) * size) / 2 / self.service.sample_rate
            self._windows.put((ended - behind, pcm[index * size : (index + 1) * size]))
        self._rest = pcm[count * size :]

    async def _detect(self) -> AsyncGenerator[Frame | Signal, None]:
        ends: list[float] = []

        async def windows() -> AsyncGenerator[bytes, None]:
            async for ended, window in self._windows:
                ends.append(ended)
                yield window

        async for probability in self.service.detect(windows()):
            ended = ends.pop(0)
            event = self.rules.feed(probability, ended - self._seconds, ended)
            if event is not None:
                yield event
