"""Voice-to-voice latency at the caller's ear beside the server's own figure.

The caller's questions go through the browser's microphone to the agent, and its voice comes back. The figure
at the ear has the way there and back in it: coding, sending, and the browser's jitter buffer, which grows
where the machine is busy; what it holds more than usual is told by the browser, and allowed for.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from antiphon.audio.resample import resample
from antiphon.services.ports import Speech, TextToSpeech
from antiphon.vendors import create

pytestmark = pytest.mark.e2e

RATE = 48000
QUESTIONS = ("What is the capital of France?", "How many days does a week have?", "What colour is the sky?")
WITHIN = 0.12  # seconds between the two figures
BUFFERED = 0.04  # seconds that the browser's jitter buffer holds where the machine is idle
BUSY = 1.0  # seconds of the server's own figure, beyond which the machine measures nothing but itself

TALK = """async ([kind, server]) => {
    bench.client = bench.antiphon({ transport: kind, start: { url: server + "/start" }, observe: true });
    await bench.client.connect();
}"""
JITTER = """async () => {
    const stats = bench.peers.length ? [...(await bench.peers[0].getStats()).values()] : [];
    const audio = stats.find(({ type, kind }) => type === "inbound-rtp" && kind === "audio");
    return audio ? audio.jitterBufferDelay / audio.jitterBufferEmittedCount : 0;
}"""


async def speech(voice: TextToSpeech, text: str) -> bytes:
    """A text in the local voice."""

    async def pieces() -> AsyncIterator[str]:
        yield text

    return b"".join([item.pcm async for item in voice.speak(pieces()) if isinstance(item, Speech)])


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., None]) -> Path:
    """What the caller asks, with time for the answers."""
    voice: TextToSpeech = create("tts", "local")
    quiet = np.random.default_rng(1).normal(0, 3, RATE * 8).astype(np.int16)
    parts = [quiet[: RATE * 2]]
    for question in QUESTIONS:
        pcm = resample(asyncio.run(speech(voice, question)), voice.sample_rate, RATE)
        parts += [np.frombuffer(pcm, np.int16), quiet]
    wav = tmp_path_factory.mktemp("questions") / "questions.wav"
    write_wav(wav, np.concatenate(parts))
    return wav


@pytest.fixture(scope="module")
def asking(questions: Path, open_browser: Callable[[Path], Any]) -> Any:
    """Chromium with this caller."""
    return open_browser(questions)


def turns(asking: Any, pages: str, server: str, kind: str) -> tuple[list[Any], float]:
    """The turns that were measured on both sides, and the seconds in the browser's jitter buffer."""
    with asking.new_context(permissions=["microphone"]) as context:
        page = context.new_page()
        page.goto(pages)
        page.wait_for_function("window.bench")
        page.evaluate(TALK, [kind, server])
        heard = "bench.client.turns.filter((turn) => turn.atEar)"
        page.wait_for_function(f"{heard}.length >= {len(QUESTIONS)}", timeout=90_000)
        buffered = page.evaluate(JITTER)
        found = page.evaluate(heard)
        page.evaluate("bench.client.disconnect()")
    for turn in found:
        figures = f"{turn['voiceToVoice']:.3f} s, at the ear {turn['atEar']:.3f} s"
        print(f"{kind}, {buffered:.3f} s of jitter buffer: {turn['user']} {figures}")  # noqa: T201
    return found, buffered


def agree(found: list[Any], buffered: float) -> None:
    """Assert that the two figures do."""
    differences = [turn["atEar"] - turn["voiceToVoice"] for turn in found]
    assert abs(median(differences)) < WITHIN + max(0.0, buffered - BUFFERED), differences


@pytest.mark.parametrize("kind", ["webrtc", "websocket"])
def test_with_an_agent_that_costs_nothing(asking: Any, pages: str, server: str, kind: str) -> None:
    agree(*turns(asking, pages, server, kind))


@pytest.mark.parametrize("kind", ["webrtc", "websocket"])
def test_with_the_local_models(asking: Any, pages: str, local_server: str, kind: str) -> None:
    found, buffered = turns(asking, pages, local_server, kind)
    words = " ".join(turn["user"].lower() for turn in found)
    assert any(word in words for word in ("capital", "days", "colour", "color"))
    if median(turn["voiceToVoice"] for turn in found) > BUSY:
        pytest.skip("this machine is too busy to measure latency with the local models")
    agree(found, buffered)
