"""The scripted services keep what their ports promise, and the suites notice services that do not."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from antiphon.services.ports import AudioChunk, Flush, Recognized, Speech, Word
from antiphon.testing import (
    LoudVAD,
    ScriptedEOT,
    ScriptedSTT,
    ScriptedTTS,
    check_eot,
    check_stt,
    check_transport,
    check_tts,
    check_vad,
    loud,
    run_virtual,
)
from antiphon.transports.loopback import Loopback


class Constant(ScriptedSTT):
    """Hears the same words in every utterance that has audio."""

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        size = 0
        async for item in audio:
            if isinstance(item, AudioChunk):
                size += len(item.pcm)
            else:
                yield Recognized("hello" if size else "", item.final)
                size = 0 if item.final else size


def test_scripted_services_conform() -> None:
    run_virtual(check_tts(lambda: ScriptedTTS(words=True)))
    run_virtual(check_stt(lambda: Constant(["hello"]), loud(1.0), "hello"))
    run_virtual(check_vad(LoudVAD, loud(1.0)))
    run_virtual(check_eot(ScriptedEOT, loud(1.0)))


class Late(ScriptedTTS):
    """Waits for the whole text before it speaks."""

    async def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech | Word]:  # pyright: ignore[reportIncompatibleMethodOverride]
        pieces = [piece async for piece in text]
        for number, _ in enumerate(pieces):
            yield Speech(b"\1\0" * 24000, number)


class Swapped(ScriptedTTS):
    """Speaks the second piece first."""

    async def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech | Word]:  # pyright: ignore[reportIncompatibleMethodOverride]
        pieces = [piece async for piece in text]
        for number in reversed(range(len(pieces))):
            yield Speech(b"\1\0" * 24000, number)


class Twice(Constant):
    """Answers each Flush twice."""

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        async for heard in super().transcribe(audio):
            yield heard
            yield heard


class Leaky(Constant):
    """Leaves a task behind."""

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        self.left = asyncio.create_task(asyncio.Event().wait())
        async for heard in super().transcribe(audio):
            yield heard


class Deaf(LoudVAD):
    """Hears nothing."""

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        async for _ in audio:
            yield 0.0


def test_late_audio_is_noticed() -> None:
    with pytest.raises((AssertionError, TimeoutError)):
        run_virtual(check_tts(Late))


def test_wrong_order_is_noticed() -> None:
    with pytest.raises(AssertionError, match="out of order"):
        run_virtual(check_tts(Swapped))


def test_two_answers_are_noticed() -> None:
    with pytest.raises(AssertionError, match="one final Recognized"):
        run_virtual(check_stt(lambda: Twice(["hello"]), loud(1.0), "hello"))


def test_a_task_left_behind_is_noticed() -> None:
    with pytest.raises(AssertionError, match="left behind"):
        run_virtual(check_stt(lambda: Leaky(["hello"]), loud(1.0), "hello"))


def test_wrong_words_are_noticed() -> None:
    with pytest.raises(AssertionError, match="heard 'hello'"):
        run_virtual(check_stt(lambda: Constant(["hello"]), loud(1.0), "good bye"))


def test_deafness_is_noticed() -> None:
    with pytest.raises(AssertionError, match="not noticed"):
        run_virtual(check_vad(Deaf, loud(1.0)))


def test_what_is_no_service_fails_with_a_sentence() -> None:
    with pytest.raises(AssertionError, match=r"nor an object with a speak\(\) of its own"):
        run_virtual(check_tts(object))  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="give the class of the service"):
        run_virtual(check_tts(ScriptedTTS()))  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match="write a FarSide"):
        run_virtual(check_transport(Loopback))  # type: ignore[arg-type]
