"""One use of a service is measured as a conversation would have it."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

import pytest

from antiphon.cli.services.recordings import Recording
from antiphon.cli.services.trials import AnswerTrial, ask, hear, speak
from antiphon.clock import LoopClock
from antiphon.context import Context
from antiphon.errors import AuthenticationError, TheyErred, UnavailableError
from antiphon.frames import ToolCall
from antiphon.services.ports import (
    AudioChunk,
    Flush,
    LanguageModel,
    Recognized,
    SpeechToText,
    TextDelta,
    TokenUsage,
)
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, virtual

Make = Callable[..., Recording]


@virtual
async def test_each_stretch_of_speech_has_its_words_and_its_latency(recording: Make) -> None:
    heard = await hear(ScriptedSTT(["good morning", "a red bicycle"], delay=0.5), recording(1.0, 0.6, 1.0))
    assert heard.text == "good morning a red bicycle"
    assert heard.final == pytest.approx([0.54, 0.54], abs=0.021)
    # a segmented service is asked for the first time when the speaker pauses
    assert heard.first == pytest.approx([1.54, 1.54], abs=0.021)


class LateWords(SpeechToText):
    """Streams; ends an utterance by itself after 0.3 s of quiet, and is told of it by a flush as well."""

    sample_rate, segmented = 16000, False

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[Recognized]:
        quiet, loud = 0.0, 0.0
        async for item in audio:
            if isinstance(item, Flush):
                if item.final:
                    yield Recognized("", True)
                continue
            seconds = len(item.pcm) / 32000
            if any(item.pcm):
                quiet, loud = 0.0, loud + seconds
                yield Recognized("so far", False)
            elif loud and (quiet := quiet + seconds) >= 0.1:
                loud = 0.0
                yield Recognized("all of it", True)


@virtual
async def test_words_that_a_vendor_settles_by_itself_count_from_the_end_of_speech(recording: Make) -> None:
    heard = await hear(LateWords(), recording(1.0, 2.0))
    assert heard.text == "all of it"
    assert heard.final == pytest.approx([0.1], abs=0.06)
    assert heard.first == pytest.approx([0.05], abs=0.03)


@virtual
async def test_speech_without_words_has_no_latency(recording: Make) -> None:
    heard = await hear(ScriptedSTT(["", "yes"]), recording(1.0, 0.6, 1.0))
    assert (heard.text, len(heard.final)) == ("yes", 1)


@virtual
async def test_a_service_that_fails_is_an_error_with_its_reason(recording: Make) -> None:
    with pytest.raises(TheyErred, match="no such key"):
        await hear(ScriptedSTT([AuthenticationError("no such key")]), recording(1.0, 0.6))


class Mute(LateWords):
    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[Recognized]:
        async for _ in audio:
            pass
        yield Recognized("", True)


@virtual
async def test_a_service_that_never_answers_is_given_up(recording: Make) -> None:
    with pytest.raises(TheyErred, match="transcript"):
        await hear(Mute(), recording(1.0, 0.6))


class Writer(LanguageModel):
    async def generate(self, context: Context) -> AsyncGenerator[TextDelta | ToolCall | TokenUsage]:
        clock = LoopClock()
        await clock.sleep(0.4)
        yield TextDelta("Good ")
        await clock.sleep(1.0)
        yield TextDelta("day.")
        yield TokenUsage(20, 11)


@virtual
async def test_an_answer_is_timed_and_its_tokens_counted() -> None:
    answer = await ask(Writer(), "Hello?", "Be brief.")
    assert answer == AnswerTrial("Good day.", pytest.approx(0.4), pytest.approx(1.4), TokenUsage(20, 11))  # type: ignore[arg-type]
    assert answer.tokens_per_second == pytest.approx(10)


@virtual
async def test_an_answer_without_words_fails() -> None:
    with pytest.raises(UnavailableError, match="no words came"):
        await ask(ScriptedLLM([""]), "Hello?", "")


@virtual
async def test_speech_is_timed() -> None:
    voice: Any = ScriptedTTS(words=True)
    spoken = await speak(voice, ("Good morning.", "How are you?"))
    assert spoken.words == 5
    assert 0 < spoken.first < spoken.seconds
    assert spoken.spoken == pytest.approx(25 / 15, abs=0.5)
    assert spoken.real_time_factor == pytest.approx(spoken.seconds / spoken.spoken)
