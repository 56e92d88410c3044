"""Piper: servers from before June 2026 have their speech at another path."""

import asyncio
from collections.abc import AsyncIterator

from antiphon.services.ports import Speech
from antiphon.testing.loopback.local_voices import PiperServer
from antiphon.vendors.piper import TTS


class OldPiperServer(PiperServer):
    path = "/"

    def has(self, path: str) -> bool:
        return path == "/"


def test_an_older_server_is_asked_at_its_path() -> None:
    async def text() -> AsyncIterator[str]:
        for piece in ("One.", "Two.", "Three."):
            yield piece

    async def run() -> None:
        async with OldPiperServer() as server:
            service = TTS(base_url=server.url)
            pieces = {item.piece async for item in service.speak(text()) if isinstance(item, Speech)}
            assert pieces == {0, 1, 2}
            assert [request.path for request in server.requests].count("/") == 3
            await service.close()

    asyncio.run(run())
