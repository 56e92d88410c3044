"""A recogniser that gives interim words is asked as soon as the voice falls, before the pause is certain."""

from collections.abc import AsyncIterator

import pytest

from antiphon.clock import LoopClock
from antiphon.frames import SpeechPaused, SpeechResumed, SpeechStarted, SpeechStopped, UserAudio
from antiphon.services.ports import AudioChunk, Flush, Recognized, SpeechToText
from antiphon.services.stt import STT
from antiphon.session import Session
from antiphon.testing import loud, virtual

RATE = 16000
VOICE, SILENCE, NOISE = loud(0.02), bytes(640), bytes(b"\x00\x04\x00\xfc" * 160)
sleep = LoopClock().sleep


class Listener(SpeechToText):
    """Notes what it is given: seconds of audio so far at each Flush, and whether that was final."""

    sample_rate = RATE
    segmented = True

    def __init__(self, interim_every: float | None = 10.0) -> None:
        self.interim_every = interim_every
        self.pcm = b""
        self.asked: list[tuple[float, bool]] = []

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        async for item in audio:
            if isinstance(item, AudioChunk):
                self.pcm += item.pcm
                continue
            self.asked.append((round(len(self.pcm) / 2 / RATE, 2), item.final))
            if item.final:
                yield Recognized("words", True)


class Line:
    """A session of this stage alone, fed 20 ms at a time."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.at = 0

    async def hear(self, piece: bytes, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.session.send(UserAudio(piece, RATE, self.at))
            self.at += 320
            await sleep(0.02)


@virtual
async def test_the_words_are_asked_for_as_the_voice_falls_and_not_again_at_the_pause() -> None:
    listener = Listener()
    async with Session([STT(listener)]) as session:
        line = Line(session)
        session.send(SpeechStarted(0.0))
        await line.hear(VOICE, 1.0)
        await line.hear(SILENCE, 0.1)
        assert listener.asked == [(1.04, False)]
        session.send(SpeechPaused(1.06))
        await line.hear(SILENCE, 0.2)
        session.send(SpeechStopped(1.06))
        await sleep(0.1)
        assert listener.asked == [(1.04, False), (1.04, False), (1.04, True)]  # nothing new to recognise


@pytest.mark.parametrize("gap", [0.06, 0.14, 0.4])
@virtual
async def test_no_sample_is_lost_if_the_voice_goes_on_without_a_pause(gap: float) -> None:
    listener = Listener()
    async with Session([STT(listener)]) as session:
        line = Line(session)
        session.send(SpeechStarted(0.0))
        await line.hear(VOICE, 1.0)
        await line.hear(SILENCE, gap)
        await line.hear(VOICE, 1.0)
        session.send(SpeechPaused(2.0 + gap))
        session.send(SpeechStopped(2.0 + gap))
        await sleep(0.1)
    assert listener.pcm == VOICE * 50 + SILENCE * round(gap / 0.02) + VOICE * 50
    assert [asked for asked in listener.asked if asked[1]] == [(round(2.0 + gap, 2), True)]


@virtual
async def test_no_sample_is_lost_if_the_pause_was_none() -> None:
    listener = Listener()
    async with Session([STT(listener)]) as session:
        line = Line(session)
        session.send(SpeechStarted(0.0))
        await line.hear(VOICE, 1.0)
        await line.hear(SILENCE, 0.1)
        session.send(SpeechPaused(1.0))
        await line.hear(SILENCE, 0.06)
        session.send(SpeechResumed(1.16))
        await line.hear(VOICE, 0.5)
    assert listener.pcm == VOICE * 50 + SILENCE * 8 + VOICE * 25


@virtual
async def test_a_recogniser_that_is_asked_at_pauses_only_is_left_alone_and_so_is_one_in_noise() -> None:
    for listener, quiet in ((Listener(None), SILENCE), (Listener(), NOISE)):
        async with Session([STT(listener)]) as session:
            line = Line(session)
            session.send(SpeechStarted(0.0))
            await line.hear(VOICE, 1.0)
            await line.hear(quiet, 0.1)
            await line.hear(VOICE, 0.2)
        assert not listener.asked
        assert len(listener.pcm) == 65 * 640
