"""Conformance suites for STT, TTS, VAD and EOT services and audio filters.

    await check_tts(lambda: MyTTS(key))

Each raises an AssertionError that says what is wrong. They run in any event loop, and use a few seconds of
audio.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from random import Random
from typing import cast

from ...services.ports import (
    AudioChunk,
    AudioFilter,
    EndOfTurn,
    Flush,
    Recognized,
    Speech,
    SpeechToText,
    TextToSpeech,
    VoiceActivity,
    Word,
)
from .life import alive, nothing_left

__all__ = ["check_eot", "check_filter", "check_stt", "check_tts", "check_vad"]

PIECES = ("The first sentence is short.", "The second one is a little longer than the first.")


async def check_tts(make: Callable[[], TextToSpeech]) -> None:
    """Check a text-to-speech service, which is asked for about ten seconds of speech."""
    async with alive("tts", make) as service:
        spoken = await _speak(service, PIECES)
        audio = [item for item in spoken if isinstance(item, Speech)]
        assert all(len(speech.pcm) % 2 == 0 for speech in audio), "audio must be whole 16-bit samples"
        seconds = [
            sum(len(speech.pcm) for speech in audio if speech.piece == piece) / 2 / service.sample_rate
            for piece in (0, 1)
        ]
        assert min(seconds) > 0.3, f"both pieces must be spoken, {seconds} seconds are too short"
        assert [speech.piece for speech in audio] == sorted(speech.piece for speech in audio), (
            "pieces are out of order"
        )
        _check_words([item for item in spoken if isinstance(item, Word)])
        await _check_first_audio_is_early(service)
        assert not _seconds(await _speak(service, ())), "no text, no audio"
        assert _seconds(await _speak(service, ("…", "Well."))), (
            "a piece without phonemes must not stop what follows"
        )
        await _check_cancel(service)
        one, two = await asyncio.gather(_speak(service, PIECES[:1]), _speak(service, PIECES[1:]))
        assert _seconds(one) > 0, "two conversations at once: the first got no audio"
        assert _seconds(two) > 0, "two conversations at once: the second got no audio"


async def check_stt(make: Callable[[], SpeechToText], speech: bytes, words: str) -> None:
    """Check a speech-to-text service with `speech` (at its rate), which says `words`."""
    async with alive("stt", make) as service:
        pieces = [AudioChunk(speech[at : at + 640]) for at in range(0, len(speech), 640)]
        heard = await _transcribe(service, [*pieces, Flush(True)])
        finals = [item for item in heard if item.final]
        assert len(finals) == 1, f"a final Flush is answered by one final Recognized, not by {len(finals)}"
        assert _plain(words) in _plain(finals[0].text), f"heard {finals[0].text!r}, said was {words!r}"
        nothing = await _transcribe(service, [Flush(True)])
        assert [item.text for item in nothing if item.final] == [""], (
            "a Flush without audio is answered by no words"
        )
        twice = await _transcribe(service, [*pieces, Flush(False), Flush(True), *pieces, Flush(True)])
        finals = [item for item in twice if item.final]
        assert len(finals) == 2, "two utterances on one stream must have two final answers"
        assert all(_plain(words) in _plain(item.text) for item in finals), (
            "the second utterance was heard differently"
        )
        one, two = await asyncio.gather(
            _transcribe(service, [*pieces, Flush(True)]), _transcribe(service, [*pieces, Flush(True)])
        )
        assert one[-1].text == two[-1].text, "two conversations at once were heard differently"
        waiting = asyncio.create_task(_transcribe(service, [*pieces, Flush(True)], endless=True))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait([waiting], timeout=5)
        assert waiting.done(), "a cancelled transcription continues"


async def check_vad(make: Callable[[], VoiceActivity], speech: bytes) -> None:
    """Check a voice activity service. `speech` is at the service's rate."""
    async with alive("vad", make) as service:
        size = service.window * 2
        windows = [speech[at : at + size] for at in range(0, len(speech) - size + 1, size)]
        silence = [bytes(size)] * 20
        quiet = await _detect(service, silence)
        assert len(quiet) == len(silence), "every window has one probability"
        assert all(0 <= probability <= 1 for probability in quiet), "a probability lies between 0 and 1"
        assert max(quiet) < 0.3, f"silence was detected as speech ({max(quiet):.2f})"
        loud = await _detect(service, windows)
        assert max(loud) > 0.7, f"speech was not noticed ({max(loud):.2f})"
        together = await asyncio.gather(
            _detect(service, windows), _detect(service, silence), _detect(service, windows)
        )
        for alone, beside in zip((loud, quiet, loud), together, strict=True):
            worst = max(abs(a - b) for a, b in zip(alone, beside, strict=True))
            assert worst < 0.01, f"conversations disturb each other (by {worst:.3f})"


