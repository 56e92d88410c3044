"""What does a WebRTC session cost, and with how much delay does it hear the user?

    python -m benchmarks.webrtc [--sessions 10] [--seconds 10] [--engines aiortc wrtc plain] [--json FILE]

Compared are both engines and plain aiortc. The sessions run in a process of their own, whose CPU time is
measured; this process plays their browsers. The uplink delay is from a sample at the microphone to its frame
in the pipeline, including the 20 ms that it takes to fill a packet.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiortc
import numpy as np
from aiortc.mediastreams import MediaStreamError
from av import AudioFrame, AudioResampler
from rich.console import Console
from rich.table import Table

from antiphon.frames import AgentAudio, UserAudio
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.server.run import run
from antiphon.session import Session
from antiphon.testing.browser import Browser
from antiphon.transports.webrtc import WebRTC, WebRTCSettings
from antiphon.transports.webrtc.aiortc import Aiortc
from antiphon.transports.webrtc.engine import EngineListener

TITLES = {"plain": "aiortc as it comes", "aiortc": "aiortc", "wrtc": "wrtc"}
TARGETS = {"listening": 4.0, "talking": 4.0, "uplink": 45.0}
BURST, EVERY = 0.1, 0.5  # seconds
LOUD = 3000


# The side that is measured --------------------------------------------------------------------------------


class Onsets(Processor):
    """Notes when the user's bursts arrive, on the monotonic clock that all processes share."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self._loud = False

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        loud = bool(np.abs(np.frombuffer(frame.pcm, "<i2").astype(np.int32)).max(initial=0) > LOUD)
        if loud and not self._loud:
            self.times.append(self.session.clock.now())
        self._loud = loud


class Talker(Processor):
    """Lets the agent talk without end."""

    def talk(self, seconds: int) -> None:
        noise = np.random.default_rng(0).normal(0, 2000, 24000).astype("<i2").tobytes()
        self.session.new_reply(lambda reply: self.push(AgentAudio(reply.number, noise * seconds, 24000)))


class Plain(Aiortc):
    """The engine as most programs use it: aiortc's own jitter buffer, decoder thread and stereo encoder."""

    def __init__(self, settings: WebRTCSettings, listener: EngineListener) -> None:
        super().__init__(settings, listener)
        self._voice = PlainVoice()
        self._listening: asyncio.Task[None] | None = None

    def _arrange(self) -> None:
        for transceiver in self._pc.getTransceivers():
            if transceiver.kind == "audio":
                self._listening = asyncio.create_task(self._listen(transceiver.receiver.track))

    async def _listen(self, track: aiortc.MediaStreamTrack) -> None:
        resampler = AudioResampler("s16", "mono", 16000)
        with suppress(MediaStreamError):
            while True:
                for frame in resampler.resample(await track.recv()):
                    self._heard.packets += 1
                    self._listener.on_audio(frame.to_ndarray().tobytes())


