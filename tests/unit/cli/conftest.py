from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from antiphon.audio.wav import WavAudio, write

AGENT = '''
from antiphon import Agent, tool
from antiphon.frames import ToolCall
from antiphon.testing import LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS


@tool
async def opening_hours(day: str) -> str:
    """When the shop is open."""
    return f"nine to five on {day}"


agent = Agent(
    "Be brief.",
    greeting="Good morning.",
    stt=ScriptedSTT(["hello there", "when are you open?", "wait [a] moment"]),
    llm=ScriptedLLM([
        "Hello. How are you?",
        [ToolCall("1", "opening_hours", '{"day": "monday"}')],
        "We are open from nine to five, on Monday and on every other day of the week, but not on Sunday.",
        "Yes?",
    ]),
    tts=ScriptedTTS(),
    vad=LoudVAD(),
    eot=ScriptedEOT(),
    tools=[opening_hours],
)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in; models and colours as on a new machine, piped."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_MODELS", str(tmp_path / "models"))
    for name in ("ANTIPHON_OFFLINE", "ANTIPHON_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def shop(folder: Path) -> Path:
    """The file of an agent whose services are scripted."""
    path = folder / "shop.py"
    path.write_text(AGENT)
    return path


@pytest.fixture
def caller(folder: Path) -> Path:
    """A recording of 19 s in which somebody says three things, the last one over the agent."""
    random = np.random.default_rng(7)

    def speech(seconds: float) -> bytes:
        return random.integers(-8000, 8000, round(seconds * 16000)).astype("<i2").tobytes()

    def quiet(seconds: float) -> bytes:
        return bytes(round(seconds * 16000) * 2)

    path = folder / "caller.wav"
    said = quiet(2) + speech(1) + quiet(4) + speech(1.5) + quiet(3.5) + speech(1) + quiet(6)
    write(path, WavAudio(said, 16000))
    return path


@pytest.fixture
def write_agent(folder: Path) -> Callable[[str], Path]:
    """Writes an agent's file."""

    def write_file(text: str, name: str = "other.py") -> Path:
        path = folder / name
        path.write_text(text)
        return path

    return write_file
