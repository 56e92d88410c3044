"""What does a phone call cost the server, and how much delay does the server add, with a hundred calls?

A server, started in its own process as by `antiphon serve`, receives calls over a provider's websocket. The
callers, in another process, send 20 ms of mu-law every 20 ms, each call with a small offset. They listen to a
greeting, ask something, listen to the answer, and so on. Voice activity detection is real; the other
services answer at once.

    python -m benchmarks.phone [--calls 100] [--seconds 30]

Measured are the server's CPU time, every frame of 20 ms that the callers and the agent send, and the jitter:
how much later than the earliest frame each one arrives, on its way in at the first part of the pipeline and
on its way out at the caller. The added delay is the sum of both percentiles, an upper bound.

Targets: no frame lost, 20 ms of added delay at the 95th percentile, 0.8 % of a core per call.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import subprocess
import sys
import time
import urllib.request
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from rich.console import Console
from rich.table import Table

from antiphon import Agent
from antiphon.audio.g711 import encode_mulaw
from antiphon.audio.resample import resample
from antiphon.frames import UserAudio
from antiphon.pipeline import Part
from antiphon.processor import Processor, on
from antiphon.telemetry.latency import percentile
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.transports.port import Transport

HZ, FRAME = 8000, 160
LOST, DELAY_MS, CORE = 0, 20.0, 0.8
TURN = 6.0  # seconds from one question of a caller to the next
QUESTION = 1.6  # seconds of speech
MEDIA = (
    '{"event":"media","streamSid":"%s",'
    '"media":{"track":"inbound","chunk":"%d","timestamp":"%d","payload":"%s"}}'
)

# The server ------------------------------------------------------------------------------------------


class Arrivals(Processor):
    """Stands behind the transport's input and records how much audio a session got, and how late."""

    def __init__(self) -> None:
        self.samples = 0
        self.late: list[float] = []

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.samples += len(frame.pcm) // 2
        self.late.append(self.session.now - self.samples / frame.sample_rate)
        self.push(frame)


class Watched(Agent):
    """An agent with an `Arrivals` in each session."""

    kept: list[Arrivals]

    def pipeline(self, transport: Transport) -> list[Part]:
        first, *rest = super().pipeline(transport)
        self.kept.append(Arrivals())
        return [first, self.kept[-1], *rest]


def agent() -> Watched:
    """Return an agent with real voice activity detection and other services that answer at once."""
    made = Watched(
        "You are brief.",
        stt=ScriptedSTT(["what are your opening hours"] * 10_000),
        llm=ScriptedLLM(["We are open from nine to five, and on Saturdays until noon."] * 100_000),
        tts=ScriptedTTS(),
        eot=None,
        greeting="Hello, this is the bicycle shop. How can I help you?",
    )
    made.kept = []
    return made


def serve(port: int) -> None:
    """Serve until standard input ends, then print what arrived."""
    import uvicorn

    from antiphon.server.app import app
    from antiphon.server.run import configured, run
    from antiphon.server.settings import ServerSettings

    served = agent()
    settings = ServerSettings(
        port=port, capacity=1000, half_open=1000, burst=1000, per_minute=10_000, check_signatures=False
    )
    server = uvicorn.Server(configured(app({"shop": served}, settings), settings))

    async def until_told() -> None:
        task = asyncio.create_task(server.serve())
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        server.should_exit = True
        await task

    run(until_told())
    print(json.dumps([[kept.samples, spread(kept.late)] for kept in served.kept]))


def spread(late: list[float]) -> list[float]:
    """Return how much later than the earliest each frame is, in ms."""
    least = min(late, default=0.0)
    return [round((each - least) * 1000, 3) for each in late]


# The callers -----------------------------------------------------------------------------------------


@dataclass
class Heard:
    """What a caller sent and received, with the arrival time of each piece of the agent's voice."""

    sent: int = 0
    bytes: int = 0
    lost: bool = False
    own: list[float] = field(default_factory=list[float])
    """How late the caller itself sent each frame."""
    stretches: list[list[tuple[float, int]]] = field(default_factory=list[list[tuple[float, int]]])


