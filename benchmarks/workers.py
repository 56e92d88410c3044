"""What does a process per session cost if it is forked from a warm zygote, and if it is spawned afresh?

The agent is that of the demo, with the local models. Workers are started one after the other; each is timed
from the request until it is ready. Memory as the kernel counts it: own (USS) is used by this process alone,
share (PSS) includes its part of what processes have in common. "In a call" is after an answer that the worker
has spoken; the large models run in another process. CPU time is the worker's until it is ready.

    python -m benchmarks.workers [--quick]

Targets for a forked worker: ready within 20 ms, 20 MB of its own.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from antiphon.server.port import WebsocketOpening
from antiphon.server.settings import ServerSettings
from antiphon.server.workers import WorkerHost

READY_MS, OWN_MB = 20, 20
PATIENCE = 60.0  # seconds to wait for an answer


@dataclass
class Cost:
    """Medians over workers, in milliseconds and MB."""

    ready_ms: float
    quickest_ms: float
    cpu_ms: float
    own_mb: float
    share_mb: float
    in_call_mb: float


class Caller:
    """An RTVI client that sends text, and listens until the agent has spoken."""

    def __init__(self) -> None:
        self.spoken = asyncio.Event()
        self._messages: asyncio.Queue[str] = asyncio.Queue()

    def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Send a message of the client."""
        self._messages.put_nowait(json.dumps({"label": "rtvi-ai", "type": kind, "id": kind, "data": data}))

    async def receive(self) -> str:
        """Return the next message of the client."""
        return await self._messages.get()

    def send(self, message: bytes | str) -> None:
        """Receive a message of the server."""
        if b"bot-stopped-speaking" in (message.encode() if isinstance(message, str) else message):
            self.spoken.set()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Do nothing: there is no connection."""


def memory(pid: int) -> tuple[float, float]:
    """Return a process's own memory (USS) and its share (PSS), in MB."""
    found: dict[str, float] = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, kib = line.split()[:2]
        found[name.rstrip(":")] = int(kib) * 1024 / 1e6
    return found["Private_Clean"] + found["Private_Dirty"], found["Pss"]


def cpu_ms(pid: int) -> float:
    """Return the CPU milliseconds that a process has used."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6


async def cost(*, fork: bool, workers: int) -> Cost:
    """Measure workers that are forked, or spawned."""
    host = WorkerHost(None, ServerSettings(warm=0), fork=fork)
    await host.start()
    try:
        for _ in range(workers):
            await host.start_warm()
        pids = [worker.child.pid for worker in host.warm if worker.child is not None]
        own, share = zip(*map(memory, pids), strict=True)
        ready = host.start_times
        return Cost(
            *(1e3 * median(ready), 1e3 * min(ready), median(map(cpu_ms, pids))),
            *(median(own), median(share), await in_call(host)),
        )
    finally:
        await host.close()


async def in_call(host: WorkerHost) -> float:
    """Return a worker's own memory after it has answered."""
    caller = Caller()
    caller.tell("client-ready", {"version": "2.0.0", "about": {"library": "benchmark"}})
    worker = await host.open(WebsocketOpening("benchmark", host.names[0], framing="json"), caller)
    caller.tell("send-text", {"content": "When do you open on Monday?"})
    async with asyncio.timeout(PATIENCE):
        await caller.spoken.wait()
    assert worker.child is not None
    return memory(worker.child.pid)[0]


async def main() -> int:
    """Measure and print; returns exit status 0 even if a target is missed, since machines differ."""
    quick = "--quick" in sys.argv
    forked = await cost(fork=True, workers=6 if quick else 20)
    spawned = await cost(fork=False, workers=2 if quick else 4)
    shown = Table("", "target", "forked", "spawned", "ratio")
    for name, target, unit, one, other in (
        ("ready after", f"{READY_MS}", "ms", forked.ready_ms, spawned.ready_ms),
        ("the quickest", "", "ms", forked.quickest_ms, spawned.quickest_ms),
        ("processor time", "", "ms", forked.cpu_ms, spawned.cpu_ms),
        ("own memory when ready", f"{OWN_MB}", "MB", forked.own_mb, spawned.own_mb),
        ("share of memory when ready", "", "MB", forked.share_mb, spawned.share_mb),
        ("own memory in a call", "", "MB", forked.in_call_mb, spawned.in_call_mb),
    ):
        shown.add_row(
            name,
            target and f"{target} {unit}",
            f"{one:.1f} {unit}",
            f"{other:.1f} {unit}",
            f"{other / one:.1f}",
        )
    Console().print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
