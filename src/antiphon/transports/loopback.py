"""A transport in memory, for tests."""

from collections.abc import Sequence

from ..frames import AgentAudio, Interrupted, UserAudio
from ..observers import Observer
from ..processor import Processor, on

__all__ = ["Loopback"]


class LoopbackInput(Processor):
    """The first part, through which `Loopback.hear` pushes audio."""

    name = "_Input"  # the class's former name, which recorded journals contain


class LoopbackOutput(Processor):
    """The last part: it records the agent's audio."""

    name = "_Output"

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
    """A transport in memory, for tests.

    `hear` and `speak` push the user's audio; `spoken` holds what the agent said, as it was due.
    """

    lead = 0.0
    observers: Sequence[Observer] = ()

    def __init__(self, sample_rate: int = 24000, *, input_rate: int = 16000) -> None:
        self.sample_rate = sample_rate
        self.input_rate = input_rate
        self.input = LoopbackInput()
        self.output = LoopbackOutput()
        self._at = 0

    @property
    def spoken(self) -> list[AgentAudio]:
        """What the agent has said so far."""
        return self.output.spoken

    @property
    def cleared(self) -> list[float]:
        """The session times at which an interruption emptied the transport's buffer."""
        return self.output.cleared

    def hear(self, pcm: bytes) -> None:
        """Push the user's next samples, mono 16-bit at `input_rate`, at once."""
        self.input.push(UserAudio(pcm, self.input_rate, self._at))
        self._at += len(pcm) // 2

    async def speak(self, pcm: bytes) -> None:
        """Push audio in real time, in pieces of 20 ms."""
        size = self.input_rate // 50 * 2
        for begun in range(0, len(pcm), size):
            await self.input.session.clock.sleep(0.02)
            self.hear(pcm[begun : begun + size])
