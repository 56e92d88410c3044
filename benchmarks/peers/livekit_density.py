"""What does a LiveKit Agents session cost while it listens, and while it talks?

CPU milliseconds a second of a session, twenty sessions side by side, on the one-core clock (`livekit_paced`
is the same in real time). Its voice activity detector comes in three ways: its own native one, as shipped;
the Silero plugin, loaded once for all sessions; the plugin, loaded for each.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from livekit import rtc
from livekit.agents import Agent, inference
from livekit.agents.vad import VAD
from livekit.plugins import silero

from benchmarks import Values, onecore
from benchmarks.gauges import cpu_ms_per_second

from .livekit_session import FRAME, SILENCE, VOICE, Call, InstantSTT, InstantTTS, Moments

SESSIONS = 20
WARM = 1.5  # seconds before the measuring
TURN = 100  # frames that each side of a dialogue speaks
APART = 9  # frames from one dialogue's turn to the next dialogue's

Run = Callable[[Coroutine[Any, Any, float]], float]
Signal = Callable[[int, int], rtc.AudioFrame]  # of a session's number and a frame's


def silence(session: int, tick: int) -> rtc.AudioFrame:
    """Yield silence."""
    return SILENCE


def turns(session: int, tick: int) -> rtc.AudioFrame:
    """Yield frames in which the user speaks and listens in turn."""
    return VOICE if (tick + session * APART) % (2 * TURN) < TURN else SILENCE


def measure(quick: bool, run: Run = onecore.run) -> Values:
    """`listening`, `listening_silero`; talking: `monologue` (of the agent), `dialogue` (in turn)."""
    seconds = 2.0 if quick else 4.0
    shared = silero.VAD.load()
    return {
        "listening": run(_cost(seconds)),
        "listening_silero": {
            "as shipped": run(_cost(seconds, lambda: inference.VAD(model="silero"))),
            "plugin": run(_cost(seconds, lambda: shared)),
            "plugin each": run(_cost(seconds, silero.VAD.load)),
        },
        "monologue": run(_cost(seconds, monologue=True)),
        "dialogue": run(_cost(seconds, signal=turns)),
    }


async def feed(calls: Sequence[Call], signal: Signal) -> None:
    """Give every session its 20 ms frame, every 20 ms."""
    loop = asyncio.get_running_loop()
    due, tick = loop.time(), 0
    while True:
        for number, call in enumerate(calls):
            call.microphone.push(signal(number, tick))
        tick += 1
        due += FRAME
        await asyncio.sleep(max(0.0, due - loop.time()))


async def _cost(
    seconds: float,
    vad: Callable[[], VAD | None] = lambda: None,
    signal: Signal = silence,
    monologue: bool = False,
) -> float:
    calls: list[Call] = []
    for _ in range(SESSIONS):
        tts = InstantTTS(seconds=FRAME, endless=True) if monologue else InstantTTS(seconds=TURN * FRAME)
        call = Call(vad(), InstantSTT(Moments()), tts=tts)
        await call.session.start(Agent(instructions="x"))
        calls.append(call)
        if monologue:
            call.session.say("this is a long sentence.")
    feeding = asyncio.create_task(feed(calls, signal))
    await asyncio.sleep(WARM)
    said = sum(call.speaker.seconds for call in calls)
    cost = await cpu_ms_per_second(seconds) / SESSIONS
    talks = monologue or signal is turns
    if talks and said == sum(call.speaker.seconds for call in calls):
        raise RuntimeError("no session said anything while it was to talk")
    feeding.cancel()
    await asyncio.gather(*(call.session.aclose() for call in calls))
    return cost - _feeding_ms() / FRAME


def _feeding_ms() -> float:
    """Return the CPU milliseconds that the benchmark itself spends on one frame."""
    queue: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()
    times, began = 10_000, time.process_time()
    for _ in range(times):
        queue.put_nowait(SILENCE)
        queue.get_nowait()
    return 1e3 * (time.process_time() - began) / times
