"""Agents for the tests of workers: a session is lines of text, and what the user says is done."""

import asyncio
import ctypes
import mmap
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from antiphon import Agent, Speaking
from antiphon.context import Context, UserSaid
from antiphon.errors import UsageError
from antiphon.frames import ReplyEnded, ToolCall, UserText
from antiphon.observers import Observer
from antiphon.processor import Processor, on
from antiphon.server import session_transport
from antiphon.server.port import Opening
from antiphon.server.settings import ServerSettings
from antiphon.services.ports import LanguageModel, TextDelta, TokenUsage
from antiphon.telemetry.latency import Latency
from antiphon.testing.scripted import ScriptedSTT, ScriptedTTS
from antiphon.transports.wire import Wire

HELD: list[object] = []


class TextInput(Processor):
    """What the far end writes is what the user says."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def open(self) -> None:
        """Begin to read."""
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        """Read no more."""
        self._reading.cancel()
        await self._wire.close(1000, "the end")

    async def _read(self) -> None:
        while (message := await self._wire.receive()) is not None:
            self.push(UserText(str(message)))
        await self.session.cancel("the caller hung up")


class TextOutput(Processor):
    """What the agent has said is written to the far end."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @on(ReplyEnded)
    def ended(self, signal: ReplyEnded) -> None:
        """A reply is over."""
        if not signal.speculative:
            self._wire.send(signal.text or "nothing")


class Lines:
    """Lines of text as a transport."""

    sample_rate = 8000
    lead = 0.0
    observers: Sequence[Observer] = ()

    def __init__(self, wire: Wire) -> None:
        self.input, self.output = TextInput(wire), TextOutput(wire)

    async def offer(self, request: Mapping[str, Any]) -> Mapping[str, str]:
        """Anything."""
        return {"sdp": f"answer to {request['sdp']}", "type": "answer", "pc_id": "pc"}

    async def candidates(self, request: Mapping[str, Any]) -> object:
        """None are wanted."""
        raise UsageError("no candidates today")


class Silent:
    """The far end of a session without a wire."""

    async def receive(self) -> bytes | str | None:
        """Nothing ever comes."""
        return await asyncio.get_running_loop().create_future()

    def send(self, message: bytes | str) -> None:
        """It goes nowhere."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Nothing."""


async def make(
    opening: Opening, wire: Wire | None, settings: ServerSettings, ringing: object = None
) -> session_transport.SessionTransport:
    """The transport of these tests, whatever is asked for."""
    latency = Latency()
    lines = Lines(wire or Silent())
    return session_transport.SessionTransport(lines, opening, latency, [latency], negotiator=lines)


session_transport.make = make


def hoard() -> str:
    """Take memory in the usual way."""
    HELD.append(bytearray(1 << 30))
    return "it is mine"


def share() -> str:
    """Take memory that no limit of the process counts."""
    block = mmap.mmap(-1, 200 << 20)
    for at in range(0, len(block), mmap.PAGESIZE):
        block[at] = 1
    HELD.append(block)
    return "it is ours"


def burn() -> str:
    """Take the processor for a while, but not all of the event loop."""

    async def turn() -> None:
        while True:
            sum(range(200_000))
            await asyncio.sleep(0)

    HELD.append(asyncio.ensure_future(turn()))
    return "warm"


def block() -> str:
    """Let nothing else happen."""
    time.sleep(1000)
    return "done"


def leave(status: int = 3) -> str:
    """End the process."""
    os._exit(status)


ORDERS: dict[str, Callable[[], str]] = {
    "pid": lambda: str(os.getpid()),
    "leave": leave,
    "crash": lambda: str(ctypes.string_at(0)),
    "hoard": hoard,
    "share": share,
    "burn": burn,
    "block": block,
    "child": lambda: str(subprocess.Popen(["sleep", "1000"]).pid),
    "daemon": lambda: str(subprocess.Popen(["sleep", "1"], start_new_session=True).pid),
    "nice": lambda: str(os.getpriority(os.PRIO_PROCESS, 0)),
    "keys": lambda: " ".join(sorted(name for name in os.environ if "KEYS" in name)) or "none",
    "random": lambda: str(__import__("numpy").random.random()),
}


class Obedient(LanguageModel):
    """A language model that does what the user says."""

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """The order's result, or an echo."""
        last = context.entries[-1]
        said = last.text if isinstance(last, UserSaid) else ""
        yield TextDelta(ORDERS[said]() if said in ORDERS else f"you said {said}")


class Shared(Obedient):
    """The same in the process that holds the models, as if it could not be forked."""

    resident = True


def obedient(llm: Obedient) -> Agent:
    """An agent of text."""
    return Agent(
        "You obey.",
        stt=ScriptedSTT([]),
        llm=llm,
        tts=ScriptedTTS(first=0, rate=1e5, sample_rate=8000),
        vad=None,
        eot=None,
        speaking=Speaking(timing=None),
    )


async def made(opening: Opening) -> Agent:
    """An agent that is made when it is asked for."""
    if opening.body == "broken":
        raise ValueError("this agent cannot be made")
    return obedient(Obedient())


agents = {"obedient": obedient(Obedient()), "shared": obedient(Shared()), "made": made}