async def voice() -> list[str]:
    """Return a question spoken by the local voice, and silence after it, as base64 of 20 ms each."""
    from antiphon.vendors.local.tts import Hibari

    from .callers import HZ as SPOKEN_HZ
    from .callers import synthesised

    question = (await synthesised(Hibari()))[0]
    pcm = resample(question.pcm, SPOKEN_HZ, HZ)[: int(QUESTION * HZ) * 2]
    pcm = pcm.ljust(int(TURN * HZ) * 2, b"\0")
    return [
        b64encode(encode_mulaw(pcm[at : at + 2 * FRAME])).decode() for at in range(0, len(pcm), 2 * FRAME)
    ]


class Caller(asyncio.Protocol):
    """One caller's websocket (RFC 6455), kept minimal so that callers do not slow the server down."""

    def __init__(self, number: int, path: str) -> None:
        self.heard = Heard()
        self.sid = f"MZ{number:032d}"
        self.number = number
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._path = path
        self._buffer = bytearray()
        self._last = -math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        asked = (
            f"GET {self._path} HTTP/1.1",
            *("Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"),
            *("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
        )
        self._transport.write("\r\n".join([*asked, "", ""]).encode())

    def send(self, text: str) -> None:
        data = text.encode()
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
        self._transport.write(b"\x81" + size + bytes(4) + data)  # masked with zeros

    def begin(self) -> None:
        call = {"streamSid": self.sid, "callSid": f"CA{self.number:032d}", "accountSid": "AC0"}
        call |= {"tracks": ["inbound"], "customParameters": {}}
        call |= {"mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": HZ, "channels": 1}}
        self.send(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        self.send(json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": self.sid, "start": call}))

    def connection_lost(self, exc: Exception | None) -> None:
        self.heard.lost = True

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self.ready.done():
            head, found, rest = bytes(buffer).partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.partition(b"\r\n")[0]:
                self.ready.set_exception(RuntimeError(head.decode()))
                return
            buffer[:] = rest
            self.ready.set_result(None)
        while len(buffer) >= 2:
            size, at = buffer[1], 2
            if size == 126:
                size, at = int.from_bytes(buffer[2:4], "big"), 4
            if len(buffer) < at + size:
                return
            code, message = buffer[0] & 15, bytes(buffer[at : at + size])
            del buffer[: at + size]
            if code == 1:
                self._received(message)

    def _received(self, message: bytes) -> None:
        if message.startswith(b'{"event":"media"'):
            now, heard = time.monotonic(), self.heard
            payload = message[message.index(b'"payload":"') + 11 : message.rindex(b'"}')]
            size = len(payload) * 3 // 4 - payload[-2:].count(b"=")
            if now - self._last > 0.5:
                heard.stretches.append([])
            self._last = now
            heard.stretches[-1].append((now, size))
            heard.bytes += size
        elif b'"mark"' in message:
            self.send(message.decode())

    async def talk(self, seconds: float, frames: list[str]) -> None:
        """Send 20 ms of audio every 20 ms."""
        self.begin()
        loop, heard = asyncio.get_running_loop(), self.heard
        begun, silent = loop.time(), int(TURN / 2 / 0.02) + self.number % 50
        for index in range(int(seconds * 50)):
            due = begun + index * 0.02
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            heard.own.append(loop.time() - due)
            payload = frames[(index - silent) % len(frames)] if index >= silent else frames[-1]
            self.send(MEDIA % (self.sid, index + 1, index * 20, payload))
            heard.sent += 1
        await asyncio.sleep(0.5)
        self.send(json.dumps({"event": "stop", "streamSid": self.sid}))


async def call(number: int, port: int, seconds: float, frames: list[str], begin: float) -> Heard:
    """Run one caller, who calls at `begin`."""
    url = await asyncio.to_thread(answered, port, number)
    await asyncio.sleep(max(0.0, begin - time.monotonic()))
    path = "/" + url.split("/", 3)[3]
    loop = asyncio.get_running_loop()
    transport, caller = await loop.create_connection(lambda: Caller(number, path), "127.0.0.1", port)
    await caller.ready
    await caller.talk(seconds, frames)
    transport.close()
    return caller.heard


def answered(port: int, number: int) -> str:
    """Call the webhook, and return the websocket's address from its response."""
    body = f"CallSid=CA{number:032d}&From=%2B4930{number}&To=%2B49301".encode()
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/phone/twilio", body, method="POST")
    with urllib.request.urlopen(asked, timeout=30) as response:
        document = response.read().decode()
    return document.split('url="')[1].split('"')[0].replace("&amp;", "&")


async def load(calls: int, port: int, seconds: float, server: int) -> dict[str, Any]:
    """Run all callers at once, and measure the server's CPU time while all are connected."""
    frames = await voice()
    begin = time.monotonic() + 2.0
    tasks = [
        asyncio.create_task(call(number, port, seconds, frames, begin + number * 0.011))
        for number in range(calls)
    ]
    await asyncio.sleep(max(0.0, begin + calls * 0.011 + 1.0 - time.monotonic()))
    before, at = cpu(server), time.monotonic()
    await asyncio.sleep(seconds - calls * 0.011 - 2.0)
    used = (cpu(server) - before) / (time.monotonic() - at)
    heard = await asyncio.gather(*tasks)
    late: list[float] = []
    for each in heard:
        for stretch in each.stretches:
            played, lateness = 0, list[float]()
            for arrived, size in stretch:
                lateness.append(arrived - played / HZ)
                played += size
            late += spread(lateness)
    return {
        "cpu": used,
        "sent": [each.sent for each in heard],
        "heard": [each.bytes for each in heard],
        "late": late,
        "own": [each * 1000 for caller in heard for each in caller.own],
        "load": os.times().user + os.times().system,
        "stretches": [len(each.stretches) for each in heard],
    }


def cpu(process: int) -> float:
    """Return the seconds of CPU time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Both ------------------------------------------------------------------------------------------------


def measure(calls: int, seconds: float, port: int = 17860) -> dict[str, float]:
    """Return the figures of one run."""
    program = [sys.executable, "-m", "benchmarks.phone"]
    serving = [*program, "--serve", str(port)]
    server = subprocess.Popen(serving, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    calling = [*program, "--load", str(port), "--of", str(server.pid)]
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=1).close()
                break
            time.sleep(0.1)
        first = [*calling, "--calls", "1", "--seconds", "5"]  # loads everything that is loaded lazily
        subprocess.run(first, check=True, stdout=subprocess.DEVNULL)
        all_of_them = [*calling, "--calls", str(calls), "--seconds", str(seconds)]
        loaded = subprocess.run(all_of_them, check=True, stdout=subprocess.PIPE, text=True)
        told, _ = server.communicate("", timeout=60)
    finally:
        server.kill()
    out = json.loads(loaded.stdout.splitlines()[-1])
    arrived = json.loads(told.splitlines()[-1])[1:]
    late_in = sorted(late for _, session in arrived for late in session)
    late_out = sorted(out["late"])
    return {
        "calls": calls,
        "core_percent": out["cpu"] * 100 / calls,
        "lost_in": sum(out["sent"]) - sum(samples for samples, _ in arrived) / FRAME,
        "turns": sum(out["stretches"]) / calls,
        "own_ms_95": percentile(sorted(out["own"]), 0.95),
        "in_ms_50": percentile(late_in, 0.5),
        "in_ms_95": percentile(late_in, 0.95),
        "out_ms_50": percentile(late_out, 0.5),
        "out_ms_95": percentile(late_out, 0.95),
        "added_ms_95": percentile(late_in, 0.95) + percentile(late_out, 0.95),
    }


def main() -> int:
    """Measure and print; returns exit status 1 if frames were lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--load", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--of", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(chosen.serve)
        return 0
    if chosen.load:
        print(json.dumps(asyncio.run(load(chosen.calls, chosen.load, chosen.seconds, chosen.of))))
        return 0
    figures = measure(chosen.calls, chosen.seconds)
    shown = Table(f"{chosen.calls} calls, {chosen.seconds:g} s", "", "target")
    way_in = f"{figures['in_ms_50']:.1f} / {figures['in_ms_95']:.1f} ms"
    way_out = f"{figures['out_ms_50']:.1f} / {figures['out_ms_95']:.1f} ms"
    rows = (
        ("frames of the callers lost", f"{figures['lost_in']:.0f}", f"{LOST}"),
        ("server, of a core a call", f"{figures['core_percent']:.2f} %", f"{CORE} %"),
        ("delay added on the way in, median / 95th", way_in, ""),
        ("on the way out", way_out, ""),
        ("both, 95th", f"{figures['added_ms_95']:.1f} ms", f"{DELAY_MS:g} ms"),
        ("of that the callers' own delay, 95th", f"{figures['own_ms_95']:.1f} ms", ""),
        ("times that the agent spoke, a call", f"{figures['turns']:.1f}", ""),
    )
    for row in rows:
        shown.add_row(*row)
    Console().print(shown)
    return 1 if figures["lost_in"] > 0 else 0


if __name__ == "__main__":
    sys.exit(main())
