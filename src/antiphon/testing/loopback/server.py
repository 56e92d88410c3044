"""What all servers on loopback share: connections, faults, rules for speech."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from websockets.asyncio.server import Server, ServerConnection
    from websockets.http11 import Request, Response

__all__ = ["KEY", "LOUD", "WORDS", "Fault", "HeardAudio", "VendorServer", "graph", "numbered", "paced",
           "spoken", "word_times", "you_said"]  # fmt: skip

T = TypeVar("T")

KEY = "the-key"
WORDS = "the words of the caller"
LOUD = b"\x00\x40" * 16000
"""One second of audio at 16 kHz that a server hears as `WORDS`."""
SECONDS_PER_CHARACTER = 0.05
FIRST_LEVEL, LEVELS = 0x5011, 32  # of numbered lines: no byte of them is 0
NOVELTY = '{"type": "Novelty", "message_type": "novelty", "event": "novelty", "message": "Novelty"}'


class Fault(StrEnum):
    """What goes wrong."""

    REFUSED = "the key is refused at the handshake"
    LIMITED = "there are too many connections"
    MALFORMED = "an answer is not what the protocol says"
    CUT = "the connection ends in the middle of an utterance, without a close frame"
    CLOSED = "the vendor closes the connection in the middle of an utterance"
    SILENT = "the vendor answers nothing"
    STALLED = "the connection is accepted, and its handshake or request never answered"
    STRANGE = "there are messages and fields that nobody knows"


class VendorServer:
    """A websocket server on loopback. A vendor's derives from it, and adds `talk`.

    The first `faulty` connections have the fault, after so many good answers; those after them are good.
    """

    speed = 10.0
    """How many times as fast as it is a voice is sent."""

    def __init__(self, fault: Fault | None = None, *, faulty: int = 1000, after: int = 0) -> None:
        self.fault = fault
        self.faulty = faulty
        self.after = after
        self.url = ""
        self.connections: int = 0
        """How many were opened."""
        self.open: int = 0
        """How many are open now."""
        self.cancelled: int = 0
        """How many utterances were cancelled by the client."""
        self.cut_voice_after: int | None = None
        """Pieces of a voice after which all connections are lost, once."""
        self.failure: AssertionError | None = None
        self._websockets = set["ServerConnection"]()
        self._server: Server | None = None

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check the handshake."""
        raise NotImplementedError

    async def talk(self, connection: "Connection") -> None:
        """Speak the protocol, until the client has gone."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        """Listen on a free port of loopback."""
        from websockets.asyncio.server import serve

        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            process_request=self._answer,
            compression=None,
            max_size=1 << 24,
            close_timeout=0.2,
        )
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop, and raise what was wrong with the client's messages."""
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        if self.failure is not None:
            raise self.failure

    def count_voice(self) -> None:
        """Count a piece of a voice, and cut all connections if it is time."""
        if self.cut_voice_after is not None:
            self.cut_voice_after -= 1
            if self.cut_voice_after < 0:
                self.cut_voice_after = None
                self.drop()

    def drop(self) -> None:
        """Cut all connections."""
        for websocket in self._websockets:
            websocket.transport.abort()

    async def _answer(self, connection: "ServerConnection", request: "Request") -> "Response | None":
        self.connections += 1
        fault = self.fault if self.connections <= self.faulty else None
        if fault is Fault.STALLED:
            await connection.wait_closed()
        if fault is Fault.REFUSED:
            return connection.respond(HTTPStatus.UNAUTHORIZED, '{"error": {"message": "no such key"}}')
        if fault is Fault.LIMITED:
            response = connection.respond(HTTPStatus.TOO_MANY_REQUESTS, "too many")
            response.headers["Retry-After"] = "7"
            return response
        address = urlsplit(request.path)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        try:
            self.check(address.path, query, headers)
        except Exception as error:  # noqa: BLE001  what is missing is a complaint, too
            self.failure = self.failure or complaint(error)
            return connection.respond(HTTPStatus.BAD_REQUEST, str(error))
        return None

    async def _serve(self, websocket: "ServerConnection") -> None:
        from websockets.exceptions import ConnectionClosed

        fault = self.fault if self.connections <= self.faulty else None
        connection = Connection(websocket, fault, self.after)
        self.open += 1
        self._websockets.add(websocket)
        try:
            with suppress(ConnectionClosed):
                await self.talk(connection)
        except Exception as error:  # noqa: BLE001
            self.failure = self.failure or complaint(error)
            await websocket.close(1008, str(error)[:100])
        finally:
            self.open -= 1
            self._websockets.discard(websocket)


