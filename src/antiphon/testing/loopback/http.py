"""What servers share that speak HTTP: requests, streamed answers, faults."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from .server import Fault, complaint

__all__ = ["HttpAnswer", "HttpVendorServer", "VendorRequest", "asks_for_tool"]

REFUSED = '{"type": "error", "error": {"type": "error", "message": "no, because"}}'
STRANGE_EVENT = 'event: novelty\ndata: {"type": "novelty", "novel_field": [null]}\n\n: a comment\n\n'


@dataclass(frozen=True, slots=True)
class VendorRequest:
    """A request of a client. Names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        assert self.headers.get("content-type", "").startswith("application/json"), self.headers
        return json.loads(self.body)


@dataclass(slots=True)
class HttpAnswer:
    """An answer that is being sent, which fails as the fault says."""

    fault: Fault | None
    after: int
    """How many pieces are good before the fault."""
    _reader: asyncio.StreamReader
    _writer: asyncio.StreamWriter
    _begun: bool = False

    async def begin(self, content_type: str, *, status: str = "200 OK", **headers: str) -> None:
        """Send the head."""
        self._begun = True
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\n{more}"
        self._writer.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
        await self._writer.drain()

    async def send(self, data: bytes) -> None:
        """Send a piece of the body, or what the fault makes of it."""
        self.after -= 1
        match self.fault if self.after < 0 else None:
            case Fault.SILENT:
                await self._reader.read(1)
                raise ConnectionResetError
            case Fault.CUT | Fault.CLOSED:
                self._writer.transport.abort()
                raise ConnectionResetError
            case _:
                pass
        self._writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        await self._writer.drain()

    async def event(self, told: dict[str, Any] | str, name: str | None = None) -> None:
        """Send a server-sent event."""
        data = told if isinstance(told, str) else json.dumps(told)
        if self.fault is Fault.MALFORMED and self.after <= 0:
            data = data[: len(data) // 2]
        head = f"event: {name}\n" if name else ""
        strange = STRANGE_EVENT if self.fault is Fault.STRANGE else ""
        await self.send(f"{strange}{head}data: {data}\n\n".encode())

    def end(self) -> None:
        """End the body."""
        self._writer.write(b"0\r\n\r\n")


@dataclass
class HttpVendorServer:
    """An HTTP server on loopback.

    A vendor's derives from it, and adds `check` and `answer`.

    The first `faulty` requests have the fault, after so many good pieces; those after them are good.
    """

    fault: Fault | None = None
    faulty: int = 1000
    after: int = 0
    url: str = ""
    requests: list[VendorRequest] = field(default_factory=list[VendorRequest])
    open: int = 0
    """How many connections are open now."""
    cancelled: int = 0
    """How many answers were not read to their end."""
    failure: AssertionError | None = None
    _server: asyncio.Server | None = None

    def has(self, path: str) -> bool:
        """Return whether there is such a path; what there is not is answered by 404."""
        return True

    def check(self, request: VendorRequest) -> None:
        """Check a request."""
        raise NotImplementedError

    async def answer(self, request: VendorRequest, answer: HttpAnswer) -> None:
        """Answer a request."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Listen on a free port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, and raise what was wrong with the client's requests."""
        assert self._server is not None
        self._server.close()
        if self.failure is not None:
            raise self.failure

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            async for request in _requests(reader):
                self.requests.append(request)
                await self._respond(request, reader, writer)
        except asyncio.IncompleteReadError:
            pass
        except ConnectionError:
            self.cancelled += 1
        finally:
            self.open -= 1
            writer.close()

    async def _respond(
        self, request: VendorRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        fault = self.fault if len(self.requests) <= self.faulty else None
        if not self.has(request.path):
            _refuse(writer, 404, "no such path")
            return
        try:
            self.check(request)
        except Exception as error:  # noqa: BLE001  what is missing is a complaint, too
            self.failure = self.failure or complaint(error)
            _refuse(writer, 400, json.dumps({"error": {"message": str(error)}}))
            return
        if fault is Fault.REFUSED:
            _refuse(writer, 401, REFUSED)
        elif fault is Fault.STALLED:
            await reader.read(1)
            raise ConnectionResetError
        elif fault is Fault.LIMITED:
            _refuse(writer, 429, REFUSED, "retry-after: 7\r\n")
        else:
            await self._tell(request, HttpAnswer(fault, self.after, reader, writer))
        with suppress(ConnectionError):
            await writer.drain()

    async def _tell(self, request: VendorRequest, answer: HttpAnswer) -> None:
        try:
            await self.answer(request, answer)
        except ConnectionError:
            raise
        except Exception as error:
            self.failure = self.failure or complaint(error)
            raise ConnectionAbortedError from error
        answer.end()


async def _requests(reader: asyncio.StreamReader) -> AsyncIterator[VendorRequest]:
    while head := await reader.readuntil(b"\r\n\r\n"):
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        address = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        yield VendorRequest(method, address.path, query, headers, body)


def _refuse(writer: asyncio.StreamWriter, status: int, body: str, more: str = "") -> None:
    data = body.encode()
    head = (
        f"HTTP/1.1 {status} No\r\n{more}content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    writer.write(head.encode() + data)


def asks_for_tool(text: str, tools: object) -> bool:
    """Return whether a model by rule calls a tool: if asked when something is open."""
    return bool(tools) and "open" in text