class PlainVoice(aiortc.MediaStreamTrack):
    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._said: asyncio.Queue[AudioFrame] = asyncio.Queue()
        self._at = 0

    def send(self, pcm: bytes | None) -> None:
        frame = AudioFrame.from_ndarray(np.frombuffer(pcm or bytes(960), "<i2")[np.newaxis], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 24000, self._at, Fraction(1, 24000)
        self._at += 480
        self._said.put_nowait(frame)

    async def recv(self) -> AudioFrame:
        return await self._said.get()


class Server:
    """Runs the sessions, controlled by lines of JSON on standard input."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.calls: list[tuple[WebRTC, Onsets, Talker, Session]] = []
        self.running: list[asyncio.Task[None]] = []

    async def do(self, what: str, number: int, request: dict[str, Any]) -> Any:
        if what == "open":
            settings = WebRTCSettings(engine="wrtc" if self.engine == "wrtc" else "aiortc")
            line = WebRTC(settings, engine=Plain if self.engine == "plain" else None)
            onsets, talker = Onsets(), Talker()
            playout = Playout(line.sample_rate, lead=line.lead)
            session = Session([line.input, onsets, talker, playout, line.output])
            self.calls.append((line, onsets, talker, session))
            self.running.append(asyncio.create_task(session.run()))
            return None
        line, onsets, talker, session = self.calls[number]
        match what:
            case "offer":
                return await line.offer(request)
            case "candidates":
                return await line.candidates(request)
            case "talk":
                return talker.talk(60)
            case "cpu":
                return time.process_time()
            case "onsets":
                return onsets.times
            case _:
                return await session.cancel("done")

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=1 << 20)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            answer = await self.do(*json.loads(line))
            print(json.dumps(answer), flush=True)


# The browsers -----------------------------------------------------------------------------------------------


class Far:
    """The server's process, as the browsers' process controls it."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> "Far":
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.webrtc", "--serve", self.engine),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._process.stdin.close()
        await self._process.wait()

    async def ask(self, what: str, number: int = 0, request: Mapping[str, Any] | None = None) -> Any:
        async with self._asking:
            self._process.stdin.write(json.dumps([what, number, request]).encode() + b"\n")
            line = await self._process.stdout.readline()
            if not line:
                raise SystemExit(f"the process of {self.engine} has ended")
            return json.loads(line)


async def measure(engine: str, sessions: int, seconds: float) -> dict[str, float]:
    """Return per session: CPU in per cent of a core, listening and talking, and the uplink delay in ms."""
    burst = (np.sin(np.arange(int(BURST * 48000)) * 0.06) * 12000).astype("<i2").tobytes()
    async with Far(engine) as far:
        browsers: list[Browser] = []
        for number in range(sessions):
            await far.ask("open", number)
            browsers.append(
                Browser(
                    lambda request, number=number: far.ask("offer", number, request),
                    lambda request, number=number: far.ask("candidates", number, request),
                )
            )
            await browsers[-1].connect()
        cpu: dict[str, float] = {}
        await asyncio.sleep(2)
        for mode in ("listening", "talking"):
            if mode == "talking":
                for number in range(sessions):
                    await far.ask("talk", number)
                await asyncio.sleep(1)
            before, begun = await far.ask("cpu"), time.monotonic()
            while time.monotonic() - begun < seconds:
                for browser in browsers:
                    browser.microphone.say(burst)
                    await asyncio.sleep(EVERY / sessions)
            cpu[mode] = (await far.ask("cpu") - before) / (time.monotonic() - begun) / sessions * 100
        delays = [
            min((heard - spoken for heard in await far.ask("onsets", number) if heard > spoken), default=9.0)
            for number, browser in enumerate(browsers)
            for spoken in browser.microphone.spoken
        ]
        for number, browser in enumerate(browsers):
            await browser.close()
            await far.ask("close", number)
    p50, p95 = np.percentile(delays, [50, 95]) * 1000
    return {**cpu, "uplink": float(p50), "uplink_p95": float(p95)}


async def main(options: argparse.Namespace) -> None:
    """Measure each engine, and print the figures side by side."""
    results = {name: await measure(name, options.sessions, options.seconds) for name in options.engines}
    shown = Table(f"{options.sessions} sessions", *(TITLES[name] for name in results), "at most")
    for key, what in ROWS.items():
        target = TARGETS.get(key)
        cells = [f"{values[key]:.1f}" for values in results.values()]
        shown.add_row(what, *cells, "" if target is None else f"{target:g}")
    console = Console()
    console.print(shown)
    for name, key in [(name, key) for name in results if name != "plain" for key in TARGETS]:
        verdict = "met" if results[name][key] <= TARGETS[key] else "missed"
        console.print(f"{TITLES[name]}: {ROWS[key]}: {verdict}")
    if options.json is not None:
        options.json.write_text(
            json.dumps({"sessions": options.sessions, "results": results}, indent=2) + "\n"
        )


ROWS = {
    "listening": "CPU, % of a core: agent listens",
    "talking": "CPU, % of a core: both talk",
    "uplink": "uplink, ms, median",
    "uplink_p95": "uplink, ms, 95th percentile",
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webrtc", description=__doc__)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--engines", nargs="+", choices=TITLES, default=list(TITLES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", choices=TITLES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    run(Server(chosen.serve).serve() if chosen.serve else main(chosen))
