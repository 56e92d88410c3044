"""The vendors and parts of the guides keep what their ports promise, and work in a conversation."""

import importlib.util
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from antiphon import Agent, Session
from antiphon.audio.dtmf import tones
from antiphon.audio.wav import WavAudio, write
from antiphon.errors import UnavailableError
from antiphon.frames import Failed, PlayoutStarted, ReplyEnded, UserTurn
from antiphon.journal import replay
from antiphon.playout.playout import Playout
from antiphon.services.ports import Speech, Word
from antiphon.testing import (
    LoudVAD,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    check_llm,
    check_stt,
    check_tts,
    check_vad,
    loud,
    run_virtual,
    virtual,
)
from antiphon.testing.assertions import HeldCall
from antiphon.transports.loopback import Loopback

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = ModuleType(spec.name)
    sys.modules[spec.name] = module  # for its dataclasses
    spec.loader.exec_module(module)
    return module


# Vendors ---------------------------------------------------------------------------------------------


def test_the_parrot_conforms() -> None:
    run_virtual(check_llm(example("parrot").Parrot, tools=False))


def test_the_voice_conforms() -> None:
    run_virtual(check_tts(example("morse").Morse))


def test_the_recogniser_conforms() -> None:
    run_virtual(check_stt(example("keypad").Keypad, tones("307#", 8000), "three zero seven hash"))


def test_the_detector_conforms() -> None:
    noise = np.random.default_rng(3).normal(0, 3000, 16000).astype("<i2").tobytes()
    run_virtual(check_vad(example("loudness").Loudness, noise))
    run_virtual(check_vad(example("loudness").Loudness, loud(1.0)))


@virtual
async def test_a_call_with_all_four() -> None:
    keypad, loudness = example("keypad").Keypad(), example("loudness").Loudness()
    parrot, morse = example("parrot").Parrot(), example("morse").Morse("60")
    line = Loopback(16000, input_rate=8000)
    agent = Agent("Repeat.", stt=keypad, vad=loudness, eot=None, llm=parrot, tts=morse)
    async with HeldCall(agent.pipeline(line)) as call:
        await line.speak(bytes(8000) + tones("42", 8000) + bytes(32000))
        await call.session.clock.sleep(30)
    assert [turn.text for turn in call.all(UserTurn)] == ["four two"]
    heard = [ended.heard.strip() for ended in call.all(ReplyEnded) if not ended.speculative]
    assert heard == ["four two"]


# Audio that is played --------------------------------------------------------------------------------


@virtual
async def test_a_sound_is_played_in_its_turn_and_paced_and_replayed() -> None:
    play, line = example("play_audio"), Loopback(16000)
    parts = [line.input, play.SoundPlayer(), Playout(16000), line.output]
    async with HeldCall(parts) as call:
        call.session.send(play.ring_tone(1.0))
        call.session.send(play.Sound(b"\1\0" * 8000, 8000))
        await call.session.clock.sleep(3)
    assert call.times(PlayoutStarted) == pytest.approx([0.0, 1.0], abs=0.03)
    assert b"".join(piece.pcm for piece in line.spoken if piece.reply == 1) == play.ring_tone(1.0).pcm
    again = Loopback(16000)
    lines = replay(call.journal.lines, [again.input, play.SoundPlayer(), Playout(16000), again.output])
    assert lines == call.journal.lines


@virtual
async def test_a_sound_can_be_interrupted() -> None:
    play, line = example("play_audio"), Loopback(16000)
    async with HeldCall([line.input, play.SoundPlayer(), Playout(16000), line.output]) as call:
        call.session.send(play.ring_tone(5.0))
        await call.session.clock.sleep(1)
        call.session.interrupt()
        await call.session.clock.sleep(3)
    assert sum(len(piece.pcm) for piece in line.spoken) / 32000 == pytest.approx(1.0, abs=0.05)


def test_a_recording_is_read(tmp_path: Path) -> None:
    write(tmp_path / "bell.wav", WavAudio(bytes(2 * 2 * 8000), 8000, channels=2))
    sound = example("play_audio").recording(str(tmp_path / "bell.wav"))
    assert (sound.sample_rate, len(sound.pcm)) == (16000, 2 * 16000)


@virtual
async def test_the_agent_of_the_guide_has_a_place_for_sounds() -> None:
    play, line = example("play_audio"), Loopback(16000)
    made = play.Shop(
        "Be brief.", vad=LoudVAD(), stt=example("keypad").Keypad(), llm=example("parrot").Parrot()
    )
    made.tts, made.eot = example("morse").Morse(), None
    parts = made.pipeline(line)
    session = Session(parts)
    assert [part.name for part in session.parts][1] == "SoundPlayer"


# Another voice for one that fails ---------------------------------------------------------------------


class BrokenVoice(ScriptedTTS):
    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
        raise UnavailableError("no voice today")
        yield


@virtual
async def test_the_spare_voice_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    failover: Any = example("failover")
    monkeypatch.setattr(failover, "SPARE", ScriptedTTS())
    services = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "vad": None, "eot": None}
    agent = failover.WithSpareVoice("Be brief.", tts=BrokenVoice(), greeting="Good day.", **services)
    async with HeldCall(agent.pipeline(Loopback(16000))) as call:
        await call.session.clock.sleep(5)
    assert [ended.heard for ended in call.all(ReplyEnded)] == ["Good day."]
    assert [failed.recovered for failed in call.all(Failed)] == [True]
