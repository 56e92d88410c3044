"""A telephone line in real time, the same for every framework: it plays a recording and times the answer.

The caller's audio goes in as packets of 20 ms of 16 kHz, each at the moment at which a microphone has
recorded it, and silence follows it. The agent's audio is taken at the last place before a network. It is laid
on a track as a device would play it: each piece when it comes, or after the piece before. One detector finds
the caller's last sound and the agent's first, so that the latency counts audible samples only.

A framework is a `Framework`, run by `serve` in a process of its own, in which it answers call after call.
Each line of JSON on its standard input is a call, {"pcm": file}; for each it prints one line of JSON, an
`Answer`.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol, TextIO

from antiphon.audio.levels import find_speech, find_speech_end, rms

from .callers import HZ

PACKET = 0.02  # seconds
LEAD = 0.3  # seconds of silence before the caller speaks
ENOUGH = 0.6  # seconds of answer that are listened to
PATIENCE = 8.0  # seconds after the caller's last sound in which an answer must begin
AUDIBLE = -50.0  # dBFS; only decides when to hang up


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one call."""

    latency_ms: float | None
    """From the caller's last audible sample to the first of the answer; None if there was none."""
    early: int
    """How often the agent began to speak before the caller was done."""
    heard: str
    """The caller's words as the agent's conversation has them."""
    cpu_ms: float
    parts_ms: dict[str, float] | None = None
    """The steps of the latency, if the framework tells them."""


class Ear:
    """Where the agent's audio goes: the caller's end of the line."""

    def __init__(self) -> None:
        self.begun = asyncio.get_running_loop().time()
        self._rate = 0
        self._track = bytearray()
        self._audible: list[tuple[float, float]] = []  # when an audible piece came, and its seconds

    def heard(self, pcm: bytes, rate: int) -> None:
        """Take a piece of the agent's audio, 16-bit mono."""
        now = asyncio.get_running_loop().time()
        self._rate = rate
        gap = round((now - self.begun) * rate) * 2 - len(self._track)
        self._track += bytes(max(0, gap)) + pcm
        if rms(pcm) > AUDIBLE:
            self._audible.append((now, len(pcm) / 2 / rate))

    def cleared(self) -> None:
        """Forget what has come but not been played: the agent was interrupted."""
        played = asyncio.get_running_loop().time() - self.begun
        del self._track[round(played * self._rate) * 2 :]

    def seconds_since(self, moment: float) -> float:
        """Return how many seconds of audible pieces have come since a moment."""
        return sum(seconds for came, seconds in self._audible if came >= moment)

    def begins(self) -> list[float]:
        """Return the moments at which the agent began to speak."""
        found = find_speech(bytes(self._track), self._rate) if self._track else []
        return [self.begun + start / self._rate for start, _ in found]


class FrameworkCall(Protocol):
    """A call that a framework has answered."""

    def hear(self, packet: bytes) -> None:
        """Take the caller's next packet."""

    def transcript(self) -> str:
        """Return the caller's words so far, as the language model gets them."""
        ...

    def parts_ms(self) -> dict[str, float] | None:
        """Return the steps of the answer's latency, or None if they are not known."""
        return None


class Framework(Protocol):
    """A framework with its models and one agent."""

    async def load(self) -> None:
        """Load the models, once."""

    def call(self, ear: Ear) -> AbstractAsyncContextManager[FrameworkCall]:
        """Answer a call: what the agent says goes to `ear`."""
        ...


def serve(framework: Framework) -> None:
    """Answer the calls on standard input until it ends."""
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not stand between the answers
    asyncio.run(_serve(framework, told))


async def _serve(framework: Framework, told: TextIO) -> None:
    await framework.load()
    _tell(told, {"ready": True})
    while (pcm := await asyncio.to_thread(_next_call)) is not None:
        _tell(told, asdict(await answer(framework, pcm)))


def _next_call() -> bytes | None:
    line = sys.stdin.readline()
    return Path(json.loads(line)["pcm"]).read_bytes() if line else None


def _tell(told: TextIO, what: dict[str, Any]) -> None:
    print(json.dumps(what), file=told, flush=True)


async def answer(framework: Framework, pcm: bytes) -> Answer:
    """Let a framework answer one call."""
    cpu = time.process_time()
    ear = Ear()
    async with framework.call(ear) as call:
        silent = await _speak(call.hear, ear, pcm)
        heard, parts, begins = call.transcript(), call.parts_ms(), ear.begins()
    latency = next((1000 * (begin - silent) for begin in begins if begin >= silent), None)
    early = sum(begin < silent for begin in begins)
    return Answer(latency, early, heard, 1000 * (time.process_time() - cpu), parts)


async def _speak(hear: Callable[[bytes], None], ear: Ear, pcm: bytes) -> float:
    """Play a recording into a line, then silence until the answer is there or overdue.

    Returns the moment of its last audible sample.
    """
    loop = asyncio.get_running_loop()
    size = int(HZ * PACKET) * 2
    audio = bytes(int(HZ * LEAD) * 2) + pcm
    begun = loop.time()
    silent = begun + LEAD + (find_speech_end(pcm, HZ) or 0) / HZ
    for number in count():
        due = begun + (number + 1) * PACKET
        await asyncio.sleep(max(0.0, due - loop.time()))
        hear(audio[number * size : (number + 1) * size].ljust(size, b"\0"))
        over = len(audio) <= (number + 1) * size
        if over and (ear.seconds_since(silent) >= ENOUGH or loop.time() > silent + PATIENCE):
            break
    return silent
