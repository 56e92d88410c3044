"""What servers share that speak HTTP/2: one request, streamed both ways, no TLS."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Self
from urllib.parse import parse_qs, urlsplit

from .server import Fault, VendorServer

__all__ = ["Http2Connection", "Http2Server"]


class Http2Server(VendorServer):
    """A server on loopback that speaks HTTP/2.

    A vendor's derives from it, and adds `check_request` and `hold`.
    """

    def check_request(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check a request."""
        raise NotImplementedError

    async def hold(self, connection: "Http2Connection") -> None:
        """Speak the protocol, until the client has gone."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Listen on a free port of loopback."""
        self._listening = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._held = set[asyncio.Task[None]]()
        self.url = f"http://127.0.0.1:{self._listening.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, and raise what was wrong with the client's messages."""
        self._listening.close()
        self.drop()
        await asyncio.gather(*self._held, return_exceptions=True)
        if self.failure is not None:
            raise self.failure

    def drop(self) -> None:
        """Cut all connections."""
        for task in self._held:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        fault = self.fault if self.connections <= self.faulty else None
        connection = Http2Connection(reader, writer, fault)
        task = asyncio.current_task()
        assert task is not None
        self._held.add(task)
        self.open += 1
        try:
            await self._answer_request(connection, await connection.request())
        except AssertionError as error:
            self.failure = error
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self._held.discard(task)
            writer.transport.abort()

    async def _answer_request(self, connection: "Http2Connection", headers: dict[str, str]) -> None:
        if connection.fault is Fault.REFUSED:
            await connection.refuse(403, '{"message": "The security token is invalid."}')
        elif connection.fault is Fault.LIMITED:
            await connection.refuse(429, '{"message": "Too many requests."}', ("retry-after", "7"))
        else:
            address = urlsplit(headers[":path"])
            query = {name: values[-1] for name, values in parse_qs(address.query).items()}
            self.check_request(address.path, query, headers)
            await self.hold(connection)


class Http2Connection:
    """The one request of a client, which fails as the fault says."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: Fault | None
    ) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self.fault = fault
        self._reader, self._writer = reader, writer
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._h2.initiate_connection()
        self._stream = 0
        self._received = asyncio.Queue[bytes | None]()
        self._room = asyncio.Event()
        self._headers: asyncio.Future[dict[str, str]] = asyncio.get_running_loop().create_future()
        self._reading: asyncio.Task[None] | None = None

    async def request(self) -> dict[str, str]:
        """Return the headers of the request."""
        self._flush()
        self._reading = asyncio.create_task(self._read())
        return await self._headers

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the pieces of the request's body."""
        while (piece := await self._received.get()) is not None:
            yield piece

    async def begin(self) -> None:
        """Accept the request."""
        self._h2.send_headers(
            self._stream, [(":status", "200"), ("content-type", "application/vnd.amazon.eventstream")]
        )
        self._flush()

    async def refuse(self, status: int, body: str, *headers: tuple[str, str]) -> None:
        """Refuse the request."""
        self._h2.send_headers(self._stream, [(":status", str(status)), *headers])
        self._h2.send_data(self._stream, body.encode(), end_stream=True)
        self._flush()
        await self._gone()

    async def greet(self, data: bytes) -> None:
        """Send what no fault spoils."""
        while data:
            self._room.clear()
            room = min(self._h2.local_flow_control_window(self._stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                await self._room.wait()
                continue
            self._h2.send_data(self._stream, data[:room])
            data = data[room:]
            self._flush()
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        """Send data, or what the fault makes of it."""
        match self.fault:
            case Fault.SILENT:
                return
            case Fault.MALFORMED:
                data = data[:-1] + bytes([data[-1] ^ 1])
            case Fault.CUT:
                self._writer.transport.abort()
                raise ConnectionResetError
            case Fault.CLOSED:
                await self.end()
                raise ConnectionResetError
            case _:
                pass
        await self.greet(data)

    async def end(self) -> None:
        """End the response in good order."""
        self._h2.end_stream(self._stream)
        self._flush()
        await self._gone()

    async def _gone(self) -> None:
        """Wait until the client has closed the connection."""
        assert self._reading is not None
        await asyncio.wait([self._reading])

    def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())

    async def _read(self) -> None:
        from h2 import events

        try:
            while data := await self._reader.read(1 << 16):
                for event in self._h2.receive_data(data):
                    match event:
                        case events.RequestReceived(stream_id=stream, headers=headers):
                            self._stream = stream or 0
                            self._headers.set_result(dict(headers))  # type: ignore[arg-type]
                        case events.DataReceived(data=piece, flow_controlled_length=size):
                            self._received.put_nowait(piece or b"")
                            self._h2.acknowledge_received_data(size or 0, self._stream)
                        case events.WindowUpdated() | events.RemoteSettingsChanged():
                            self._room.set()
                        case _:
                            pass
                self._flush()
        except ConnectionError:
            pass
        finally:
            self._received.put_nowait(None)
            if not self._headers.done():
                self._headers.set_exception(ConnectionResetError())
