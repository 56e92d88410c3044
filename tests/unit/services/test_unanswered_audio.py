"""What the user said and no recogniser has answered is heard by the next one."""

from collections.abc import AsyncIterator, Sequence

import pytest

from antiphon.errors import UnavailableError
from antiphon.frames import (
    Failed,
    Frame,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnLost,
    UserAudio,
    UtteranceLost,
)
from antiphon.services.ports import AudioChunk, Flush, Recognized, SpeechToText
from antiphon.services.stt import STT
from antiphon.services.unanswered_audio import UnansweredAudio
from antiphon.switch import Switch
from antiphon.testing import virtual
from antiphon.testing.assertions import HeldCall

RATE = 16000


def audio(begun: float, ended: float) -> list[UserAudio]:
    """Packets of 20 ms, whose samples are the number of the packet."""
    return [
        UserAudio(number.to_bytes(2, "little") * 320, RATE, number * 320)
        for number in range(round(begun * 50), round(ended * 50))
    ]


def seconds_of(item: AudioChunk) -> list[float]:
    """When its packets were said."""
    return [int.from_bytes(item.pcm[at : at + 2], "little") / 50 for at in range(0, len(item.pcm), 640)]


class Ears(SpeechToText):
    """Writes down what each stream hears. The first `dying` ones die at a flush; `deaf` ones ignore it."""

    sample_rate = RATE
    chunk = 0.0

    def __init__(
        self, segmented: bool, *, dying: int = 0, deaf: int = 0, answered_within: float = 1.0
    ) -> None:
        self.segmented = segmented
        self.dying = dying
        self.deaf = deaf
        self.answered_within = answered_within
        self.streams: list[list[float | str]] = []
        """For each stream, when the packets that it heard were said, and "flush" for a final one."""

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        heard: list[float | str] = []
        self.streams.append(heard)
        number = len(self.streams)
        async for item in audio:
            if isinstance(item, AudioChunk):
                heard += seconds_of(item)
            elif item.final and number > self.deaf:
                heard.append("flush")
                if number <= self.dying:
                    raise UnavailableError("gone")
                yield Recognized(f"heard by {number}", True)


def stretch(heard: Sequence[float | str]) -> tuple[float, float]:
    """When the one stretch of audio began and ended that was heard, which has no gap."""
    times = [item for item in heard if isinstance(item, float)]
    assert times == pytest.approx([times[0] + place / 50 for place in range(len(times))])
    return times[0], times[-1] + 0.02


def utterance(started: float, ended: float) -> list[Frame]:
    """The frames of a stretch of speech, as they come from the VAD."""
    return [
        *audio(started, started + 0.1),
        SpeechStarted(started),
        *audio(started + 0.1, ended),
        SpeechPaused(ended),
        *audio(ended, ended + 0.2),
        SpeechStopped(ended),
    ]


async def tell(call: HeldCall, frames: Sequence[Frame]) -> None:
    for frame in frames:
        call.session.send(frame)
        if isinstance(frame, UserAudio):
            await call.session.clock.sleep(0.02)


@pytest.mark.parametrize("segmented", [True, False])
@virtual
async def test_a_stream_that_dies_at_the_end_of_speech_is_followed_by_one_that_hears_it(
    segmented: bool,
) -> None:
    ears = Ears(segmented, dying=1)
    async with HeldCall([STT(ears)]) as call:
        await tell(call, [*audio(0, 2.0), *utterance(2.0, 3.0), *audio(3.2, 5.0)])
    finals = [one for one in call.all(Transcript) if one.final]
    assert [(one.text, one.started, one.ended) for one in finals] == [("heard by 2", 2.0, 3.0)]
    begun, ended = stretch(ears.streams[1][: ears.streams[1].index("flush")])
    assert begun == pytest.approx(1.8 if segmented else 1.1, abs=0.15), "with a little of what came before"
    assert ended == pytest.approx(3.2, abs=0.2)
    assert not call.all(UtteranceLost)


@pytest.mark.parametrize("segmented", [True, False])
@virtual
async def test_what_was_answered_is_not_heard_again(segmented: bool) -> None:
    class DiesLater(Ears):
        async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
            answers = 0
            async for heard in super().transcribe(audio):
                answers += 1
                if len(self.streams) == 1 and answers == 2:
                    raise UnavailableError("gone")
                yield heard

    ears = DiesLater(segmented)
    async with HeldCall([STT(ears)]) as call:
        await tell(
            call,
            [*audio(0, 0.4), *utterance(0.4, 1.0), *audio(1.2, 2.0), *utterance(2.0, 3.0), *audio(3.2, 4.0)],
        )
    finals = [one for one in call.all(Transcript) if one.final]
    assert [(one.text, one.started) for one in finals] == [("heard by 1", 0.4), ("heard by 2", 2.0)]
    again = [item for item in ears.streams[1] if isinstance(item, float)]
    assert min(again) >= 1.0
    assert ears.streams[1].count("flush") == 1


