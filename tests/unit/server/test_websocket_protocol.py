"""A websocket as a wire: whatever the network does to its bytes, and whatever the other side sends."""

import asyncio
import json
import struct
from collections.abc import Callable, Coroutine, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from uvicorn.config import Config
from uvicorn.server import ServerState

from antiphon.clock import LoopClock
from antiphon.errors import UnavailableError
from antiphon.server.http_protocol import HttpProtocol
from antiphon.server.port import Refused
from antiphon.server.websocket_protocol import FRAMES_AT_ONCE, WebSocketProtocol
from antiphon.server.websocket_route import PendingWebSocket, SocketRoute
from antiphon.testing.virtual import run_virtual
from antiphon.transports.wire import Wire

from .network import Network

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
TEXT, BINARY, CONTINUED, CLOSE, PING = 1, 2, 0, 8, 9


def frame(content: bytes, opcode: int = BINARY, *, last: bool = True, mask: bytes = b"\1\2\3\4") -> bytes:
    """A frame as a client sends it: RFC 6455, 5.2."""
    size = len(content)
    head = bytes([opcode | 0x80 * last])
    if size < 126:
        head += bytes([size | 0x80])
    elif size < 65536:
        head += bytes([126 | 0x80]) + struct.pack("!H", size)
    else:
        head += bytes([127 | 0x80]) + struct.pack("!Q", size)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(content))


Serve = Callable[[Wire], Coroutine[Any, Any, None]]


def connected(serve: Serve, pieces: Sequence[bytes], *, most: int = 1 << 20, reads: bool = True) -> Network:
    """The network after a client has sent these pieces to a server and left it the time to answer."""
    network = Network()
    network.reads = reads

    async def endpoint(asked: PendingWebSocket) -> None:
        await serve(await asked.open(1000))

    async def main() -> None:
        app = Starlette(routes=[SocketRoute("/ws", endpoint)])
        config = Config(app, ws=WebSocketProtocol, http=HttpProtocol, ws_max_size=most, log_config=None)
        config.load()
        network.protocol = HttpProtocol(config, ServerState(), {})
        network.protocol.connection_made(network)
        network.protocol.data_received(HANDSHAKE)
        await LoopClock().sleep(0.1)
        for piece in pieces:
            if not network.closed:
                network.protocol.data_received(piece)
            await asyncio.sleep(0)
        await LoopClock().sleep(5)

    run_virtual(main())
    return network


def heard(pieces: Sequence[bytes], **settings: Any) -> tuple[list[bytes | str], Network]:
    """What the server has heard of these pieces."""
    messages: list[bytes | str] = []

    async def serve(wire: Wire) -> None:
        while (message := await wire.receive()) is not None:
            messages.append(message)

    return messages, connected(serve, pieces, **settings)


def close_code(network: Network) -> int | None:
    """The code of the close frame that was sent last."""
    place = network.sent.rfind(b"\x88")
    return int.from_bytes(network.sent[place + 2 : place + 4]) if place >= 0 else None


MESSAGES = st.lists(st.one_of(st.binary(max_size=300), st.text(max_size=100)), max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    messages=MESSAGES, mask=st.binary(min_size=4, max_size=4), cuts=st.lists(st.integers(1, 400), max_size=20)
)
def test_messages_arrive_however_they_are_cut(
    messages: list[bytes | str], mask: bytes, cuts: list[int]
) -> None:
    stream = b"".join(
        frame(one.encode(), TEXT, mask=mask) if isinstance(one, str) else frame(one, mask=mask)
        for one in messages
    )
    pieces: list[bytes] = []
    for cut in cuts:
        pieces.append(stream[:cut])
        stream = stream[cut:]
    assert heard([*filter(None, pieces), stream] if stream else pieces)[0] == messages


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=10))
def test_nothing_that_is_sent_breaks_the_server(pieces: list[bytes]) -> None:
    messages, network = heard(pieces)
    assert isinstance(messages, list)
    assert network.sent.startswith(b"HTTP/1.1 101")


@pytest.mark.parametrize("size", [125, 126, 65535, 65536, 300_000])
def test_messages_of_all_lengths(size: int) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    stream = frame(content[:size])
    assert heard([stream[at : at + 10_000] for at in range(0, len(stream), 10_000)])[0] == [content[:size]]


