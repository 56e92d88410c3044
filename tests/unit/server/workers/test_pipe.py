"""Messages through a pipe: whole, in order, and never more than fits."""

import asyncio
import socket
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import UnavailableError
from antiphon.server.workers.pipe import (
    BEHIND,
    BINARY,
    CLOSE,
    CONTROL,
    HEAD,
    IN_FLIGHT,
    LARGEST,
    TEXT,
    Pipe,
    PipeWire,
    decode_close,
    relay,
)
from antiphon.transports.wire import READS_TOO_SLOWLY


class Word(msgspec.Struct, tag=True):
    text: str


class Number(msgspec.Struct, tag=True):
    value: int


class End:
    """One end of a pipe and what has come out of it."""

    def __init__(self, *, waits: bool = False) -> None:
        self.control: list[Any] = []
        self.messages: list[tuple[int, bytes]] = []
        self.pipe: Pipe[Any] = Pipe[Any](
            msgspec.msgpack.Decoder(Word | Number),
            self.control.append,
            lambda kind, content: self.messages.append((kind, content)),
            waits=waits,
        )
        ENDS.append(self)


ENDS: list[End] = []
"""Those of the test that runs."""


def run(test: Coroutine[Any, Any, None]) -> None:
    async def timed() -> None:
        try:
            await asyncio.wait_for(test, 10)
        finally:
            while ENDS:
                ENDS.pop().pipe.abort("")

    asyncio.run(timed())


async def joined() -> tuple[End, End]:
    one, other = socket.socketpair()
    ends = End(), End()
    await ends[0].pipe.connect(one)
    await ends[1].pipe.connect(other)
    return ends


async def raw(*, waits: bool = False) -> tuple[End, socket.socket]:
    one, other = socket.socketpair()
    end = End(waits=waits)
    await end.pipe.connect(one)
    other.setblocking(False)
    return end, other


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([TEXT, BINARY]), st.binary(max_size=5000)), max_size=20))
def test_messages_arrive_whole_and_in_order(messages: list[tuple[int, bytes]]) -> None:
    async def test() -> None:
        here, there = await joined()
        for kind, content in messages:
            here.pipe.send(kind, content)
        here.pipe.tell(Word("last"))
        here.pipe.close()
        assert await there.pipe.gone == ""
        assert there.messages == messages
        assert there.control == [Word("last")]

    run(test())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 40), max_size=8))
def test_it_does_not_matter_in_what_pieces_bytes_come(cuts: list[int]) -> None:
    whole = (5).to_bytes(4, "big") + b"thello" + (0).to_bytes(4, "big") + b"b"

    async def test() -> None:
        end, at = End(), 0
        for size in [*cuts, len(whole)]:
            end.pipe.data_received(whole[at : at + size])
            at += size
        assert end.messages == [(TEXT, b"hello"), (BINARY, b"")]

    run(test())


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ((LARGEST + 1).to_bytes(4, "big") + b"t", "a message of"),
        (b"\0\0\0\1x.", "unknown kind"),
        (b"\0\0\0\1n.", "a malformed message"),
        (b"\0\0\0\0n", "a malformed message"),
    ],
)
def test_what_does_not_fit_ends_the_pipe(sent: bytes, reason: str) -> None:
    async def test() -> None:
        end, other = await raw()
        with other:
            other.send(sent)
            assert reason in await end.pipe.gone

    run(test())


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_raise(sent: bytes) -> None:
    async def test() -> None:
        end, other = await raw()
        other.send(sent)
        other.close()
        await end.pipe.gone

    run(test())


