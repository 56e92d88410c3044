"""The local speech models: what they hear and say, heard and said by one another."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from functools import cache

import numpy as np
import pytest

from antiphon.audio.resample import resample
from antiphon.services.ports import AudioChunk, Flush, Speech, Word
from antiphon.vendors.local.eot import SmartTurn
from antiphon.vendors.local.stt import Whisper
from antiphon.vendors.local.tts import Hibari
from antiphon.vendors.local.vad import Silero

pytestmark = pytest.mark.e2e

SENTENCE = "I would like to book a repair for my bicycle."


async def given(items: Sequence[str]) -> AsyncIterator[str]:
    for item in items:
        yield item


def speak(*pieces: str) -> list[Speech | Word]:
    async def main() -> list[Speech | Word]:
        return [item async for item in Hibari().speak(given(pieces))]

    return asyncio.run(main())


@cache
def said(text: str, sample_rate: int = 16000) -> bytes:
    """The text in hibari's voice."""
    pcm = b"".join(item.pcm for item in speak(text) if isinstance(item, Speech))
    return resample(pcm, Hibari.sample_rate, sample_rate)


def hear(pcm: bytes, model: str = "whisper-base", language: str | None = "en") -> str:
    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        yield AudioChunk(pcm)
        yield Flush(True)

    async def main() -> str:
        (heard,) = [heard async for heard in Whisper(model, language=language).transcribe(audio())]
        return heard.text

    return asyncio.run(main())


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def detect(pcm: bytes, sessions: int = 1, sample_rate: int = 16000) -> list[list[float]]:
    silero = Silero(sample_rate=sample_rate)
    size = 2 * silero.window

    async def windows() -> AsyncIterator[bytes]:
        for at in range(0, len(pcm) - size + 1, size):
            yield pcm[at : at + size]

    async def one() -> list[float]:
        return [probability async for probability in silero.detect(windows())]

    async def main() -> list[list[float]]:
        return await asyncio.gather(*(one() for _ in range(sessions)))

    return asyncio.run(main())


def noises() -> dict[str, bytes]:
    rng = np.random.default_rng(1)
    time = np.arange(32000) / 16000
    return {
        name: (wave * 32767).astype("<i2").tobytes()
        for name, wave in {
            "silence": 0 * time,
            "hiss": rng.standard_normal(32000) * 0.02,
            "hum": 0.1 * np.sin(2 * np.pi * 50 * time) + 0.05 * np.sin(2 * np.pi * 150 * time),
            "breath": rng.standard_normal(32000) * 0.03 * np.sin(np.pi * time / 2),
            "thump": rng.standard_normal(32000) * 0.3 * np.exp(-time * 30),
        }.items()
    }


def test_all_load_at_once() -> None:
    async def main() -> None:
        services = (Silero(), SmartTurn(), Whisper(), Whisper("whisper-tiny.en"), Hibari())
        await asyncio.gather(*(service.load() for service in services for _ in range(3)))

    asyncio.run(main())


@pytest.mark.parametrize("model", ["whisper-base", "whisper-tiny.en"])
@pytest.mark.parametrize(
    "text",
    [
        SENTENCE,
        "Wait a second.",  # the tiny model repeats this one for ever, unguarded
        "Hello, can you hear me?",
        "The quick brown fox jumps over the lazy dog, and then it does it all over again.",
    ],
)
def test_what_is_said_is_heard(text: str, model: str) -> None:
    assert words(hear(said(text), model)) == words(text)


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("We open at 9:30 am and close at 5 pm.", r"9.30 a\.?m\.?,? and close at 5 p\.?m"),
        ("That is $3.50, or $1,250.99 with the frame.", r"\$3\.50, or \$1,?250\.99"),
        (
            "Dr. Smith lives at 221 Baker St., near the church.",
            r"(Dr\.|Doctor) Smith lives at 221 Baker Street",
        ),
        ("Your order is #42, for March 3rd.", r"order is number 42,? for March (3|third)"),
        ("We are open 24/7, Mon-Fri.", r"24.7.? Monday to Friday"),
        ("It is 20°C with 90% humidity.", r"20 degrees Celsius,? with 90(%| percent)"),
        ("Your code is 0612345678.", r"0612345678|0-?6-?1-?2-?3-?4-?5-?6-?7-?8"),
        ("Please wait 3-5 days.", r"(three|3)( to |-)(five|5) days"),
        ("We sell **tires** & tubes 😀", r"We sell tires (and|&) tubes"),
    ],
)
def test_numbers_times_prices_and_abbreviations_are_read_right(text: str, heard: str) -> None:
    assert re.search(heard, hear(said(text)), re.IGNORECASE)


