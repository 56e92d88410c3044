"""The local models keep what their ports promise."""

import asyncio
from collections.abc import AsyncIterator
from functools import cache

import pytest

from antiphon.audio.resample import resample
from antiphon.services.ports import Speech
from antiphon.testing import check_eot, check_stt, check_tts, check_vad
from antiphon.vendors.local.eot import SmartTurn
from antiphon.vendors.local.stt import Whisper
from antiphon.vendors.local.tts import Hibari
from antiphon.vendors.local.vad import Silero

pytestmark = pytest.mark.e2e

SAID = "the shop is open on Monday and on Friday"


@cache
def said() -> bytes:
    """The sentence, spoken by the local voice, at 16 kHz."""

    async def text() -> AsyncIterator[str]:
        yield SAID

    async def speak() -> bytes:
        return b"".join([item.pcm async for item in Hibari().speak(text()) if isinstance(item, Speech)])

    return resample(asyncio.run(speak()), Hibari.sample_rate, 16000) + bytes(6400)


def test_tts() -> None:
    asyncio.run(check_tts(Hibari))


@pytest.mark.parametrize("model", ["whisper-base", "whisper-tiny.en"])
def test_stt(model: str) -> None:
    asyncio.run(check_stt(lambda: Whisper(model), said(), SAID))


def test_vad() -> None:
    asyncio.run(check_vad(Silero, said()))


def test_eot() -> None:
    asyncio.run(check_eot(SmartTurn, said()))