class Connection:
    """One connection of a client, which fails as the fault says."""

    def __init__(self, websocket: "ServerConnection", fault: Fault | None, after: int = 0) -> None:
        self.fault = fault
        self.after = after
        """How many answers are good before the fault."""
        self.novelty: str | bytes = NOVELTY
        """A message that nobody knows."""
        self._websocket = websocket

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield messages: bytes, an object that was sent as JSON, or other text."""
        async for message in self._websocket:
            if isinstance(message, str) and message.startswith("{"):
                yield json.loads(message)
            else:
                yield message

    async def greet(self, message: dict[str, Any] | bytes | str) -> None:
        """Send a first message, which no fault spoils."""
        await self._websocket.send(json.dumps(message) if isinstance(message, dict) else message)

    async def send(self, message: dict[str, Any] | bytes | str) -> None:
        """Send an answer, or what the fault makes of it."""
        websocket = self._websocket
        self.after -= 1
        match self.fault if self.after < 0 else None:
            case Fault.SILENT:
                return
            case Fault.MALFORMED:
                await websocket.send('{"type": ')
                return
            case Fault.CUT:
                websocket.transport.abort()
            case Fault.CLOSED:
                await websocket.close(1011, "internal error")
            case Fault.STRANGE:
                await websocket.send(self.novelty)
                if isinstance(message, dict):
                    message = message | {"novel_field": {"nested": [None, 1, "two"]}}
            case _:
                pass
        await websocket.send(json.dumps(message) if isinstance(message, dict) else message)

    async def fail(self, code: int, reason: str) -> None:
        """Close as the vendor does for an error."""
        await self._websocket.close(code, reason)

    async def close(self) -> None:
        """Close in good order, unless the vendor is silent."""
        if self.fault is not Fault.SILENT:
            await self._websocket.close()


def complaint(error: Exception) -> AssertionError:
    """Return what a server says of a message that a check refused or stumbled over."""
    if isinstance(error, AssertionError):
        return error
    told = AssertionError(f"a message is not as the protocol says: {error!r}")
    told.__cause__ = error
    return told


def numbered(number: int, seconds: float, sample_rate: int) -> bytes:
    """Return sound that a server hears as "line 3, 2 seconds".

    The number is in its level, and 380 at most.
    """
    level = FIRST_LEVEL + number * LEVELS
    return level.to_bytes(2, "little") * round(seconds * sample_rate)


class HeardAudio:
    """Recognition by rule: what was loud since the last answer.

    It is `WORDS`, or a `numbered` line.
    """

    def __init__(self) -> None:
        self.loud = False
        self._lines = dict[int, float]()  # seconds of loud sound, by the number in its level
        self.seconds = 0.0
        self.quiet = 0.0
        """Seconds since the last loud message."""
        self._told = 0.0

    def feed(self, pcm: bytes, sample_rate: int = 16000) -> None:
        """Hear samples."""
        assert len(pcm) % 2 == 0, "audio is cut in the middle of a sample"
        self.seconds += len(pcm) / 2 / sample_rate
        loud = pcm.count(0) < len(pcm) * 3 // 4
        self.quiet = 0.0 if loud else self.quiet + len(pcm) / 2 / sample_rate
        self.loud = self.loud or loud
        if loud:
            middle = int.from_bytes(pcm[(at := len(pcm) // 4 * 2) : at + 2], "little", signed=True)
            line = round((middle - FIRST_LEVEL) / LEVELS)
            seconds = (len(pcm) - pcm.count(0)) / 2 / sample_rate
            self._lines[line] = self._lines.get(line, 0.0) + seconds

    def due(self) -> bool:
        """Return whether interim words should be told, as they are every 0.3 s."""
        if not self.loud or self.seconds - self._told < 0.3:
            return False
        self._told = self.seconds
        return True

    @property
    def words(self) -> str:
        """What would be heard now."""
        if not self.loud:
            return ""
        line = max(self._lines, key=self._lines.__getitem__)
        seconds = sum(self._lines.values())
        return WORDS if line < 0 else f"line {line}, {seconds:.0f} seconds"

    def answer(self) -> str:
        """Return what was heard, and forget it."""
        words, self.loud, self._lines = self.words, False, {}
        return words


def spoken(text: str, sample_rate: int) -> list[bytes]:
    """Return the audio of a text by rule, in pieces of 100 ms."""
    samples = round(len(text) * SECONDS_PER_CHARACTER * sample_rate)
    pcm = b"\x00\x20" * samples
    size = sample_rate // 5
    return [pcm[at : at + size] for at in range(0, len(pcm), size)]


async def paced(server: VendorServer, voice: Iterable[T]) -> AsyncIterator[T]:
    """Yield pieces of a voice, each of 100 ms, as fast as the server sends them."""
    for piece in voice:
        server.count_voice()
        yield piece
        await asyncio.sleep(0.1 / server.speed)


def you_said(words: str) -> str:
    """Return the answer to words, or the rest of an answer."""
    return "And so on." if "broke off" in words else f"You said {words}."


def word_times(text: str, begun: float = 0.0) -> tuple[list[str], list[float], list[float]]:
    """Return the words of a text by rule, and when each begins and ends in seconds."""
    words = text.split()
    each = len(text.strip()) * SECONDS_PER_CHARACTER / max(1, len(words))
    return (
        words,
        [begun + each * place for place in range(len(words))],
        [begun + each * (place + 1) for place in range(len(words))],
    )


def graph(text: str, begin: int = 0) -> dict[str, list[Any]]:
    """Return the times of characters by rule, from the `begin`th of a text on."""
    each = SECONDS_PER_CHARACTER
    times = [[at * each, (at + 1) * each] for at in range(begin, begin + len(text))]
    return {"graph_chars": list(text), "graph_times": times}