def test_a_message_in_pieces_with_a_ping_between_them() -> None:
    pieces = [
        frame(b"gr\xc3", TEXT, last=False) + frame(b"are you there", PING),
        frame(b"\xbc", CONTINUED, last=False) + frame(b"n", CONTINUED) + frame(b"next"),
    ]
    messages, network = heard(pieces)
    assert messages == ["grün", b"next"]
    assert b"\x8a\x0dare you there" in network.sent  # the pong


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (frame(b"\xff\xfe", TEXT), 1007),
        (frame(b"\xff", TEXT, last=False) + frame(b"\xfe", CONTINUED), 1007),
        (frame(b"x" * 2000), 1009),
        (frame(b"x" * 900, last=False) + frame(b"x" * 900, CONTINUED), 1009),
        (frame(b"x", last=False) + frame(b"", CONTINUED, last=False) * 2000, 1009),
        (b"\x82\xff" + struct.pack("!Q", 1 << 62) + b"\1\2\3\4", 1009),
        (b"\x82\x05hello", 1002),  # not masked
        (frame(b"x", 3), 1002),  # no such kind
        (frame(b"x", CONTINUED), 1002),  # of nothing
        (frame(b"x", TEXT, last=False) + frame(b"y", TEXT), 1002),
        (b"\xf2\x81\1\2\3\4x", 1002),  # reserved bits
        (frame(b"x" * 126, PING), 1002),
    ],
)
def test_what_is_wrong_ends_the_connection(wrong: bytes, code: int) -> None:
    messages, network = heard([frame(b"before"), wrong, frame(b"after")], most=1000)
    assert messages == [b"before"]
    assert close_code(network) == code
    assert network.closed


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
@pytest.mark.parametrize("kind", [bytes, str])
def test_what_is_sent_can_be_read(size: int, kind: type) -> None:
    content: bytes | str = "x" * size if kind is str else b"x" * size

    async def serve(wire: Wire) -> None:
        wire.send(content)

    sent = connected(serve, []).sent.partition(b"\r\n\r\n")[2]
    head = 2 if size < 126 else 4 if size < 65536 else 10
    assert sent[0] == (0x81 if kind is str else 0x82)
    assert {2: sent[1], 4: int.from_bytes(sent[2:4]), 10: int.from_bytes(sent[2:10])}[head] == size
    assert sent[head : head + size] == b"x" * size
    assert sent[head + size] == 0x88  # then the close


def test_who_reads_nothing_is_sent_away() -> None:
    after: list[bytes | str | None] = []

    async def serve(wire: Wire) -> None:
        for _ in range(20):
            wire.send(b"x" * 100)
        with pytest.raises(UnavailableError, match="too slowly"):
            await wire.receive()
        after.append(None)
        wire.send(b"more")
        await wire.close()

    network = connected(serve, [], reads=False)
    assert after == [None]
    assert close_code(network) == 1013
    assert network.sent.count(b"x" * 100) < 12
    assert b"more" not in network.sent
    assert network.aborted  # what waits for it is not kept


def test_who_is_not_read_has_to_wait() -> None:
    held: list[bool] = []
    messages: list[bytes | str] = []

    async def serve(wire: Wire) -> None:
        await LoopClock().sleep(1)
        held.append(network_of(wire).paused)
        while (message := await wire.receive()) is not None:
            messages.append(message)

    def network_of(wire: Any) -> Any:
        return wire._protocol.transport

    network = connected(serve, [frame(b"x" * 500_000)] * 3)
    assert held == [True]
    assert len(messages) == 3
    assert not network.paused


def test_closing_is_answered_and_waited_for() -> None:
    done: list[float] = []

    async def serve(wire: Wire) -> None:
        assert await wire.receive() == b"bye"
        await wire.close(1000, "é" * 100)
        done.append(asyncio.get_running_loop().time())

    network = connected(serve, [frame(b"bye"), frame(struct.pack("!H", 1000), CLOSE)])
    assert close_code(network) == 1000
    assert network.closed
    assert done[0] < 1
    done.clear()
    network = connected(serve, [frame(b"bye")], reads=False)  # it never answers
    assert network.aborted
    assert done[0] < 3


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/1.1\r\nHost: lo", b"GET / HTTP/1.1\r\nA: b\r\n" * 3])
def test_who_does_not_say_what_it_wants_is_not_kept(head: bytes) -> None:
    network = Network()
    lost: list[float] = []

    async def main() -> None:
        config = Config(Starlette(), ws=WebSocketProtocol, http=HttpProtocol, log_config=None)
        config.load()
        network.protocol = HttpProtocol(config, ServerState(), {})
        network.protocol.connection_made(network)
        for byte in head:
            if not network.closed:
                network.protocol.data_received(bytes([byte]))
                await LoopClock().sleep(1)
        while not network.closed and len(lost) < 100:
            lost.append(asyncio.get_running_loop().time())
            await LoopClock().sleep(1)

    run_virtual(main())
    assert network.closed
    assert len(lost) <= 11


