"""Models that hear and speak, against servers of their protocols on loopback."""

import asyncio
from collections.abc import AsyncIterator

from antiphon.context import Context
from antiphon.services.realtime_vocabulary import *
from antiphon.testing.loopback.openai_realtime import OpenAIRealtimeServer
from antiphon.testing.loopback.server import KEY
from antiphon.vendors.openai.realtime import Realtime

LOUD = b"\x00\x40" * 12000


def test_turn() -> None:
    async def main() -> None:
        async with OpenAIRealtimeServer() as server:
            model = Realtime(key=KEY, base_url=server.url)
            inputs = asyncio.Queue()

            async def stream():
                while True:
                    yield await inputs.get()

            for item in (SpeechBegan(), UserSound(LOUD), SpeechOver(), Respond()):
                inputs.put_nowait(item)
            async for event in model.converse(Context("Be kind."), stream()):
                print(str(event)[:100])
                if isinstance(event, ResponseOver):
                    break

    asyncio.run(main())
    assert 0
