"""How does an Antiphon agent with the local models answer a `line`? As shipped, with no setting changed."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from antiphon import Agent
from antiphon.frames import AgentAudio, Frame, SessionStarted, Signal, UserAudio
from antiphon.processor import Processor, on
from antiphon.stage import Stage, Work
from antiphon.telemetry.latency import Latency

from .callers import HZ, INSTRUCTIONS
from .line import Ear, FrameworkCall, serve

RATE_OUT = 24_000


class LineIn(Stage):
    """The first part: the caller's packets."""

    def __init__(self) -> None:
        self._packets: asyncio.Queue[bytes] = asyncio.Queue()
        self.hear = self._packets.put_nowait

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.run(Work(self), self._read())

    async def _read(self) -> AsyncGenerator[Frame | Signal, None]:
        at = 0
        while True:
            pcm = await self._packets.get()
            yield UserAudio(pcm, HZ, at)
            at += len(pcm) // 2


class LineOut(Processor):
    """The last part: the agent's audio, paced by playout as for any transport."""

    def __init__(self, ear: Ear) -> None:
        self.ear = ear

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        self.ear.heard(frame.pcm, frame.sample_rate)


class LineTransport:
    """The transport between a `line` and a session."""

    sample_rate = RATE_OUT
    lead = 0.0
    observers = ()

    def __init__(self, ear: Ear) -> None:
        self.input, self.output = LineIn(), LineOut(ear)


class AntiphonCall(FrameworkCall):
    """A session on a line."""

    def __init__(self, transport: LineTransport, latency: Latency) -> None:
        self._line = transport.input
        self._latency = latency

    def hear(self, packet: bytes) -> None:
        self._line.hear(packet)

    def transcript(self) -> str:
        return " ".join(turn.user for turn in self._latency.turns)

    def parts_ms(self) -> dict[str, float] | None:
        answered = [parts for turn in self._latency.turns if (parts := turn.parts)]
        return {part: 1000 * seconds for part, seconds in answered[-1].items()} if answered else None


class AntiphonAgent:
    """An agent with the default models."""

    def __init__(self) -> None:
        self.agent = Agent(INSTRUCTIONS)

    async def load(self) -> None:
        await self.agent.open()

    @asynccontextmanager
    async def call(self, ear: Ear) -> AsyncGenerator[FrameworkCall, None]:
        transport, latency = LineTransport(ear), Latency()
        session = self.agent.session(transport, observers=[latency])
        await session.start()
        try:
            yield AntiphonCall(transport, latency)
        finally:
            await session.cancel()


if __name__ == "__main__":
    serve(AntiphonAgent())
