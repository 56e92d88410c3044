"""Who answered a call, by the real voice activity detector and recogniser."""

from collections.abc import AsyncIterator

import numpy as np
import pytest

from antiphon import Agent, Session
from antiphon.audio.resample import resample
from antiphon.clock import LoopClock
from antiphon.frames import AgentKeys, CallAnswered, ReplyEnded, SessionEnded, UserTurn
from antiphon.processor import Processor, on
from antiphon.screening import Screening, ScreeningSettings
from antiphon.services.ports import Speech
from antiphon.testing import ScriptedLLM, virtual
from antiphon.transports.loopback import Loopback
from antiphon.turns.turn_taking import TurnTaking
from antiphon.vendors.local.tts import Hibari

pytestmark = pytest.mark.e2e

RATE = 8000
MESSAGE = "Hello, your bicycle is ready."


async def spoken(text: str) -> bytes:
    async def pieces() -> AsyncIterator[str]:
        yield text

    voice = Hibari()
    pcm = b"".join([item.pcm async for item in voice.speak(pieces()) if isinstance(item, Speech)])
    return resample(pcm, voice.sample_rate, RATE)


def beep(seconds: float) -> bytes:
    time = np.arange(round(seconds * RATE)) / RATE
    return (6000 * np.sin(2 * np.pi * 1000 * time)).astype("<i2").tobytes()


def quiet(seconds: float) -> bytes:
    return np.random.default_rng(1).normal(0, 15, round(seconds * RATE)).astype("<i2").tobytes()


class Watch(Processor):
    """What reaches the agent, and the keypad."""

    def __init__(self) -> None:
        self.turns: list[str] = []
        self.keys = ""

    @on(UserTurn)
    def turn(self, frame: UserTurn) -> None:
        self.turns.append(frame.text)
        self.push(frame)

    @on(AgentKeys)
    def pressed(self, frame: AgentKeys) -> None:
        self.keys += frame.keys


async def answered(*sounds: bytes) -> tuple[list[str], Watch, list[tuple[float, str]], str]:
    """Who it was, what the agent heard and pressed, what was said until when, and why the call ended."""
    transport, watch = Loopback(RATE, input_rate=RATE), Watch()
    parts = Agent("You call about bicycles.", llm=ScriptedLLM(["Good morning."] * 5)).pipeline(transport)
    place = next(index for index, part in enumerate(parts) if isinstance(part, TurnTaking))
    screening = Screening(ScreeningSettings(message=MESSAGE, wanted=("operator",)))
    session = Session([*parts[:place], screening, parts[place], watch, *parts[place + 1 :]])
    who: list[str] = []
    said: list[tuple[float, str]] = []
    reasons: list[str] = []
    session.on(CallAnswered, lambda signal: who.append(signal.who))
    session.on(
        ReplyEnded, lambda signal: None if signal.speculative else said.append((session.now, signal.heard))
    )
    session.on(SessionEnded, lambda signal: reasons.append(signal.reason))
    async with session:
        for sound in (quiet(0.6), *sounds):
            await transport.speak(sound)
            await LoopClock().sleep(0)
    return who, watch, said, reasons[0]


@virtual
async def test_a_voicemail_gets_its_message_after_the_beep() -> None:
    greeting = await spoken("Hi, you have reached John Miller. Please leave your message after the tone.")
    who, watch, said, reason = await answered(greeting, quiet(0.8), beep(0.5), quiet(8.0))
    assert (who, watch.turns, reason) == (["voicemail"], [], "voicemail")
    ((ended, heard),) = said
    assert heard == MESSAGE
    assert ended > 0.6 + len(greeting) / 2 / RATE + 0.8 + 0.5 + 1.0


@virtual
async def test_a_person_is_answered() -> None:
    who, watch, said, _ = await answered(await spoken("Hello?"), quiet(4.0))
    assert who == ["person"]
    assert [turn.strip(".?!").lower() for turn in watch.turns] == ["hello"]
    assert said[0][1] == "Good morning."


@virtual
async def test_a_menu_gets_its_key() -> None:
    menu = "Thank you for calling. For lost cards, press two. To speak to an operator, press zero."
    who, watch, said, _ = await answered(await spoken(menu), quiet(2.5))
    assert (who, watch.keys, watch.turns, said) == (["menu"], "0", [], [])