@pytest.mark.parametrize("name", noises())
@pytest.mark.parametrize("model", ["whisper-base", "whisper-tiny.en"])
def test_noise_has_no_words(name: str, model: str) -> None:
    assert hear(noises()[name], model) == ""


def test_a_long_utterance_is_heard_whole() -> None:
    """Even if it says the same thing several times, which a decoder does too."""
    text = " ".join(
        [SENTENCE, "Wait a second.", "Where is the nearest pharmacy?", "Remind me to buy milk."] * 6
    )
    pcm = said(text)
    assert len(pcm) > 32 * 32000
    assert words(hear(pcm)) == words(text)


def test_the_language_is_found() -> None:
    assert words(hear(said(SENTENCE), language=None)) == words(SENTENCE)


@pytest.mark.parametrize("sample_rate", [16000, 8000])
def test_speech_is_told_from_noise(sample_rate: int) -> None:
    pcm = bytes(sample_rate) + said(SENTENCE, sample_rate) + bytes(sample_rate)
    (heard,) = detect(pcm, sample_rate=sample_rate)
    assert max(heard[:14]) < 0.2
    assert np.mean(np.array(heard[18:-24]) > 0.5) > 0.8
    assert max(heard[-8:]) < 0.2
    for name, noise in noises().items():
        assert max(detect(noise)[0]) < 0.5, name


@pytest.mark.parametrize("sessions", [3, 40])
def test_windows_judged_together_are_judged_alike(sessions: int) -> None:
    (alone,) = detect(said(SENTENCE))
    for beside in detect(said(SENTENCE), sessions):
        assert beside == pytest.approx(alone, abs=1e-3)


def test_a_finished_turn_sounds_more_finished_than_a_part_of_it() -> None:
    order = said("I want to order two large pizzas with extra cheese and a bottle of water.")
    for part, finished in ((0.3, False), (0.5, False), (0.8, False), (1.0, True)):
        pcm = order[: int(len(order) // 2 * part) * 2] + bytes(6400)
        assert (asyncio.run(SmartTurn().score(pcm)) > 0.5) is finished, part


def test_the_voice_begins_at_once_and_ends_with_a_pause() -> None:
    pcm = np.frombuffer(b"".join(item.pcm for item in speak(SENTENCE) if isinstance(item, Speech)), "<i2")
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 300) / Hibari.sample_rate
    assert loud[0] < 0.05
    assert 0.08 < len(pcm) / Hibari.sample_rate - loud[-1] < 0.25


def test_words_have_their_times() -> None:
    text = "We open at 9:30, and there is coffee. Come in!"
    spoken = speak(text)
    seconds = sum(len(item.pcm) for item in spoken if isinstance(item, Speech)) / 2 / Hibari.sample_rate
    times = [item for item in spoken if isinstance(item, Word)]
    assert [text[: word.end].split()[-1] for word in times] == text.split()
    assert times == sorted(times, key=lambda word: word.seconds)
    assert seconds - 0.3 < times[-1].seconds <= seconds
    at = next(word for word in times if text[: word.end].endswith("coffee."))
    pcm = b"".join(item.pcm for item in spoken if isinstance(item, Speech))[: int(at.seconds * 24000) * 2]
    assert words(hear(resample(pcm, 24000, 16000)))[-1] == "coffee"


def test_text_without_sound_is_passed_over() -> None:
    pieces = ["😀", "...", "", "\n", "你好", "İ", "9" * 400, "Yes."]
    heard = {item.piece for item in speak(*pieces) if isinstance(item, Speech)}
    assert heard >= {6, 7}
    assert heard.isdisjoint({0, 1, 2, 3, 4})


def test_the_same_text_is_the_same_audio() -> None:
    assert speak(SENTENCE) == speak(SENTENCE)
