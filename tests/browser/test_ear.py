"""Voice-to-voice latency at the caller's ear beside the server's own figure: real speech, local models.

The caller's questions go through the browser's microphone to the agent, and its voice comes back.
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


async def speech(voice: TextToSpeech, text: str) -> bytes:
    """A text in the local voice."""

    async def pieces() -> AsyncIterator[str]:
        yield text

    return b"".join([item.pcm async for item in voice.speak(pieces()) if isinstance(item, Speech)])


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory, write_wav: Callable[..., None]) -> Path:
    """What the caller asks, with time for the answers."""
    voice: TextToSpeech = create("tts", "local")
    quiet = np.random.default_rng(1).normal(0, 3, RATE * 9).astype(np.int16)
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


@pytest.mark.parametrize("kind", ["webrtc", "websocket"])
def test_voice_to_voice_at_the_ear(asking: Any, pages: str, local_server: str, kind: str) -> None:
    with asking.new_context(permissions=["microphone"]) as context:
        page = context.new_page()
        page.goto(pages)
        page.wait_for_function("window.bench")
        page.evaluate(
            """async ([kind, server]) => {
                bench.client = bench.antiphon({ transport: kind, start: { url: server + "/start" }, observe: true });
                await bench.client.connect();
            }""",
            [kind, local_server],
        )
        page.wait_for_function(
            f"bench.client.turns.filter((turn) => turn.atEar).length >= {len(QUESTIONS)}", timeout=90_000
        )
        turns = page.evaluate("bench.client.turns.filter((turn) => turn.atEar)")
        page.evaluate("bench.client.disconnect()")
    for turn in turns:
        print(f"{kind}: {turn['user']!r} {turn['voiceToVoice']:.3f} at the ear {turn['atEar']:.3f}")  # noqa: T201
    differences = [turn["atEar"] - turn["voiceToVoice"] for turn in turns]
    assert abs(median(differences)) < WITHIN, differences
    words = " ".join(turn["user"].lower() for turn in turns)
    for word in ("capital", "france", "days", "week", "sky"):
        assert word in words
