"""A websocket of any ASGI server as a wire: TestClient's, and one that does not take what is sent."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from antiphon.clock import LoopClock
from antiphon.errors import UnavailableError
from antiphon.server.asgi_wire import AsgiWire, fit
from antiphon.testing.virtual import virtual


class Peer:
    """The other side, and the server between: takes a message every `seconds`."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.got: list[Message] = []
        self.says: asyncio.Queue[Message] = asyncio.Queue()

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.close":
            self.says.put_nowait({"type": "websocket.disconnect", "code": message["code"]})
        await LoopClock().sleep(self.seconds)
        self.got.append(message)

    async def receive(self) -> Message:
        return await self.says.get()

    def say(self, **what: Any) -> None:
        self.says.put_nowait({"type": "websocket.receive"} | what)

    @property
    def closed(self) -> int | None:
        return next((message["code"] for message in self.got if message["type"] == "websocket.close"), None)


@virtual
async def test_messages_go_both_ways_in_order() -> None:
    peer = Peer()
    wire = AsgiWire(peer.receive, peer.send)
    peer.say(text="one")
    peer.say(bytes=b"two", text=None)
    peer.say(bytes=b"")
    assert [await wire.receive() for _ in range(3)] == ["one", b"two", b""]
    wire.send("three")
    wire.send(b"four")
    await wire.close(1000, "done")
    assert peer.got == [
        {"type": "websocket.send", "text": "three"},
        {"type": "websocket.send", "bytes": b"four"},
        {"type": "websocket.close", "code": 1000, "reason": "done"},
    ]
    assert await wire.receive() is None
    wire.send("five")
    await wire.close()
    assert len(peer.got) == 3


@virtual
async def test_a_reader_that_is_too_slow_is_sent_away() -> None:
    peer = Peer(seconds=0.5)
    wire = AsgiWire(peer.receive, peer.send, 1000)
    for _ in range(30):
        wire.send(b"x" * 100)
    with pytest.raises(UnavailableError, match="too slowly"):
        await wire.receive()
    await LoopClock().sleep(5)
    assert peer.closed == 1013
    assert len(peer.got) < 15


@virtual
async def test_a_reader_that_takes_nothing_holds_nobody_up() -> None:
    peer = Peer(seconds=3600)
    wire = AsgiWire(peer.receive, peer.send, 1000)
    wire.send(b"x")
    await wire.close()
    assert asyncio.get_running_loop().time() < 3


@virtual
async def test_one_that_has_gone_is_sent_nothing() -> None:
    class Gone(Peer):
        async def send(self, message: Message) -> None:
            raise OSError("gone")

    peer = Gone()
    wire = AsgiWire(peer.receive, peer.send)
    wire.send(b"x")
    await LoopClock().sleep(1)
    assert await wire.receive() is None
    wire.send(b"y")
    await wire.close()


@virtual
async def test_the_other_side_leaves() -> None:
    peer = Peer()
    wire = AsgiWire(peer.receive, peer.send)
    peer.says.put_nowait({"type": "websocket.disconnect", "code": 1001})
    assert await wire.receive() is None
    await wire.close()
    assert peer.closed is None


def test_a_reason_fits_into_its_message() -> None:
    assert fit("é" * 100) == "é" * 61
    assert fit("done") == "done"
