"""A call between a recorded caller and an agent: held, shown, measured and written down."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..agent import AgentDefinition
from ..audio.levels import find_speech
from ..audio.resample import Resampler
from ..audio.wav import CallWriter
from ..errors import AntiphonError
from ..journal import Journal
from ..session import Observer
from ..telemetry.latency import Latency
from ..transports.caller import Caller, CallerLine
from .screen import Screen
from .show import say

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["CALLER_HZ", "CallOutcome", "hold"]

CALLER_HZ = 16000  # what the models listen to
CALL_HZ = 24000  # of the agent's voice, and of the call's wav
PAUSE = 0.1  # seconds: with a shorter pause speech goes on; a turn never ends in one


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """A call that is over."""

    latency: Latency
    seconds: float


async def hold(
    agent: AgentDefinition,
    lines: Sequence[CallerLine],
    out: "Console",
    *,
    record: Path | None = None,
    journal: Path | None = None,
    linger: float = 4.0,
    at_most: float = 600.0,
) -> CallOutcome:
    """Let a caller speak these lines, of CALLER_HZ, to the agent, and print what is said."""
    speech = [find_speech(line.pcm, CALLER_HZ, PAUSE) for line in lines]

    def spoken() -> list[tuple[float, float]]:
        return [
            (begun + start / CALLER_HZ, begun + end / CALLER_HZ)
            for (begun, _), stretches in zip(caller.spoken, speech, strict=False)
            for start, end in stretches
        ]

    with ExitStack() as stack:
        tape = stack.enter_context(CallRecorder(record)) if record else None
        caller = Caller(
            lines,
            CALLER_HZ,
            agent_rate=CALL_HZ,
            spoke=tape.caller if tape else None,
            hear=tape.agent if tape else None,
            linger=linger,
            at_most=at_most,
        )
        latency = Latency(spoken)
        observers: list[Observer] = [latency, stack.enter_context(Screen(out, latency))]
        if journal is not None:
            observers.append(Journal(journal))
        session = agent.session(caller, observers=observers)
        await session.run()
    if tape is not None and tape.broken is not None:
        say(tape.broken)
        latency.failures.append(str(tape.broken))
    return CallOutcome(latency, session.now)


class CallRecorder:
    """Writes both sides of a call to a wav; if that fails, the call goes on, and `broken` says why."""

    def __init__(self, path: Path) -> None:
        self.broken: AntiphonError | None = None
        self._writer = CallWriter(path, CALL_HZ)
        self._raise = Resampler(CALLER_HZ, CALL_HZ)
        self._at = 0

    def __enter__(self) -> "CallRecorder":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def caller(self, at: int, pcm: bytes) -> None:
        """The caller's side, which has no gaps."""
        raised = self._raise(pcm)
        self._write(self._writer.left, self._at, raised)
        self._at += len(raised) // 2

    def agent(self, at: int, pcm: bytes) -> None:
        """The agent's side."""
        self._write(self._writer.right, at, pcm)

    def _write(self, put: Callable[[int, bytes], None], at: int, pcm: bytes) -> None:
        if self.broken is None:
            try:
                put(at, pcm)
            except AntiphonError as error:
                self.broken = error
