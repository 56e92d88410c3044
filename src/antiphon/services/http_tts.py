"""The driver for text to speech over HTTP: a request for each piece of a reply.

A vendor is an `HttpTTS`, which says how a text becomes a request. Written once, here: the next piece is asked
for while the last one is still spoken, audio that is cut anywhere or stands behind a WAV header, a vendor
that goes silent.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from ..errors import BadResponseError, ServiceTimeoutError
from .http_client import HttpClient, HttpRequest, events, pieces
from .keys import VendorKey
from .pcm_reader import PcmReader
from .ports import Speech, TextToSpeech, Word
from .streams import has_words
from .vendor_values import json_object

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpTTS", "PieceTTS", "told_events"]

AHEAD = 2  # pieces that are asked for at once
WAITING = 32  # items of a piece that wait until the pieces before it are spoken
NO_AUDIO = ("application/json", "text/")


class PieceTTS(TextToSpeech):
    """Text to speech by one request for each piece.

    A driver derives from it, and adds `fetch`.
    """

    sample_rate = 24000
    silent_for = 4.0
    """Seconds that a vendor may take for the first audio of a piece, and for each further part of it."""
    vendor: str

    def fetch(self, text: str) -> AsyncGenerator[bytes | Word]:
        """Yield the audio of a piece, and its words.

        A `Word` counts from the first audio of the piece; its `piece` is set later.
        """
        raise NotImplementedError

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word]:
        """Speak the pieces of one reply; closing the iterator closes its requests."""
        await self.open()
        reply = _Reply(self, text)
        try:
            while (piece := await reply.next()) is not None:
                async for item in piece.speech(self.silent_for):
                    yield item
                reply.spoken()
        finally:
            await reply.close()


class HttpTTS(PieceTTS):
    """Text to speech over HTTP. A vendor derives from it, and adds `request`."""

    def __init__(self, vendor: str, key: VendorKey, model: str = "") -> None:
        self.vendor = vendor
        self.model = model
        self.key = key
        self._http = HttpClient(vendor, extra="services", key_name=key.name)

    def request(self, text: str) -> HttpRequest:
        """Return the request for the audio of a piece."""
        raise NotImplementedError

    async def audio(self, response: "httpx.Response") -> AsyncGenerator[bytes | Word]:
        """Yield the audio of a response; the default is a body of samples, or a WAV file."""
        kind = response.headers.get("content-type", "")
        if kind.startswith(NO_AUDIO):
            raise BadResponseError(f"{self.vendor} answered with {kind[:60]}, not with audio")
        async with aclosing(pieces(response)) as parts:
            async for part in parts:
                yield part

    async def load(self) -> None:
        """Import the HTTP library and read the system's certificates."""
        await self._http.load()

    async def open(self) -> None:
        """Check that there is a key and that httpx is installed."""
        self.key.check()
        await self._http.open()

    async def close(self) -> None:
        """Leave the shared connections."""
        await self._http.close()

    def fetch(self, text: str) -> AsyncGenerator[bytes | Word]:
        """Yield the audio of a piece."""
        return self._fetch(self.request(text))

    async def _fetch(self, request: HttpRequest) -> AsyncGenerator[bytes | Word]:
        async with (
            self._http.post(request, within=self.silent_for) as response,
            aclosing(self.audio(response)) as parts,
        ):
            async for part in parts:
                yield part


async def told_events(response: "httpx.Response") -> AsyncGenerator[tuple[str, dict[str, Any]]]:
    """Yield the names and the objects of the server-sent events of a response."""
    async with aclosing(events(response)) as told:
        async for event in told:
            if event.data.strip() != "[DONE]":
                yield event.name, json_object(event.data, "an event")


class _Reply:
    """The pieces of a reply, of which `AHEAD` are asked for at once."""

    def __init__(self, service: PieceTTS, text: AsyncIterator[str]) -> None:
        self._begun = asyncio.Queue[_Piece | Exception | None]()
        self._room = asyncio.Semaphore(AHEAD)
        self._pieces: list[_Piece] = []
        self._asking = asyncio.create_task(self._ask(service, text))

    async def next(self) -> "_Piece | None":
        """Return the next piece; None after the last one. Raises what the text raised."""
        piece = await self._begun.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    def spoken(self) -> None:
        """Let another piece be asked for."""
        self._room.release()

    async def close(self) -> None:
        """Stop all requests."""
        tasks = {self._asking, *(piece.fetching for piece in self._pieces)}
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _ask(self, service: PieceTTS, text: AsyncIterator[str]) -> None:
        index = 0
        try:
            async for words in text:
                if has_words(words):
                    await self._room.acquire()
                    piece = _Piece(service, words, index)
                    self._pieces.append(piece)
                    self._begun.put_nowait(piece)
                index += 1
            self._begun.put_nowait(None)
        except Exception as error:  # noqa: BLE001  raised where the speech is read
            self._begun.put_nowait(error)


class _Piece:
    """A piece of a reply, whose audio is fetched while those before it are spoken."""

    def __init__(self, service: PieceTTS, text: str, index: int) -> None:
        self.index = index
        self._service = service
        self._items = asyncio.Queue[bytes | Word | BaseException | None](WAITING)
        self.fetching = asyncio.create_task(self._fetch(text))

    async def _fetch(self, text: str) -> None:
        try:
            async with aclosing(self._service.fetch(text)) as parts:
                async for part in parts:
                    await self._items.put(part)
            await self._items.put(None)
        except Exception as error:  # noqa: BLE001  raised where the speech is read
            await self._items.put(error)

    async def speech(self, silent_for: float) -> AsyncGenerator[Speech | Word]:
        """Yield the audio and the words of the piece. Raises TheyErred."""
        vendor = self._service.vendor
        samples = PcmReader(self._service.sample_rate, vendor)
        while True:
            try:
                async with asyncio.timeout(silent_for):
                    item = await self._items.get()
            except TimeoutError as error:
                raise ServiceTimeoutError(f"{vendor} sent no audio for {silent_for:g} s") from error
            match item:
                case None:
                    return
                case bytes():
                    if pcm := samples.feed(item):
                        yield Speech(pcm, self.index)
                case Word(_, end, seconds):
                    yield Word(self.index, end, seconds)
                case _:
                    raise item
