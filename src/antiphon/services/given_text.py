"""The text of a reply on its way to a vendor."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

__all__ = ["GivenText"]


class GivenText:
    """The pieces of a reply, each taken when the vendor can be given it.

    Until `heard` is called they are kept: what was lost with a connection is given to another.
    """

    def __init__(self, text: AsyncIterator[str]) -> None:
        self._kept: list[str] = []
        self._keeps = True
        self._fresh = deque[str]()  # taken, and not given yet: at most one
        self._wanted = asyncio.Event()
        self._more = asyncio.Event()
        self._over = False
        self._error: Exception | None = None
        self._taking = asyncio.create_task(self._take(text))

    async def pieces(self) -> AsyncGenerator[str]:
        """Yield the pieces that are kept, then new ones. Raises what the text raised."""
        for piece in tuple(self._kept):
            yield piece
        while True:
            if self._fresh:
                piece = self._fresh.popleft()
                if self._keeps:
                    self._kept.append(piece)
                yield piece
            elif self._over:
                break
            else:
                self._more.clear()
                self._wanted.set()
                await self._more.wait()
        if self._error is not None:
            raise self._error

    def heard(self) -> None:
        """Keep nothing: there is audio, so nothing will be said from the beginning again."""
        self._keeps = False
        self._kept.clear()

    async def close(self) -> None:
        """Take no more pieces."""
        self._taking.cancel()
        await asyncio.wait([self._taking])

    async def _take(self, text: AsyncIterator[str]) -> None:
        """Take pieces in one task, which outlives the connections that are given them."""
        try:
            await self._wanted.wait()
            async for piece in text:
                self._fresh.append(piece)
                self._wanted.clear()
                self._more.set()
                await self._wanted.wait()
        except Exception as error:  # noqa: BLE001  raised where the text is read
            self._error = error
        self._over = True
        self._more.set()