async def check_eot(make: Callable[[], EndOfTurn], finished: bytes) -> None:
    """Check an end-of-turn service with `finished`, a complete turn at its rate."""
    async with alive("eot", make) as service:
        scores = [
            await service.score(pcm)
            for pcm in (finished, finished, b"", finished[: service.sample_rate // 5 * 2])
        ]
        assert all(0 <= score <= 1 for score in scores), "a probability lies between 0 and 1"
        assert abs(scores[0] - scores[1]) < 0.01, "the same audio must have the same score"
        together = await asyncio.gather(*(service.score(finished) for _ in range(3)))
        assert max(abs(score - scores[0]) for score in together) < 0.01, "conversations disturb each other"


async def check_filter(make: Callable[[], AudioFilter]) -> None:
    """Check an audio filter, with two seconds of noise."""
    async with nothing_left():
        service = make()
        await service.open()
        noise = Random(1).randbytes(service.sample_rate * 2 // (service.block * 2) * service.block * 2)
        far = bytes(len(noise)) if service.echo else None
        assert len(service.process(noise, far)) == len(noise), "as many samples must come out as go in"
        assert 0 <= service.delay < service.sample_rate, f"a delay of {service.delay} samples"
        await service.open()  # as after a failure
        service.reset()
        block = noise[: service.block * 2]
        assert len(service.process(block, block if service.echo else None)) == len(block)
        for _ in range(2):
            await service.close()


async def _stream(items: Sequence[str]) -> AsyncGenerator[str, None]:
    for item in items:
        yield item


async def _speak(service: TextToSpeech, pieces: Sequence[str]) -> list[Speech | Word]:
    return [item async for item in service.speak(_stream(pieces))]


def _seconds(spoken: Sequence[Speech | Word]) -> float:
    return sum(len(item.pcm) for item in spoken if isinstance(item, Speech))


def _check_words(words: Sequence[Word]) -> None:
    for piece in {word.piece for word in words}:
        times = [(word.seconds, word.end) for word in words if word.piece == piece]
        assert times == sorted(times), f"word times must not go back: {times}"


async def _check_first_audio_is_early(service: TextToSpeech) -> None:
    """Check that a piece is spoken before the next one has come."""
    heard = asyncio.Event()

    async def text() -> AsyncGenerator[str, None]:
        yield PIECES[0]
        async with asyncio.timeout(20):
            await heard.wait()
        yield PIECES[1]

    async for item in service.speak(text()):
        if isinstance(item, Speech) and item.pcm:
            heard.set()
    assert heard.is_set(), "the first piece waited for the second"


async def _check_cancel(service: TextToSpeech) -> None:
    async with aclosing(
        cast(AsyncGenerator[Speech | Word, None], service.speak(_stream(PIECES * 3)))
    ) as spoken:
        async for item in spoken:
            if isinstance(item, Speech):
                break
    assert _seconds(await _speak(service, PIECES[:1])), "after a cancelled reply the next one got no audio"


async def _transcribe(
    service: SpeechToText, items: Sequence[AudioChunk | Flush], *, endless: bool = False
) -> list[Recognized]:
    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        for item in items:
            yield item
        if endless:
            await asyncio.get_running_loop().create_future()

    return [heard async for heard in service.transcribe(audio()) if isinstance(heard, Recognized)]


async def _detect(service: VoiceActivity, windows: Sequence[bytes]) -> list[float]:
    async def audio() -> AsyncIterator[bytes]:
        for window in windows:
            yield window

    return [probability async for probability in service.detect(audio())]


def _plain(text: str) -> str:
    return " ".join("".join(c for c in text.lower() if c.isalnum() or c.isspace()).split())
