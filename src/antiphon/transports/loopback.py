"""A transport for tests: audio is handed in by calls, and what the agent says is kept."""

from collections.abc import Sequence

from ..frames import AgentAudio, Interrupted, UserAudio
from ..observers import Observer
from ..processor import Processor, on

__all__ = ["Loopback"]


class _Input(Processor):
    """Where audio comes in."""


class _Output(Processor):
    def __init__(self) -> None:
        self.spoken: list[AgentAudio] = []
        self.cleared: list[float] = []

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        self.spoken.append(frame)
        self.push(frame)

    @on(Interrupted)
    def clear(self, signal: Interrupted) -> None:
        self.cleared.append(self.session.now)


class Loopback:
    """Put audio in with `hear` or `speak`, and look at what the agent said, piece by piece as it was due."""

    lead = 0.0
    observers: Sequence[Observer] = ()

    def __init__(self, sample_rate: int = 24000, *, input_rate: int = 16000) -> None:
        self.sample_rate = sample_rate
        self.input_rate = input_rate
        self.input = _Input()
        self.output = _Output()
        self._at = 0

    @property
    def spoken(self) -> list[AgentAudio]:
        """What the agent has said so far."""
        return self.output.spoken

    @property
    def cleared(self) -> list[float]:
        """When the transport was told to forget what it holds."""
        return self.output.cleared

    def hear(self, pcm: bytes) -> None:
        """The microphone's next samples, mono 16-bit at `input_rate`."""
        self.input.push(UserAudio(pcm, self.input_rate, self._at))
        self._at += len(pcm) // 2

    async def speak(self, pcm: bytes) -> None:
        """Hear audio in pieces of 20 ms, each at its time."""
        size = self.input_rate // 50 * 2
        for begun in range(0, len(pcm), size):
            await self.input.session.clock.sleep(0.02)
            self.hear(pcm[begun : begun + size])
