"""Speech to speech: what does an hour lose to hang-ups, how fast is an interruption, what does Antiphon add?

    python -m benchmarks.realtime [--minutes 60] [--only openai google ...] [--json FILE]

First, calls of an hour through each vendor's server on loopback, in virtual time, with hang-ups every eight
minutes: known before, or out of the blue (in silence, in the user's turn, at its end, in the answer, in a
tool). "more" is how much later answers began than in the same call without hang-ups; opening a connection
takes 0.18 s. Then an interruption by voice, of a cascade and of a realtime model with the same lines. Then,
in real time, what lies between the first message with the agent's voice at the websocket and its first frame
at the transport's output.
"""

import argparse
import asyncio
import json
import logging
import multiprocessing
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from antiphon import Agent
from antiphon.frames import AgentAudio, PlayoutPaused, ReplyEnded, UserText
from antiphon.processor import Processor, on
from antiphon.services.composite import Composite
from antiphon.telemetry.latency import percentile
from antiphon.testing import LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS, loud, run_virtual
from antiphon.testing.assertions import HeldCall
from antiphon.testing.loopback.openai_realtime import OpenAIRealtimeServer
from antiphon.testing.loopback.server import KEY
from antiphon.transports.caller import Caller, CallerLine
from antiphon.vendors.openai.realtime import Realtime as OpenAI

from .long_calls import VENDORS, Place, Script, Whose, hold, script, summary

EVERY = 480.0  # seconds
MORE_MS = 300.0  # in a turn, at most
ADDS_MS = 0.5
PLACES: tuple[Place, ...] = ("silence", "user", "asked", "reply")
ANSWERS = 200
LINE = "Of course. We are open from nine to five, and on Saturdays until one. Shall I book a time for you?"

Figures = dict[str, Any]


# An hour ---------------------------------------------------------------------------------------------


def hours(names: Sequence[str], minutes: float) -> list[Figures]:
    """Hold the long calls; returns the figures of each."""
    figures: list[Figures] = []
    for name in names:
        for whose in ("ours", "theirs"):
            if VENDORS[name].model("").detection in ("either", whose):
                figures += _hours(name, whose, minutes)
    return figures


def _hours(name: str, whose: Whose, minutes: float) -> list[Figures]:
    longest = 6.0 if name == "openai_live" else 45.0  # its server tells nothing in a long turn
    figures: list[Figures] = []
    for tools in (False, True):
        said = script(minutes * 60, barge_ins=not tools, longest=longest)
        base = hold(name, said, whose=whose, tools=tools)
        ways: dict[str, tuple[Place, ...]] = {"known": (), "in a tool": ("tool",)}
        if not tools:
            ways = {"known": (), "out of the blue": PLACES}
        for way, places in ways.items():
            call = hold(name, said, whose=whose, tools=tools, every=EVERY, places=places)
            figures.append({"vendor": name, "turns_by": whose, "tools": tools, "hang_ups_are": way}
                           | summary(call, base, said) | _unanswered(call.replies, said, tools))  # fmt: skip
    return figures


def _unanswered(replies: Sequence[str], said: Script, tools: bool) -> Figures:
    """Return what differs with tools, whose answers do not say what they answer."""
    answers = len([text for text in replies if text])
    return {"lost": list(range(len(said.lines) - answers)), "others": []} if tools else {}


def show_hours(figures: Sequence[Figures], console: Console) -> None:
    """Print the table of the long calls."""
    table = Table("vendor", "turns by", "hang-ups", "renewals are", title=f"more in a turn: ≤ {MORE_MS:g} ms")
    for heading in ("turns", "lost (target 0)", "twice (0)", "failures", "median more ms", "worst more ms"):
        table.add_column(heading, justify="right")
    for one in figures:
        more = [one["median_ms"], one["worst_ms"]]
        counts = [one["turns"], *(len(one[key]) for key in ("lost", "twice", "failures"))]
        way = one["hang_ups_are"] + (
            ", with tools" if one["tools"] and one["hang_ups_are"] == "known" else ""
        )
        cells = [*counts, *("" if value is None else f"{value:.1f}" for value in more)]
        table.add_row(one["vendor"], one["turns_by"], str(one["hang_ups"]), way, *map(str, cells))
    console.print(table)


# Interruptions ---------------------------------------------------------------------------------------


