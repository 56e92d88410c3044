"""When Whisper is asked for words, and which of its words are believed."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import numpy as np
import pytest

from antiphon.errors import ConfigurationError
from antiphon.services.ports import AudioChunk, Flush, Recognized
from antiphon.testing import run_virtual
from antiphon.vendors.local import stt
from antiphon.vendors.local.resident import Resident
from antiphon.vendors.local.stt import SPEECH, Whisper, WhisperWords, noise, quiet_place, without_loop

SECOND = AudioChunk(b"\x01\x00" * 16000)


class Lengths:
    """Hears how many seconds it was given, in words; computes once it is `free` to."""

    def __init__(self) -> None:
        self.asked: list[float] = []
        self.begun = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def knows(self, language: str) -> bool:
        return language in ("en", "de")

    def words(self, pcm: bytes, language: str | None) -> WhisperWords:
        seconds = len(pcm) / 32000
        self.asked.append(seconds)
        self.begun.set()
        assert self.free.wait(10)
        return WhisperWords(f"{seconds:g} s", language or "fr")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Lengths:
    lengths = Lengths()
    monkeypatch.setitem(stt.MODELS, "whisper-base", cast(Any, Resident("test", lambda: lengths)))
    return lengths


async def given(items: tuple[AudioChunk | Flush, ...]) -> AsyncGenerator[AudioChunk | Flush, None]:
    for item in items:
        yield item


def hear(*items: AudioChunk | Flush, language: str | None = "en") -> list[tuple[str, bool]]:
    async def main() -> list[Recognized]:
        return [heard async for heard in Whisper(language=language).transcribe(given(items))]

    return [(heard.text, heard.final) for heard in run_virtual(main())]


def test_an_interim_flush_keeps_the_audio_and_a_final_one_forgets_it(model: Lengths) -> None:
    items = (SECOND, Flush(False), SECOND, Flush(True), SECOND, Flush(True))
    assert [said for said in hear(*items) if said[1]] == [("2 s", True), ("1 s", True)]


def test_words_are_not_computed_twice(model: Lengths) -> None:
    assert hear(SECOND, Flush(False), Flush(True)) == [("1 s", False), ("1 s", True)]
    assert model.asked == [1]


def test_a_final_flush_without_speech_has_no_words(model: Lengths) -> None:
    assert hear(Flush(True), AudioChunk(bytes(3200)), Flush(True)) == [("", True), ("", True)]
    assert model.asked == []


def test_the_end_of_the_audio_is_the_end_of_the_words(model: Lengths) -> None:
    assert hear() == []
    assert hear(SECOND, Flush(False), SECOND) == [("1 s", False)]


def test_what_does_not_fit_into_a_window_is_heard_once(model: Lengths) -> None:
    half_minute = [SECOND] * 30
    items = (*half_minute, Flush(False), *half_minute, Flush(False), SECOND, Flush(True))
    text, final = hear(*items)[-1]
    assert final
    assert sum(float(part) for part in text.replace(" s", "").split()) == 61
    assert max(model.asked) <= SPEECH / 16000
    assert len(model.asked) <= 3 + 2


def test_a_long_utterance_is_cut_where_it_is_quiet() -> None:
    audio = np.full(SPEECH, 3000, "<i2")
    audio[360000:364000] = 10
    assert quiet_place(audio.tobytes()) / 2 == pytest.approx(362000, abs=1600)


def test_the_language_is_the_one_that_was_heard(model: Lengths) -> None:
    async def main() -> list[Recognized]:
        whisper = Whisper(language=None)
        return [heard async for heard in whisper.transcribe(given((SECOND, Flush(True))))]

    assert [heard.language for heard in run_virtual(main())] == ["fr"]


def test_a_newer_flush_makes_an_older_one_unnecessary(model: Lengths) -> None:
    """Audio is taken in while the model computes; of three interim flushes only the last is answered."""

    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        yield SECOND
        yield Flush(False)
        await asyncio.to_thread(model.begun.wait, 10)
        for _ in range(5):
            yield SECOND
            yield Flush(False)
        model.free.set()
        yield SECOND
        yield Flush(True)

    async def main() -> list[Recognized]:
        return [heard async for heard in Whisper().transcribe(audio())]

    model.free.clear()
    heard = asyncio.run(main())
    assert [(item.text, item.final) for item in heard] == [("7 s", True)]


def test_a_cancelled_session_leaves_nothing_that_hangs(model: Lengths) -> None:
    async def endless() -> AsyncIterator[AudioChunk | Flush]:
        yield SECOND
        yield Flush(True)
        await asyncio.get_running_loop().create_future()

    async def main() -> list[Recognized]:
        async def consume() -> None:
            async for _ in Whisper().transcribe(endless()):
                pass

        session = asyncio.create_task(consume())
        await asyncio.to_thread(model.begun.wait, 10)
        session.cancel()
        await asyncio.wait([session])
        assert asyncio.all_tasks() == {asyncio.current_task()}
        model.free.set()
        return [heard async for heard in Whisper().transcribe(given((SECOND, SECOND, Flush(True))))]

    model.free.clear()
    assert [heard.text for heard in asyncio.run(main())] == ["2 s"]


def test_closing_early_ends_the_reading(model: Lengths) -> None:
    closed: list[bool] = []

    async def endless() -> AsyncIterator[AudioChunk | Flush]:
        try:
            while True:
                yield SECOND
                yield Flush(True)
                await asyncio.get_running_loop().create_future()
        finally:
            closed.append(True)

    async def main() -> None:
        words = cast(AsyncGenerator[Recognized, None], Whisper().transcribe(endless()))
        async with aclosing(words):
            await anext(words)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main())
    assert closed == [True]


def test_what_the_audio_raises_is_raised_after_the_words(model: Lengths) -> None:
    async def broken() -> AsyncIterator[AudioChunk | Flush]:
        yield SECOND
        yield Flush(True)
        raise ConnectionError("unplugged")

    async def main() -> None:
        words = Whisper().transcribe(broken())
        assert await anext(words) == Recognized("1 s", True, "en")
        with pytest.raises(ConnectionError, match="unplugged"):
            await anext(words)

    run_virtual(main())


@pytest.mark.parametrize(
    ("said", "ended", "kept"),
    [
        ("ten of clubs ten of clubs ten of clubs ten", False, "ten of clubs"),
        ("hello can you hear me hello can you hear me", True, "hello can you hear me"),
        ("the child hurt the dog the child hurt the", False, "the child hurt the dog"),
        ("not what I meant I meant I meant I meant", False, "not what I meant"),
        ("five five five five five five five five", False, "five"),
        ("five five", True, "five five"),
        ("no no no no", True, "no no no no"),
        ("thank you thank you thank you", True, "thank you thank you thank you"),
        ("it was the best of times it was the worst of times it was the", True, None),
        ("one two three four five six seven", False, None),
        ("", True, None),
    ],
)
def test_a_repetition_of_the_decoders_own_is_taken_off(said: str, ended: bool, kept: str | None) -> None:
    words = said.split()
    assert words[: without_loop(words, ended=ended)] == (said if kept is None else kept).split()


@pytest.mark.parametrize(
    ("no_speech", "score", "looped", "made_up"),
    [
        (0.9, -1.2, False, True),
        (0.9, -0.8, False, False),
        (0.9, -0.3, True, True),
        (0.35, -4.0, False, True),  # breath, heard as "You"
        (0.04, -2.1, False, False),  # "Hmm."
        (0.29, -1.3, False, False),  # "five five"
        (0.0, -0.1, True, False),
    ],
)
def test_words_made_up_from_noise(no_speech: float, score: float, looped: bool, made_up: bool) -> None:
    assert noise(no_speech, score, looped=looped) is made_up


def test_what_it_cannot_do_is_said_at_once(model: Lengths) -> None:
    with pytest.raises(ConfigurationError, match=r"choose from whisper-base, whisper-tiny\.en"):
        Whisper("whisper-huge")
    with pytest.raises(ConfigurationError, match="knows only English"):
        Whisper("whisper-tiny.en", language="de")
    with pytest.raises(ConfigurationError, match="'xx'"):
        run_virtual(Whisper(language="xx").load())
