"""Reading a wire: what was there already is known, and a flood leaves others their turn."""

import asyncio

from antiphon.clock import LoopClock
from antiphon.testing import virtual
from antiphon.transports.wire_reader import BATCH, WireReader


@virtual
async def test_a_flood_is_read_in_batches_and_known_as_a_backlog() -> None:
    queue = asyncio.Queue[str | None]()
    for number in range(100):
        queue.put_nowait(str(number))
    turns = 0

    class Source:
        async def receive(self) -> str | None:
            return await queue.get()

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    reader = WireReader(Source())
    for number in range(100):
        assert await reader.receive(LoopClock().now) == str(number)
        assert reader.backlog
    task.cancel()
    assert turns >= 100 // BATCH

    asyncio.get_running_loop().call_later(0.02, queue.put_nowait, None)
    assert await reader.receive(LoopClock().now) is None
    assert not reader.backlog