def test_an_end_that_does_not_read_is_let_go() -> None:
    async def test() -> None:
        end, other = await raw()
        with other:
            for _ in range(BEHIND // 100_000 + 10):
                end.pipe.send(BINARY, bytes(100_000))
            assert await end.pipe.gone == "it does not read what it is sent"
            end.pipe.send(BINARY, b"after the end")

    run(test())


def test_an_end_that_waits_is_never_far_ahead_of_the_other() -> None:
    """A server that stands still and a worker that plays on: the worker stands still as well."""

    async def test() -> None:
        end, other = await raw(waits=True)
        wire, piece, read = PipeWire(end.pipe), bytes(1000), 0

        def read_slowly() -> None:
            nonlocal read
            other.setblocking(True)
            while more := other.recv(700):
                read += len(more)

        with other, ThreadPoolExecutor(1) as server:
            reading = server.submit(read_slowly)
            for sent in range(1, 201):
                wire.send(piece)
                assert sent * (HEAD + len(piece)) - read < 4 * IN_FLIGHT
            end.pipe.close()
            await end.pipe.gone
            reading.result()
            assert read == 200 * (HEAD + len(piece))

    run(test())


def test_an_end_that_waits_is_let_go_by_the_other_ones_end() -> None:
    async def test() -> None:
        end, other = await raw(waits=True)
        other.setblocking(True)
        with ThreadPoolExecutor(1) as server:
            closing = server.submit(lambda: (other.recv(1000), other.close()))
            end.pipe.send(BINARY, bytes(1_000_000))
            closing.result()
        assert await end.pipe.gone == ""
        end.pipe.send(BINARY, b"after the end")

    run(test())


def test_a_wire_gives_what_came_and_then_its_end() -> None:
    async def test() -> None:
        here, there = await joined()
        wire = PipeWire(here.pipe)
        wire.feed(TEXT, "grüße".encode())
        wire.feed(BINARY, b"\x00\x01")
        wire.feed(TEXT, b"\xff")
        wire.feed(CLOSE, b"\x03\xe8")
        wire.feed(TEXT, b"after the end")
        assert [await wire.receive() for _ in range(5)] == ["grüße", b"\x00\x01", "\ufffd", None, None]
        wire.send("nobody hears it")
        here.pipe.close()
        await there.pipe.gone
        assert there.messages == []

    run(test())


def test_a_reader_that_is_too_slow_is_named_at_the_other_end_of_the_pipe() -> None:
    class Slow:
        async def receive(self) -> bytes | str | None:
            raise UnavailableError(READS_TOO_SLOWLY)

        def send(self, message: bytes | str) -> None: ...

        async def close(self, code: int = 1000, reason: str = "") -> None: ...

    async def test() -> None:
        here, there = await joined()
        await relay(Slow(), here.pipe)
        here.pipe.close()
        await there.pipe.gone
        wire = PipeWire(here.pipe)
        for kind, content in there.messages:
            wire.feed(kind, content)
        with pytest.raises(UnavailableError, match="too slowly"):
            await wire.receive()

    run(test())


def test_a_wire_sends_and_closes_once() -> None:
    async def test() -> None:
        here, there = await joined()
        wire = PipeWire(here.pipe)
        wire.send("text")
        wire.send(b"bytes")
        await wire.close(4000, "enough")
        await wire.close()
        assert await wire.receive() is None
        here.pipe.close()
        await there.pipe.gone
        assert there.messages[:2] == [(TEXT, b"text"), (BINARY, b"bytes")]
        ((kind, content),) = there.messages[2:]
        assert (kind, decode_close(content)) == (CLOSE, (4000, "enough"))

    run(test())


def test_a_wire_whose_session_does_not_read_ends() -> None:
    async def test() -> None:
        here, _ = await joined()
        wire = PipeWire(here.pipe)
        piece = bytes(1 << 20)
        for _ in range((BEHIND >> 20) + 2):
            wire.feed(BINARY, piece)
        received = 0
        while await wire.receive() is not None:
            received += 1
        assert received == (BEHIND >> 20) + 1

    run(test())


def test_a_wire_waits_for_what_comes() -> None:
    async def test() -> None:
        here, _ = await joined()
        wire = PipeWire(here.pipe)
        waiting = asyncio.create_task(wire.receive())
        await asyncio.sleep(0)
        wire.feed(TEXT, b"at last")
        assert await waiting == "at last"

    run(test())


def test_control_messages_have_a_kind_of_their_own() -> None:
    async def test() -> None:
        here, there = await joined()
        for message in (Word("one"), Number(2), Word("")):
            here.pipe.tell(message)
        here.pipe.close()
        await there.pipe.gone
        assert there.control == [Word("one"), Number(2), Word("")]
        assert there.messages == []
        assert CONTROL not in (TEXT, BINARY, CLOSE)

    run(test())