@virtual
async def test_an_utterance_that_is_given_up_does_not_take_the_next_one_with_it() -> None:
    ears = Ears(True, deaf=1, answered_within=3.0)
    async with HeldCall([STT(ears)]) as call:
        await tell(
            call,
            [*audio(0, 0.4), *utterance(0.4, 1.0), *audio(1.2, 1.6), *utterance(1.6, 2.4), *audio(2.6, 3.0)],
        )
        call.session.failed(call.part(STT), UnavailableError("gone"))  # while its stream is alive: nothing
        await call.session.clock.sleep(6.0)
    assert [(lost.started, lost.ended) for lost in call.all(UtteranceLost)] == [(0.4, 1.0)]
    finals = [one for one in call.all(Transcript) if one.final]
    assert [(one.text, one.started, one.ended) for one in finals] == [("heard by 2", 1.6, 2.4)]


@virtual
async def test_a_service_that_never_answers_loses_the_utterance_in_time() -> None:
    ears = Ears(False, deaf=99)
    async with HeldCall([STT(ears)]) as call:
        await tell(call, [*utterance(0.0, 1.0), *audio(1.2, 4.0)])
    assert call.times(UtteranceLost) == [pytest.approx(1.2 + 1.0, abs=0.05)]
    assert [failed.error for failed in call.all(Failed)] == ["ServiceTimeoutError"]
    assert not call.all(TurnLost), "that is for turn taking to say"


@virtual
async def test_a_service_that_is_away_for_long_loses_the_utterance_in_time() -> None:
    """However long the next try is put off."""
    ears = Ears(False, dying=99)
    async with HeldCall([STT(ears)]) as call:
        await tell(call, [*utterance(0.0, 1.0), *audio(1.2, 4.0)])
    assert call.times(UtteranceLost) == [pytest.approx(1.2 + 1.0, abs=0.05)]


@pytest.mark.parametrize("segmented", [True, False])
@virtual
async def test_the_spare_answers_what_the_first_one_was_asked(segmented: bool) -> None:
    main, spare = Ears(False, dying=99), Ears(segmented)
    async with HeldCall([Switch(main=STT(main), spare=STT(spare))]) as call:
        await tell(call, [*audio(0.0, 1.0), *utterance(1.0, 2.0), *audio(2.2, 3.0), *utterance(3.0, 4.0)])
        await tell(call, audio(4.2, 8.0))
    finals = [one for one in call.all(Transcript) if one.final]
    assert [(one.started, one.ended) for one in finals] == [(1.0, 2.0), (3.0, 4.0)]
    assert len(main.streams) == 1, "nothing is begun in a branch that is off"
    assert len(spare.streams) == 1
    assert not call.all(UtteranceLost)
    assert len(call.all(SpeechStopped)) == 2
    assert len(call.all(UserAudio)) == 400


@virtual
async def test_the_one_that_is_chosen_by_hand_in_mid_speech_hears_all_of_it() -> None:
    spare = Ears(True)
    switch = Switch(main=STT(Ears(False)), spare=STT(spare))
    async with HeldCall([switch]) as call:
        said = utterance(1.0, 2.0)
        await tell(call, [*audio(0.0, 1.0), *said[:30]])
        switch.use("spare")
        await tell(call, [*said[30:], *audio(2.2, 3.0)])
    (final,) = [one for one in call.all(Transcript) if one.final]
    assert (final.started, final.ended) == (1.0, 2.0)
    begun, ended = stretch(spare.streams[0][:-1])
    assert begun <= 0.8
    assert ended == pytest.approx(2.0, abs=0.1)


@virtual
async def test_without_a_vad_the_words_show_that_somebody_speaks() -> None:
    class Tells(Ears):
        async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
            heard: list[float | str] = []
            self.streams.append(heard)
            async for item in audio:
                assert isinstance(item, AudioChunk)
                heard += seconds_of(item)
                if len(self.streams) == 1 and heard[-1] == 2.0:
                    yield Recognized("I want", False)
                if len(self.streams) == 1 and heard[-1] == 4.0:
                    raise UnavailableError("gone")

    ears = Tells(False)
    async with HeldCall([STT(ears)]) as call:
        await tell(call, [*audio(0.0, 5.0)])
    assert stretch(ears.streams[1]) == (pytest.approx(1.0, abs=0.05), pytest.approx(5.0))


def test_only_so_much_is_kept() -> None:
    kept = UnansweredAudio()
    for frame in audio(0, 60):
        kept.add(frame)
    assert len([*kept]) == 50, "a second while nobody speaks"
    kept.speaking = True
    for frame in audio(60, 160):
        kept.add(frame)
    assert len([*kept]) == 1500
    kept.end(SpeechStopped(160.0), 59.5, 162.0)
    kept.answered(0.0)
    assert [*kept] == []
