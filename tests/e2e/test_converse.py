"""A whole spoken conversation through the program: real models, real time, and the wav listened to again."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import AsyncGenerator
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import pytest

from antiphon.audio.levels import find_speech, peak
from antiphon.audio.resample import resample
from antiphon.audio.wav import WavAudio, read, write
from antiphon.cli.calls import CALLER_HZ
from antiphon.cli.demo import SCRIPT, caller_lines
from antiphon.services.ports import AudioChunk, Flush
from antiphon.telemetry.latency import PARTS
from antiphon.vendors.local.stt import Whisper

pytestmark = pytest.mark.e2e

MAIN = "from antiphon.cli import main; main()"
QUIET = bytes(2 * CALLER_HZ)  # a second


def antiphon(*line: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", MAIN, *map(str, line)]
    return subprocess.run(command, capture_output=True, text=True, timeout=400)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", text.lower())


def alike(one: str, other: str) -> float:
    return SequenceMatcher(None, words(one), words(other), autojunk=False).ratio()


async def transcribed(pcm: bytes) -> str:
    async def audio() -> AsyncGenerator[AudioChunk | Flush, None]:
        yield AudioChunk(pcm)
        yield Flush(final=True)

    return " ".join([heard.text async for heard in Whisper().transcribe(audio()) if heard.final])


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], WavAudio]:
    """The demo's caller as one recording, without cues: two questions, ten seconds apart."""
    folder = tmp_path_factory.mktemp("call")
    first, second, *_ = asyncio.run(caller_lines())
    write(
        folder / "caller.wav",
        WavAudio(5 * QUIET + first.pcm + 10 * QUIET + second.pcm + 2 * QUIET, CALLER_HZ),
    )
    written = ("--out", folder / "call.wav", "--json", folder / "report.json")
    result = antiphon("converse", folder / "caller.wav", *written)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads((folder / "report.json").read_text()), read(folder / "call.wav")


def test_every_turn_is_understood_and_answered(call: tuple[dict[str, Any], WavAudio]) -> None:
    report, _ = call
    assert len(report["turns"]) == 2
    for turn, (said, _, _) in zip(report["turns"], SCRIPT, strict=False):
        assert alike(turn["user"], said) > 0.8
        assert turn["heard"]


def test_the_waterfall_is_sensible(call: tuple[dict[str, Any], WavAudio]) -> None:
    for turn in call[0]["turns"]:
        assert turn["measured_from"] == "recording"
        assert tuple(turn["parts_ms"]) == PARTS
        assert sum(turn["parts_ms"].values()) == turn["voice_to_voice_ms"]
        assert 200 <= turn["parts_ms"]["endpointing"] < 2000
        assert min(turn["parts_ms"].values()) >= 0


def test_the_wav_says_what_the_report_says(call: tuple[dict[str, Any], WavAudio]) -> None:
    report, sound = call
    agent = sound.channel(1)
    assert peak(agent) < -1
    begins = [start / sound.sample_rate for start, _ in find_speech(agent, sound.sample_rate, 1.0)]
    for turn in report["turns"]:
        assert min(abs(turn["played"] - begin) for begin in begins) < 0.15
    heard = " ".join(answer["heard"] for answer in [*report["unprompted"], *report["turns"]])
    stretches = find_speech(agent, sound.sample_rate, 0.6)
    margin = sound.sample_rate // 5
    pieces = [agent[2 * max(0, start - margin) : 2 * (end + margin)] for start, end in stretches]
    said = [asyncio.run(transcribed(resample(piece, sound.sample_rate, 16000))) for piece in pieces]
    assert alike(" ".join(said), heard) > 0.8


def test_the_demo_is_a_conversation_with_a_tool_and_a_barge_in(tmp_path: Path) -> None:
    result = antiphon("demo", "--no-page", "--out", tmp_path / "demo.wav")
    assert result.returncode == 0, result.stdout + result.stderr
    said = [
        line.split(maxsplit=2) for line in result.stdout.splitlines() if re.match(r" +\d+:\d\d\.\d  ", line)
    ]
    assert [line[1] for line in said].count("caller") == len(SCRIPT)
    assert "tool" in [line[1] for line in said]
    assert any("‖" in line[2] for line in said), "somebody was interrupted"
    assert result.stdout.count("voice to voice") == len(SCRIPT) + 1
    assert "antiphon talk" in result.stdout
    assert read(tmp_path / "demo.wav").channels == 2
