"""Transports keep what their port promises, and the suite notices those that do not."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from antiphon.clock import LoopClock
from antiphon.frames import AgentAudio
from antiphon.testing import FarSide, WireClient, check_transport, run_virtual
from antiphon.transports.framing import Framing, Json, Protobuf
from antiphon.transports.loopback import Loopback
from antiphon.transports.port import Transport
from antiphon.transports.websocket import Websocket

sleep = LoopClock().sleep
"""Waits in virtual time."""


class Pieces(list[AgentAudio]):
    """What a loopback plays, with the time at which it came."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[float, float]] = []

    def append(self, frame: AgentAudio, /) -> None:
        super().append(frame)
        now = asyncio.get_running_loop().time()
        self.heard.append((now, len(frame.pcm) / 2 / frame.sample_rate))


class LoopbackSide(FarSide):
    leaves = False

    async def connect(self) -> Transport:
        self.loopback, self.pieces = Loopback(), Pieces()
        self.loopback.output.spoken = self.pieces
        return self.loopback

    async def talk(self, pcm: bytes) -> None:
        await self.loopback.speak(pcm)

    @property
    def heard(self) -> Sequence[tuple[float, float]]:
        return self.pieces.heard


class ClientSide(FarSide):
    """A client of the client protocol, on a websocket."""

    framing: type[Framing] = Protobuf

    async def connect(self) -> Transport:
        self.client = WireClient(self.framing())
        self.client.ready()
        return Websocket(self.client)

    async def talk(self, pcm: bytes) -> None:
        await self.client.talk(pcm)

    @property
    def heard(self) -> Sequence[tuple[float, float]]:
        return [(at, len(audio.pcm) / 2 / audio.sample_rate) for at, audio in self.client.heard]

    def leave(self) -> None:
        self.client.leave()


class JsonSide(ClientSide):
    framing = Json


@pytest.mark.parametrize("side", [LoopbackSide, ClientSide, JsonSide])
def test_transports_conform(side: Callable[[], FarSide]) -> None:
    run_virtual(check_transport(side))


# Those that do not -----------------------------------------------------------------------------------


class Deaf(ClientSide):
    async def talk(self, pcm: bytes) -> None:
        await sleep(len(pcm) / 32000)


class Slow(LoopbackSide):
    async def talk(self, pcm: bytes) -> None:
        await sleep(0.5)
        await super().talk(pcm)


class Mute(ClientSide):
    heard: Sequence[tuple[float, float]] = ()  # pyright: ignore[reportIncompatibleMethodOverride]


class Hoards(LoopbackSide):
    """Holds a second of audio and does not drop it."""

    async def connect(self) -> Transport:
        await super().connect()
        self.loopback.lead = 1.0
        return self.loopback


class Stays(ClientSide):
    def leave(self) -> None:
        pass


class Leaky(ClientSide):
    async def connect(self) -> Transport:
        self.task = asyncio.create_task(sleep(3600))
        return await super().connect()


@pytest.mark.parametrize(
    ("side", "wrong"),
    [
        (Deaf, "no audio of the far side came in"),
        (Slow, r"s came at \d"),
        (Mute, r"2 s were spoken, 0\.00 s came"),
        (Hoards, "must drop them"),
        (Stays, "it goes on"),
        (Leaky, "tasks were left behind"),
    ],
)
def test_what_is_wrong_is_noticed(side: Callable[[], FarSide], wrong: str) -> None:
    with pytest.raises(AssertionError, match=wrong):
        run_virtual(check_transport(side))
