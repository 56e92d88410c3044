"""How long does a person wait for an answer, with the local models?

Each question is a call of its own, in real time. Measured is the voice-to-voice latency from the true end of
speech in the recording to the first sample that playout sends. It is compared, in the same run, with the same
models working one after the other: silence, end-of-turn model, transcript, first token, first sentence, first
audio. The local voice speaks the questions; recordings can be added on the command line.

    python -m benchmarks.voice_to_voice [--rounds N] [RECORDING.wav ...]
    python -m benchmarks.voice_to_voice --peers [--speech FOLDER] [--rounds N] [RECORDING.wav ...]

With `--peers` the callers, and those recorded in FOLDER, call Antiphon, Pipecat and LiveKit Agents with the
same models in turn (`side_by_side.py`).

Targets on two quiet cores: median 300 ms, 95th percentile 550 ms, at most 0.6 of the time without overlap and
half of the better peer's time, no reply lost.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from antiphon import Agent
from antiphon.audio.levels import find_speech, find_speech_end
from antiphon.context import Context, UserSaid
from antiphon.frames import PlayoutStarted
from antiphon.services.ports import Speech, TextDelta
from antiphon.telemetry.latency import PARTS, Latency, percentile, summarise
from antiphon.transports.caller import Caller, CallerLine

from .callers import HZ, INSTRUCTIONS, RECORDINGS, Question, recorded, recordings, synthesised, transcribed
from .side_by_side import TARGETS, compare

SILENCE = 0.192  # seconds of quiet: what the detector waits for
RATIO = 0.6  # the target: at most this part of the time without overlap


async def with_overlap(agent: Agent, question: Question) -> Latency:
    """Run one call as a user would have it."""
    stretches = find_speech(question.pcm, HZ, 0.1)
    caller = Caller([CallerLine(question.pcm, 0.3, "now")], HZ, linger=2.5)
    latency = Latency(
        lambda: [(begun + a / HZ, begun + b / HZ) for begun, _ in caller.spoken for a, b in stretches]
    )
    session = agent.session(caller, observers=[latency])
    session.on(PlayoutStarted, lambda _: asyncio.get_running_loop().call_later(0.3, hang_up))

    def hang_up() -> None:
        caller_hung_up.append(asyncio.ensure_future(session.cancel("the answer has begun")))

    caller_hung_up: list[asyncio.Task[None]] = []
    await session.run()
    return latency


async def without_overlap(agent: Agent, question: Question) -> dict[str, float]:
    """Return the seconds that each model takes if it waits for the one before it."""
    pcm = question.pcm[: find_speech_end(question.pcm, HZ) * 2] + bytes(int(SILENCE * HZ) * 2)
    took = {"silence": SILENCE}
    begun = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal begun
        now = time.perf_counter()
        took[name], begun = now - begun, now

    await agent.service("eot").score(pcm)
    lap("end of turn")

    words = await transcribed(agent.service("stt"), pcm)
    lap("transcript")
    said = ""
    async for item in agent.service("llm").generate(Context(INSTRUCTIONS, (UserSaid(words),))):
        if isinstance(item, TextDelta):
            if not said:
                lap("first token")
            said += item.text
            if said.rstrip()[-1:] in (".", "!", "?"):
                break
    lap("first sentence")

    async def pieces() -> AsyncIterator[str]:
        yield said

    async for item in agent.service("tts").speak(pieces()):
        if isinstance(item, Speech):
            break
    lap("first audio")
    return took


async def main() -> int:
    """Return exit status 1 if a reply was lost; a missed target is only reported."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.voice_to_voice", description=__doc__)
    parser.add_argument("recordings", nargs="*")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--peers", action="store_true", help="beside Pipecat and LiveKit Agents")
    parser.add_argument("--speech", type=Path, default=RECORDINGS, help="recorded callers for --peers")
    parser.add_argument(
        "--json", type=Path, default=Path(__file__).parent / "results" / "voice_to_voice.json"
    )
    options = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=190)
    agent = Agent(INSTRUCTIONS)
    questions = await synthesised(agent.service("tts")) + [recorded(path) for path in options.recordings]
    if options.peers:
        questions += recordings(options.speech)
        return await compare(questions, agent.service("stt"), options.rounds, console, options.json)
    await agent.open()
    await with_overlap(agent, questions[0])  # not counted: it pays for what is done only once
    turns, apart, lost = [], [], []
    rows = Table("question", "voice to voice", *PARTS, "without overlap", "said")
    for question in questions * options.rounds:
        latency = await with_overlap(agent, question)
        took = await without_overlap(agent, question)
        apart.append(took)
        answered = [turn for turn in latency.turns if turn.parts]
        turns += answered
        if not answered:
            lost.append(question.name)
        for turn in answered:
            parts = turn.parts or {}
            rows.add_row(
                question.name,
                f"{sum(parts.values()) * 1000:.0f}",
                *(f"{parts[part] * 1000:.0f}" for part in PARTS),
                f"{sum(took.values()) * 1000:.0f}",
                (turn.answer.said if turn.answer else "")[:60],
            )
    console.print(rows)
    summary = summarise(turns)
    if summary is None:
        console.print("no question was answered")
        return 1
    sums = sorted(sum(took.values()) * 1000 for took in apart)
    ours = {
        "median": summary.median["voice_to_voice"] * 1000,
        "95th percentile": summary.p95["voice_to_voice"] * 1000,
    }
    theirs = {"median": percentile(sums, 0.5), "95th percentile": percentile(sums, 0.95)}
    shown = Table("voice to voice", "ms", "target", "without overlap", "ratio")
    for name, value in ours.items():
        verdict = "met" if value <= TARGETS[name] else "missed"
        shown.add_row(
            name,
            f"{value:.0f}",
            f"{TARGETS[name]:.0f} {verdict}",
            f"{theirs[name]:.0f}",
            f"{value / theirs[name]:.2f}",
        )
    console.print(shown)
    console.print(f"{len(turns)} turns answered, replies lost: {', '.join(lost) or 'none'}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    figures = {
        "ours": ours,
        "without_overlap": theirs,
        "lost": lost,
        "parts": {"median": summary.median, "p95": summary.p95},
    }
    options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
