"""AudioSocket over TCP: whole messages, whatever the network cuts; a slow reader ends; nothing stays open."""

import asyncio
from typing import Any

import pytest

from antiphon.errors import UnavailableError
from antiphon.transports.telephony.providers import provider
from antiphon.transports.telephony.providers.audiosocket import serve
from antiphon.transports.telephony.transport import greet
from antiphon.transports.wire import Wire

HELLO = b"\x01\x00\x10" + bytes(range(16))
AUDIO = b"\x10\x01\x40" + bytes(320)


async def dialled(accept: Any) -> tuple[asyncio.Server, asyncio.StreamReader, asyncio.StreamWriter]:
    server = await serve(accept, port=0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
    return server, reader, writer


def test_a_call() -> None:
    async def main() -> None:
        got: list[bytes | str | None] = []

        async def accept(wire: Wire) -> None:
            call = await greet(provider("audiosocket").codec(), wire)
            assert call.call == "00010203-0405-0607-0809-0a0b0c0d0e0f"
            got.append(await wire.receive())
            wire.send(AUDIO)
            wire.send("no such thing")
            got.append(await wire.receive())

        server, reader, writer = await dialled(accept)
        async with server:
            whole = HELLO + AUDIO
            for cut in (whole[:2], whole[2:30], whole[30:]):
                writer.write(cut)
                await writer.drain()
                await asyncio.sleep(0)
            assert await reader.readexactly(len(AUDIO)) == AUDIO
            writer.write_eof()
            assert await reader.read() == b"", "it closes when we have left"
            writer.close()
        assert got == [AUDIO, None]

    asyncio.run(main())


def test_a_call_that_fails_is_alone() -> None:
    async def main() -> None:
        async def accept(wire: Wire) -> None:
            raise ValueError("no")

        server, reader, writer = await dialled(accept)
        async with server:
            assert await reader.read() == b""
            writer.close()
            _, second = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
            second.close()

    asyncio.run(main())


def test_a_slow_reader_ends() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def accept(wire: Wire) -> None:
            for _ in range(10_000):
                wire.send(AUDIO)
            with pytest.raises(UnavailableError, match="too slowly"):
                await wire.receive()
            wire.send(AUDIO)
            ended.set()

        server, _, writer = await dialled(accept)
        async with server:
            await asyncio.wait_for(ended.wait(), 5)
            writer.close()

    asyncio.run(main())
