"""Calls between a recorded caller and an agent: shown, measured, recorded."""

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
from ..telemetry.cost import Costs
from ..telemetry.latency import Latency
from ..transports.caller import Caller, CallerLine
from .screen import Screen
from .show import say

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["CALLER_HZ", "CallOutcome", "run_call"]

CALLER_HZ = 16000  # the rate that the models listen to
CALL_HZ = 24000  # the rate of the agent's voice and of the call's recording
PAUSE = 0.1  # seconds; a shorter pause neither divides speech nor ends a turn


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """The result of a finished call."""

    latency: Latency
    costs: Costs
    seconds: float


async def run_call(
    agent: AgentDefinition,
    lines: Sequence[CallerLine],
    out: "Console",
    *,
    record: Path | None = None,
    journal: Path | None = None,
    linger: float = 4.0,
    awaits: float = 0.0,
    at_most: float = 600.0,
) -> CallOutcome:
    """Play these lines (at CALLER_HZ) to the agent, and print the conversation.

    `record` is a wav file to write with both sides; `linger`, `awaits` and `at_most` are those of `Caller`.
    """
    speech = [find_speech(line.pcm, CALLER_HZ, PAUSE) for line in lines]

    def spoken() -> list[tuple[float, float]]:
        return [
            (begun + start / CALLER_HZ, begun + end / CALLER_HZ)
            for (begun, _), stretches in zip(caller.spoken, speech, strict=False)
            for start, end in stretches
        ]

    with ExitStack() as stack:
        recorder = stack.enter_context(CallRecorder(record)) if record else None
        caller = Caller(
            lines,
            CALLER_HZ,
            agent_rate=CALL_HZ,
            spoke=recorder.caller if recorder else None,
            hear=recorder.agent if recorder else None,
            linger=linger,
            awaits=awaits,
            at_most=at_most,
        )
        latency, costs = Latency(spoken), Costs()
        observers: list[Observer] = [latency, costs, stack.enter_context(Screen(out, latency))]
        written = Journal(journal) if journal is not None else None
        if written is not None:
            observers.append(written)
        session = agent.session(caller, observers=observers)
        await session.run()
    for file in (recorder, written):
        if file is not None and file.error is not None:
            say(file.error)
            latency.failures.append(str(file.error))
    return CallOutcome(latency, costs, session.now)


class CallRecorder:
    """A recorder of both sides of a call, to a stereo wav.

    If writing fails, the call continues and `error` is set.
    """

    def __init__(self, path: Path) -> None:
        self.error: AntiphonError | None = None
        self._writer = CallWriter(path, CALL_HZ)
        self._resample = Resampler(CALLER_HZ, CALL_HZ)
        self._at = 0

    def __enter__(self) -> "CallRecorder":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def caller(self, at: int, pcm: bytes) -> None:
        """Write the next audio of the caller, which has no gaps."""
        resampled = self._resample(pcm)
        self._write(self._writer.left, self._at, resampled)
        self._at += len(resampled) // 2

    def agent(self, at: int, pcm: bytes) -> None:
        """Write audio of the agent, from sample `at`."""
        self._write(self._writer.right, at, pcm)

    def _write(self, put: Callable[[int, bytes], None], at: int, pcm: bytes) -> None:
        if self.error is None:
            try:
                put(at, pcm)
            except AntiphonError as error:
                self.error = error
