"""The driver for text to speech over gRPC: a call for each piece of a reply.

The vendors do not say which audio speaks which text, and end a call in which they wait for text, as they
would while a language model thinks: so each piece is a call, and the next is begun while one is spoken.
"""

from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from typing import Any

from .grpc_client import EndedEarlyError, GrpcClient
from .http_tts import PieceTTS
from .ports import Word

__all__ = ["GrpcTTS"]


class GrpcTTS(PieceTTS):
    """Text to speech over gRPC.

    A vendor derives from it, and adds `metadata`, `requests` and `reader`.
    """

    method: str
    """The name of the method, with its service."""
    kinds: tuple[str, str]
    """The names of the messages that are sent and received."""

    def __init__(self, client: GrpcClient, model: str = "") -> None:
        self.vendor = client.vendor
        self.model = model
        self.client = client

    async def metadata(self) -> Sequence[tuple[str, str]]:
        """Return the metadata of a call, such as the key."""
        raise NotImplementedError

    def requests(self, text: str) -> Iterable[dict[str, Any]]:
        """Return the messages that ask for the audio of a piece."""
        raise NotImplementedError

    def reader(self, text: str) -> Callable[[Any], Iterable[bytes | Word]]:
        """Return what reads the answers for a piece."""
        raise NotImplementedError

    async def load(self) -> None:
        """Import gRPC."""
        await self.client.load()

    async def open(self) -> None:
        """Make the channel of all replies."""
        await self.client.open()

    async def close(self) -> None:
        """Close the channel."""
        await self.client.close()

    async def fetch(self, text: str) -> AsyncGenerator[bytes | Word]:
        """Yield the audio of a piece, and its words."""
        for tries_left in (2, 1, 0):
            read, metadata, answered = self.reader(text), await self.metadata(), False
            call = self.client.stream(self.method, self.kinds, _each(self.requests(text)), metadata)
            try:
                async with aclosing(call) as answers:
                    async for answer in answers:
                        answered = True
                        for part in read(answer):
                            yield part
                return
            except EndedEarlyError:
                if answered or not tries_left:
                    raise


async def _each(messages: Iterable[dict[str, Any]]) -> AsyncGenerator[dict[str, Any]]:
    for message in messages:
        yield message