@pytest.mark.parametrize("talks", [True, False])
def test_who_gives_no_sign_of_life_has_gone(talks: bool) -> None:
    heard: list[bytes | str] = []
    gone: list[bool] = []
    network = Network()

    async def serve(asked: PendingWebSocket) -> None:
        wire = await asked.open(1000)
        while (message := await wire.receive()) is not None:
            heard.append(message)

    async def main() -> None:
        app = Starlette(routes=[SocketRoute("/ws", serve)])
        config = Config(
            app,
            ws=WebSocketProtocol,
            http=HttpProtocol,
            ws_ping_interval=20,
            ws_ping_timeout=20,
            log_config=None,
        )
        config.load()
        network.protocol = HttpProtocol(config, ServerState(), {})
        network.protocol.connection_made(network)
        network.protocol.data_received(HANDSHAKE)
        for _ in range(100):  # it answers no ping
            await LoopClock().sleep(1)
            if talks and not network.closed:
                network.protocol.data_received(frame(b"x"))
        gone.append(network.closed)
        network.abort()
        await LoopClock().sleep(1)

    run_virtual(main())
    assert gone == [not talks]
    assert len(heard) == (100 if talks else 0)
    assert network.sent.count(b"\x89\x04") >= (2 if talks else 1)  # pings


def test_who_sends_too_fast_has_to_wait() -> None:
    """However little it says: small frames are work, too."""
    held: list[bool] = []

    async def serve(wire: Any) -> None:
        count = 0
        while await wire.receive() is not None:
            count += 1
            if count == 10_000:
                await LoopClock().sleep(0)
                held.append(wire._protocol.transport.paused)
                await LoopClock().sleep(2)
                held.append(wire._protocol.transport.paused)

    speech = [frame(b"x" * 1920)] * 2000  # 40 s of it at once
    assert not connected(serve, speech).paused
    assert held == []
    connected(serve, [frame(b"") * 2500] * 4)
    assert held == [True, False]


def test_a_refusal_is_no_error_of_the_server(caplog: pytest.LogCaptureFixture) -> None:
    async def serve(asked: PendingWebSocket) -> None:
        raise Refused(403, "not you")

    network = Network()
    network.reads = True

    async def main() -> None:
        config = Config(
            Starlette(routes=[SocketRoute("/ws", serve)]),
            ws=WebSocketProtocol,
            http=HttpProtocol,
            log_config=None,
        )
        config.load()
        network.protocol = HttpProtocol(config, ServerState(), {})
        network.protocol.connection_made(network)
        network.protocol.data_received(HANDSHAKE)
        await LoopClock().sleep(3)

    run_virtual(main())
    assert network.sent.startswith(b"HTTP/1.1 403")
    assert network.sent.endswith(b'"info":"not you"}')
    assert network.closed
    assert caplog.records == []


@pytest.mark.parametrize(
    "said", [b"\0\0\0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"GET / HTTP/9.9\r\nHost: a\r\nx" + b"x" * 80_000]
)
def test_what_is_no_request_is_refused_in_json(said: bytes) -> None:
    network = Network()
    network.reads = True

    async def main() -> None:
        config = Config(Starlette(), ws=WebSocketProtocol, http=HttpProtocol, log_config=None)
        config.load()
        network.protocol = HttpProtocol(config, ServerState(), {})
        network.protocol.connection_made(network)
        network.protocol.data_received(said)
        await LoopClock().sleep(1)

    run_virtual(main())
    head, _, body = network.sent.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"application/json" in head
    assert set(json.loads(body)) == {"detail", "info"}
    assert network.closed


def test_a_turn_of_the_loop_handles_few_of_many_small_frames() -> None:
    """Pings cost the most; the loop's other tasks go on between them."""
    pongs: list[int] = []

    async def serve(wire: Any) -> None:
        await wire.receive()
        while len(pongs) < 100:
            pongs.append(wire._protocol.transport.sent.count(b"\x8a\x00"))
            await LoopClock().sleep(0)
        await LoopClock().sleep(1)
        pongs.append(wire._protocol.transport.sent.count(b"\x8a\x00"))

    connected(serve, [frame(b"begin") + frame(b"", PING) * 1000])
    assert max(now - before for before, now in pairwise(pongs[:100])) <= FRAMES_AT_ONCE
    assert pongs[-1] == 1000