def interruptions() -> dict[str, float]:
    """Return milliseconds from the start of the user's speech to the agent's silence."""
    stt, llm = ScriptedSTT(["stop it please"] * 9), ScriptedLLM([LINE] * 9)
    heard: dict[str, Any] = {"stt": stt, "llm": llm, "tts": ScriptedTTS()}
    turns: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()}
    return {
        "cascade": run_virtual(_interrupted(Agent("Be brief.", **heard, **turns))),
        "composite": run_virtual(_interrupted(Agent("Be brief.", realtime=Composite(**heard), **turns))),
        "openai, our turns": run_virtual(_interrupted_over_loopback(turns)),
        "openai, its turns": run_virtual(_interrupted_over_loopback({"vad": None, "eot": None})),
    }


async def _interrupted_over_loopback(turns: dict[str, Any]) -> float:
    async with OpenAIRealtimeServer() as server:
        return await _interrupted(Agent("Be brief.", realtime=OpenAI(key=KEY, base_url=server.url), **turns))


async def _interrupted(agent: Agent) -> float:
    caller = Caller(
        [CallerLine(loud(0.8), 0.7, "now"), CallerLine(loud(1.2), 0.6, "barge-in")], 16000, linger=2.0
    )
    call = HeldCall(agent.pipeline(caller))
    async with call:
        await call.session.wait()
    await agent.close()
    begun = caller.spoken[1][0]
    ended = min(at for at in (*call.times(PlayoutPaused), *call.times(ReplyEnded)) if at > begun)
    return (ended - begun) * 1e3


# What is added ---------------------------------------------------------------------------------------


class _Output(Processor):
    """The last part of a transport: notes when the first frame of each reply came."""

    def __init__(self) -> None:
        self.came = asyncio.Queue[float]()
        self._reply = 0

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        if frame.reply != self._reply:
            self._reply = frame.reply
            self.came.put_nowait(time.perf_counter())


class _Line:
    """A transport without a caller."""

    sample_rate = 24000
    lead = 0.0
    observers = ()

    def __init__(self) -> None:
        self.input = Processor()
        self.output = _Output()


def _serve(told: Connection) -> None:
    async def run() -> None:
        async with OpenAIRealtimeServer() as server:
            told.send(server.url)
            await asyncio.get_running_loop().create_future()

    asyncio.run(run())


async def _added(url: str) -> list[float]:
    """Return milliseconds from the first voice at the websocket to its first frame at the output."""
    from websockets.asyncio.client import ClientConnection

    arrived: list[float] = []
    received = ClientConnection.data_received

    def data_received(self: ClientConnection, data: bytes) -> None:
        if b"response.output_audio.delta" in data:
            arrived.append(time.perf_counter())
        received(self, data)

    ClientConnection.data_received = data_received
    line, added = _Line(), list[float]()
    agent = Agent("Be brief.", realtime=OpenAI(key=KEY, base_url=url), vad=None, eot=None)
    try:
        async with agent.session(line) as session:
            for place in range(ANSWERS):
                arrived.clear()
                session.send(UserText(f"No. {place}"))
                came = await line.output.came.get()
                added.append((came - arrived[0]) * 1e3)
                session.interrupt()
                await asyncio.sleep(0.1)
    finally:
        ClientConnection.data_received = received
        await agent.close()
    return sorted(added[10:])


def what_is_added() -> dict[str, float]:
    """Return median and p95 in milliseconds, the server being a process of its own."""
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,), daemon=True)
    server.start()
    try:
        added = asyncio.run(_added(here.recv()))
    finally:
        server.terminate()
    return {"median_ms": percentile(added, 0.5), "p95_ms": percentile(added, 0.95)}


def main() -> None:
    """Measure all, and print targets beside values."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realtime")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long each call is; 0 for none")
    parser.add_argument(
        "--only", nargs="+", choices=VENDORS, default=list(VENDORS), help="only these vendors"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the figures")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    console = Console() if Console().is_terminal else Console(width=140)
    added = what_is_added()
    console.print(f"between the vendor's first voice and the output: median {added['median_ms']:.2f} ms, "
                  f"p95 {added['p95_ms']:.2f} ms (target: median < {ADDS_MS:g} ms)")  # fmt: skip
    silences = interruptions()
    table = Table("interruption to silence", "ms (target: as the cascade)")
    for name, ms in silences.items():
        table.add_row(name, f"{ms:.0f}")
    console.print(table)
    calls = hours(options.only, options.minutes) if options.minutes else []
    if calls:
        show_hours(calls, console)
    if options.json:
        figures = {"added": added, "interruption_ms": silences, "calls": calls}
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
