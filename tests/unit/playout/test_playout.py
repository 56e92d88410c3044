"""Playout: pieces in time, no sample lost or doubled, and what was heard, to the word."""

import asyncio
import struct
from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from antiphon.errors import ConfigurationError
from antiphon.frames import (
    AgentAudio,
    AudioEnded,
    Failed,
    Interrupted,
    PlayoutPaused,
    PlayoutReached,
    PlayoutResumed,
    PlayoutStarted,
    ReplyEnded,
    SegmentEnded,
    SegmentStarted,
    Text,
    TextEnded,
    WordTimed,
)
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.session import Session
from antiphon.testing.assertions import HeldCall, check, voice_is_paced
from antiphon.testing.virtual import run_virtual, virtual

RATE = 24000
PIECE = 480


def numbered(first: int, count: int) -> bytes:
    """Samples that say which they are."""
    return struct.pack(f"<{count}h", *((number % 60000) - 30000 for number in range(first, first + count)))


def begin(session: Session, text: str = "one two three four") -> int:
    """Begin a reply whose text is known; gives its number."""
    reply = session.new_reply(lambda reply: reply.write(text))
    return reply.number


class Feed:
    """Sends what a voice sends, of one reply."""

    def __init__(self, session: Session, text: str = "one two three four", rate: int = RATE) -> None:
        self.session = session
        self.rate = rate
        self.reply = begin(session, text)
        self.made = 0

    def segment(self, start: int, end: int) -> None:
        self.session.send(SegmentStarted(self.reply, start, end))

    def audio(self, samples: int) -> None:
        self.session.send(AgentAudio(self.reply, numbered(self.made, samples), self.rate))
        self.made += samples

    def word(self, end: int, at: int) -> None:
        self.session.send(WordTimed(self.reply, end, at))

    def done(self) -> None:
        self.session.send(SegmentEnded(self.reply))

    def end(self) -> None:
        self.session.send(AudioEnded(self.reply))


def pieces(call: HeldCall) -> list[AgentAudio]:
    return [seen.what for seen in call.voice if isinstance(seen.what, AgentAudio)]


# Pieces ----------------------------------------------------------------------------------------------


@virtual
async def test_pieces_are_20_ms_each_at_its_time_and_place() -> None:
    async with HeldCall([Playout()]) as call:
        await call.session.clock.sleep(1)
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(RATE)
        feed.done()
        feed.end()
        await call.session.clock.sleep(2)
    check(call)
    assert [len(piece.pcm) for piece in pieces(call)] == [960] * 50
    assert [piece.at for piece in pieces(call)] == [RATE + number * PIECE for number in range(50)]
    assert [seen.at for seen in call.voice] == [pytest.approx(1 + number * 0.02) for number in range(50)]
    assert call.times(PlayoutStarted) == [1.0]
    assert call.times(ReplyEnded) == [pytest.approx(2.0)], "it ends when its last sample has been heard"
    assert call.pcm(1) == numbered(0, RATE)


Cuts = st.lists(st.integers(0, 3000), max_size=25)
Waits = st.lists(st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.02, 0.05, 0.3, 1.0]), min_size=25, max_size=25)


@settings(max_examples=150, deadline=None)
@given(
    Cuts,
    Waits,
    st.sampled_from([8000, 11025, 16000, 22050, RATE, 44100, 48000]),
    st.sampled_from([0.0, 0.04, 0.2]),
)
@example([1], [0.0] * 25, RATE, 0.0)
@example([480, 479, 1, 481], [0.3] * 25, RATE, 0.04)
@example([0, 0, 442], [0.01, *[0.02] * 24], 22050, 0.0)
def test_no_sample_is_lost_or_doubled_however_they_come(
    cuts: list[int], waits: list[float], rate: int, lead: float
) -> None:
    """Whatever the chunks and the gaps between them, the voice is the chunks, in pieces, each in its time."""
    call = HeldCall([Playout(rate, lead=lead)])

    async def main() -> None:
        async with call:
            feed = Feed(call.session, rate=rate)
            feed.segment(0, 18)
            for samples, wait in zip(cuts, waits, strict=False):
                feed.audio(samples)
                await call.session.clock.sleep(wait)
            feed.done()
            feed.end()
            await call.session.clock.sleep(60)

    run_virtual(main())
    check(call)
    assert call.pcm(1) == numbered(0, sum(cuts))
    (ended,) = call.all(ReplyEnded)
    assert ended.heard == ("one two three four" if sum(cuts) else ended.heard)
    if sum(cuts):
        last = pieces(call)[-1]
        heard_at = (last.at + len(last.pcm) // 2) / rate
        assert call.times(ReplyEnded)[0] == pytest.approx(max(heard_at, sum(waits[: len(cuts)])), abs=1e-3)


@virtual
async def test_place_goes_on_while_it_plays_and_starts_anew_after_a_gap() -> None:
    async with HeldCall([Playout()]) as call:
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(1000)
        await call.session.clock.sleep(1)
        feed.audio(1000)
        await call.session.clock.sleep(0.005)
        feed.audio(440)
        feed.end()
        await call.session.clock.sleep(1)
    check(call)
    assert [piece.at for piece in pieces(call)] == [0, 480, 24000, 24480, 24960, 25440]
    assert call.pcm(1) == numbered(0, 2440)


@virtual
async def test_lead_is_sent_ahead_and_no_more() -> None:
    async with HeldCall([Playout(lead=0.1)]) as call:
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(RATE)
        feed.done()
        feed.end()
        assert len(call.voice) == 6, "the piece that is due, and 0.1 s"
        await call.session.clock.sleep(0.02)
        assert len(call.voice) == 7
        await call.session.clock.sleep(0.885)
        assert len(call.voice) == 50
        assert not call.all(ReplyEnded), "all is sent, but not all is heard"
        await call.session.clock.sleep(0.2)
    check(call)
    assert call.times(ReplyEnded) == [pytest.approx(1.0)]


@virtual
async def test_what_is_late_for_a_moment_is_caught_up() -> None:
    """The loop was held up for 0.1 s: what was missed goes out at once, and the place does not jump."""
    async with HeldCall([Playout()]) as call:
        loop = asyncio.get_running_loop()
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(RATE)
        await call.session.clock.sleep(0.1)
        loop.jump(0.1)  # type: ignore[attr-defined]
        await call.session.clock.sleep(0.5)
        loop.jump(3.0)  # type: ignore[attr-defined]
        await call.session.clock.sleep(2)
        feed.end()
    places = [piece.at for piece in pieces(call)]
    assert call.pcm(1) == numbered(0, RATE)
    gaps = [later - earlier for earlier, later in pairwise(places)]
    assert sorted(set(gaps)) == [480, pytest.approx(480 + 3.0 * RATE, abs=481)], "no burst after a long one"


@virtual
async def test_many_wakings_are_one_timer() -> None:
    """However often it is woken, it does not tick twice for one piece."""
    async with HeldCall([Playout()]) as call:
        feed = Feed(call.session)
        feed.segment(0, 18)
        for _ in range(50):
            feed.audio(PIECE)
            call.part(Playout).pause()
            call.part(Playout).resume()
            await call.session.clock.sleep(0.02)
        feed.audio(PIECE * 10)
        before = sum(
            1 for seen in call.seen if seen.what == ("timer", seen.what) or isinstance(seen.what, tuple)
        )
        await call.session.clock.sleep(0.2)
        after = sum(1 for seen in call.seen if isinstance(seen.what, tuple))
        assert after - before <= 11
        feed.end()
        await call.session.clock.sleep(1)
    check(call)
    assert call.pcm(1) == numbered(0, PIECE * 60)


@virtual
async def test_next_reply_begins_where_the_last_one_ended() -> None:
    async with HeldCall([Playout()]) as call:
        for _ in range(5):
            feed = Feed(call.session)
            feed.segment(0, 18)
            feed.audio(1000)
            feed.done()
            feed.end()
            reply = call.session.reply
            assert reply is not None
            await reply
    check(call)
    places = [(piece.at, len(piece.pcm) // 2) for piece in pieces(call)]
    assert [at for at, _ in places[1:]] == [pytest.approx(at + size, abs=1) for at, size in places[:-1]]
    assert all(later >= at + size for (at, size), (later, _) in pairwise(places))


@virtual
async def test_silence_ends_the_reply_all_the_same() -> None:
    async with HeldCall([Playout()]) as call:
        Feed(call.session).end()
    check(call)
    assert call.all(ReplyEnded)[0].heard == ""
    assert not call.all(PlayoutStarted)


@virtual
async def test_text_that_nobody_speaks_is_heard_when_it_is_complete() -> None:
    async with HeldCall([Playout()]) as call:
        reply = call.session.say("read this")
        assert reply.heard == "read this"
        begin(call.session, "let me look")
        call.session.send(TextEnded(2, more=True))
        assert len(call.all(ReplyEnded)) == 1
        call.session.send(TextEnded(2))
    check(call)
    assert call.all(ReplyEnded)[1].heard == "let me look"


@virtual
async def test_audio_of_another_reply_is_not_played() -> None:
    async with HeldCall([Playout()]) as call:
        playout = call.part(Playout)
        for handler in (playout.audio,):
            handler(AgentAudio(7, b"\0\0" * PIECE, RATE))
        playout.segment_started(SegmentStarted(7, 0, 5))
        playout.audio_ended(AudioEnded(7))
        feed = Feed(call.session)
        feed.audio(PIECE)
        playout.audio(AgentAudio(feed.reply + 1, b"\0\0" * PIECE, RATE))
        feed.end()
        await call.session.clock.sleep(1)
    assert [piece.reply for piece in pieces(call)] == [1]


@virtual
async def test_half_a_sample_is_a_failure_and_the_voice_goes_on() -> None:
    async with HeldCall([Playout()]) as call:
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(PIECE)
        call.session.send(AgentAudio(feed.reply, b"\0" * 961, RATE))
        feed.audio(PIECE)
        feed.done()
        feed.end()
        await call.session.clock.sleep(1)
    check(call)
    assert call.pcm(1) == numbered(0, 2 * PIECE)
    assert [failed.part for failed in call.all(Failed)] == ["Playout"]


@pytest.mark.parametrize(
    "settings",
    [{"sample_rate": rate} for rate in (0, -1, 40)] + [{"lead": -0.1}, {"limit": 0.0}, {"limit": 0.01}],
    ids=str,
)
def test_settings_that_cannot_play_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="playout"):
        Playout(**settings)  # type: ignore[arg-type]


# Pause and stop --------------------------------------------------------------------------------------


class Speaker(Processor):
    """A transport that plays at once what it is given, and forgets at a pause what it has not played yet.

    One without a lead holds nothing but the piece that is playing, and plays it to its end.
    """

    def __init__(self, lead: float) -> None:
        self.lead = lead
        self.played = b""
        self._buffer = b""
        self._end = 0.0  # when the buffer will have been played

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        self._buffer += frame.pcm
        self._end = max(self._end, self.session.now) + len(frame.pcm) / 2 / frame.sample_rate
        if not self.lead:
            self.forget(0)

    @on(PlayoutPaused)
    def paused(self, signal: PlayoutPaused) -> None:
        self.forget(round(max(0.0, self._end - self.session.now) * RATE))
        self._end = min(self._end, self.session.now)

    def forget(self, samples: int) -> None:
        self.played += self._buffer[: len(self._buffer) - 2 * samples]
        self._buffer = b""


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0.0, 0.2), st.floats(0.0, 0.5)), max_size=6),
    st.sampled_from([0.0, 0.06]),
    st.sampled_from([RATE, 700]),
)
@example([(0.0, 0.0)], 0.06, RATE)
@example([(0.0, 0.5)], 0.06, RATE)
@example([(0.02, 0.0), (0.0, 0.01)], 0.06, 700)
def test_pause_and_resume_lose_nothing(
    pauses: Sequence[tuple[float, float]], lead: float, chunk: int
) -> None:
    """What was heard in all is what the voice made, to the sample, however often it was held."""
    speaker = Speaker(lead)
    call = HeldCall([Playout(lead=lead), speaker])

    async def main() -> None:
        async with call:
            playout = call.part(Playout)
            feed = Feed(call.session)
            feed.segment(0, 18)
            while feed.made < RATE:
                feed.audio(min(chunk, RATE - feed.made))
            feed.done()
            feed.end()
            for played, paused in pauses:
                await call.session.clock.sleep(played)
                call.session.inputs.call("pause", None, playout.pause)
                count, reply = len(call.voice), call.session.reply
                heard = reply and playout.heard(reply)
                await call.session.clock.sleep(paused)
                assert len(call.voice) == count, "nothing goes out in a pause"
                assert heard == (reply and playout.heard(reply)) or not lead, "nothing is heard in a pause"
                call.session.inputs.call("resume", None, playout.resume)
            await call.session.clock.sleep(5)
            speaker.forget(0)

    run_virtual(main())
    check(call)
    assert speaker.played == numbered(0, RATE)
    assert call.all(ReplyEnded)[0].heard == "one two three four"


@virtual
async def test_pause_before_the_voice_begins_holds_it_and_tells_nobody() -> None:
    async with HeldCall([Playout(lead=0.06)]) as call:
        feed = Feed(call.session)
        call.session.inputs.call("pause", None, call.part(Playout).pause)
        feed.segment(0, 18)
        feed.audio(RATE)
        feed.end()
        await call.session.clock.sleep(1)
        assert not call.voice
        call.session.inputs.call("resume", None, call.part(Playout).resume)
        await call.session.clock.sleep(2)
    check(call)
    assert call.times(PlayoutStarted) == [1.0]
    assert not call.all(PlayoutPaused)
    assert not call.all(PlayoutResumed)


@virtual
async def test_pause_in_the_first_20_ms_clears_what_the_transport_holds() -> None:
    async with HeldCall([Playout(lead=0.06)]) as call:
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(RATE)
        call.session.inputs.call("pause", None, call.part(Playout).pause)
        assert call.all(PlayoutPaused) == [PlayoutPaused(1)]
        call.session.inputs.call("resume", None, call.part(Playout).resume)
        assert call.all(PlayoutResumed) == [PlayoutResumed(1)]


@virtual
async def test_ducked_voice_goes_on_more_softly_until_it_is_resumed() -> None:
    async with HeldCall([Playout()]) as call:
        playout = call.part(Playout)
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(RATE)
        feed.done()
        feed.end()
        await call.session.clock.sleep(0.2)
        call.session.inputs.call("duck", None, lambda: playout.duck(0.25))
        await call.session.clock.sleep(0.2)
        call.session.inputs.call("resume", None, playout.resume)
        await call.session.clock.sleep(2)
    check(call)
    samples, wanted = (struct.unpack(f"<{RATE}h", pcm) for pcm in (call.pcm(1), numbered(0, RATE)))
    ratios = [
        round(got / (want or 1), 2) for got, want in zip(samples, wanted, strict=True) if abs(want) > 1000
    ]
    steps = [ratio for ratio, after in pairwise([*ratios, 0.0]) if ratio != after]
    assert steps == [1.0, 0.25, 1.0]
    assert [piece.at for piece in pieces(call)] == [number * PIECE for number in range(50)], "no gap"


@settings(max_examples=60, deadline=None)
@given(st.floats(0.001, 0.98))
def test_stop_fades_within_20_ms_and_nothing_follows(at: float) -> None:
    call = HeldCall([Playout()])
    level = struct.pack("<h", 20000)

    async def main() -> None:
        async with call:
            feed = Feed(call.session)
            feed.segment(0, 18)
            call.session.send(AgentAudio(feed.reply, level * RATE, RATE))
            feed.done()
            feed.end()
            await call.session.clock.sleep(at)
            call.session.interrupt()
            await call.session.clock.sleep(3)

    run_virtual(main())
    check(call)
    decided = call.times(Interrupted)[0]
    last = pieces(call)[-1]
    assert call.voice[-1].at <= decided
    assert (last.at + len(last.pcm) // 2) / RATE <= decided + 0.02 + 1e-4
    faded = struct.unpack(f"<{len(last.pcm) // 2}h", last.pcm)
    assert abs(faded[-1]) < 1000 or len(faded) == PIECE, "it ends near zero, where there is room for it"
    assert list(faded) == sorted(faded, reverse=True)


@virtual
async def test_voice_that_stops_in_a_pause_or_on_a_transport_with_a_lead_sends_nothing_more() -> None:
    for lead, paused in ((0.0, True), (0.06, False)):
        async with HeldCall([Playout(lead=lead)]) as call:
            feed = Feed(call.session)
            feed.segment(0, 18)
            feed.audio(RATE)
            await call.session.clock.sleep(0.11)
            if paused:
                call.session.inputs.call("pause", None, call.part(Playout).pause)
            sent = len(call.voice)
            call.session.interrupt()
            await call.session.clock.sleep(1)
            assert len(call.voice) == sent


# Held replies, and backchannels ----------------------------------------------------------------------


@virtual
async def test_speculative_reply_is_made_and_not_heard_before_it_is_committed() -> None:
    async with HeldCall([Playout()]) as call:
        session = call.session
        reply = session.new_reply(lambda reply: reply.write("one two three four"), speculative=True)
        session.send(SegmentStarted(reply.number, 0, 18))
        session.send(AgentAudio(reply.number, numbered(0, RATE), RATE))
        session.send(SegmentEnded(reply.number))
        session.send(AudioEnded(reply.number))
        await session.clock.sleep(1)
        assert not call.voice
        session.inputs.call("commit", None, lambda: session.replies.commit(reply))
        assert call.times(PlayoutStarted) == [1.0], "at once"
        await reply
    check(call)
    assert call.pcm(1) == numbered(0, RATE)


@virtual
async def test_speculative_reply_that_is_dropped_leaves_no_trace() -> None:
    async with HeldCall([Playout()]) as call:
        reply = call.session.new_reply(lambda reply: reply.write("one"), speculative=True)
        call.session.send(AgentAudio(reply.number, numbered(0, RATE), RATE))
        call.session.send(AudioEnded(reply.number))
        reply.interrupt()
        await call.session.clock.sleep(1)
    check(call)
    assert not call.voice
    assert not call.all(Interrupted)
    assert call.all(ReplyEnded)[0].heard == ""


@virtual
async def test_reply_is_not_heard_before_its_time() -> None:
    async with HeldCall([Playout()]) as call:
        feed = Feed(call.session)
        reply = call.session.reply
        assert reply is not None
        reply.not_before = 0.7
        feed.segment(0, 18)
        feed.audio(RATE)
        feed.done()
        feed.end()
        await reply
    check(call)
    assert call.times(PlayoutStarted) == [0.7]
    assert call.times(ReplyEnded) == [pytest.approx(1.7)]


@pytest.mark.parametrize("rate", [RATE, 16000])
@virtual
async def test_backchannel_is_paced_and_is_no_reply(rate: int) -> None:
    async with HeldCall([Playout()]) as call:
        await call.session.clock.sleep(1)
        for _ in range(4):
            call.session.send(AgentAudio(0, b"\1\0" * (rate // 20), rate))
        await call.session.clock.sleep(1)
    assert {piece.reply for piece in pieces(call)} == {0}
    assert [seen.at for seen in call.voice] == [pytest.approx(1 + 0.02 * n) for n in range(len(call.voice))]
    assert sum(len(piece.pcm) // 2 for piece in pieces(call)) == pytest.approx(RATE // 5, abs=200)
    assert not call.all(PlayoutStarted)
    assert not call.all(ReplyEnded)


@virtual
async def test_backchannel_that_comes_in_drops_is_not_hurried() -> None:
    async with HeldCall([Playout()]) as call:
        for _ in range(20):
            call.session.send(AgentAudio(0, b"\1\0" * PIECE, RATE))
            await call.session.clock.sleep(0.019)
        await call.session.clock.sleep(1)
    voice_is_paced(call)
    assert len(pieces(call)) == 20


@virtual
async def test_backchannel_gives_way_to_a_reply() -> None:
    async with HeldCall([Playout()]) as call:
        call.session.send(AgentAudio(0, b"\1\0" * RATE, RATE))
        await call.session.clock.sleep(0.09)
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(RATE)
        call.session.send(AgentAudio(0, b"\1\0" * RATE, RATE))
        await call.session.clock.sleep(0.5)
        feed.done()
        feed.end()
        await call.session.clock.sleep(2)
    check(call)
    assert [piece.reply for piece in pieces(call)] == [0] * 5 + [1] * 50


@virtual
async def test_backchannel_leaves_nothing_in_the_voice_of_a_reply_that_is_held() -> None:
    """Both are resampled; each by itself."""
    voices: list[bytes] = []
    for backchannel in (False, True):
        async with HeldCall([Playout()]) as call:
            session = call.session
            reply = session.new_reply(lambda reply: reply.write("one"), speculative=True)
            session.send(AgentAudio(reply.number, b"\0\0" * 8000, 16000))
            if backchannel:
                session.send(AgentAudio(0, b"\0\x40" * 1600, 16000))
            await session.clock.sleep(1)
            session.send(AgentAudio(reply.number, b"\0\0" * 8000, 16000))
            session.send(AudioEnded(reply.number))
            session.inputs.call("commit", None, partial(session.replies.commit, reply))
            await reply
            voices.append(call.pcm(reply.number))
    assert voices == [bytes(RATE * 2)] * 2


@virtual
async def test_stop_in_a_pause_does_not_mute_the_next_reply() -> None:
    async with HeldCall([Playout()]) as call:
        first = Feed(call.session)
        first.segment(0, 18)
        first.audio(RATE)
        await call.session.clock.sleep(0.5)
        call.part(Playout).pause()
        call.session.interrupt()
        second = Feed(call.session)
        second.segment(0, 18)
        second.audio(RATE)
        second.done()
        second.end()
        await call.session.clock.sleep(2)
    check(call)
    assert call.pcm(2) == numbered(0, RATE)


@virtual
async def test_stop_is_at_once_and_counts_what_is_sent_ahead_as_not_heard() -> None:
    async with HeldCall([Playout(lead=0.2)]) as call:
        feed = Feed(call.session, text="aaaa bbbb cccc dddd eeee")
        feed.segment(0, 24)
        feed.audio(RATE * 24 // 10)
        feed.done()
        feed.end()
        await call.session.clock.sleep(1.0)
        sent = len(call.voice)
        call.session.interrupt()
        await call.session.clock.sleep(3)
    check(call)
    assert len(call.voice) == sent
    assert call.all(Interrupted) == [Interrupted(1, 9, "asked to")], "1.2 s are sent, 1.0 heard: aaaa bbbb"


@virtual
async def test_what_the_far_end_has_not_played_yet_is_not_heard() -> None:
    async with HeldCall([Playout()]) as call:
        feed = Feed(call.session, text="aaaa bbbb cccc dddd eeee")
        feed.segment(0, 24)
        feed.audio(RATE * 24 // 10)
        feed.done()
        feed.end()
        await call.session.clock.sleep(1.0)
        call.session.send(PlayoutReached(RATE * 6 // 10))
        assert call.part(Playout).line.lag == pytest.approx(0.4)
        await call.session.clock.sleep(0.5)
        call.session.interrupt()
    check(call)
    assert call.all(Interrupted) == [Interrupted(1, 9, "asked to")], (
        "1.5 s went out, 1.1 were heard: aaaa bbbb"
    )


@virtual
async def test_a_reply_is_over_when_the_far_end_has_played_it() -> None:
    async with HeldCall([Playout()]) as call:
        for _ in range(2):
            feed = Feed(call.session, text="aaaa")
            feed.segment(0, 4)
            feed.audio(RATE)
            feed.done()
            feed.end()
            await call.session.clock.sleep(0.5)
            if not call.part(Playout).line.lag:
                call.session.send(PlayoutReached(RATE // 10))
            await call.session.clock.sleep(2)
    check(call)
    ended = [seen.at for seen in call.seen if isinstance(seen.what, ReplyEnded)]
    assert ended == pytest.approx([1.4, 3.9]), "a second of voice, 0.4 s late; the line does not change"
    assert [reply.heard for reply in call.all(ReplyEnded)] == ["aaaa", "aaaa"]


@virtual
async def test_a_mark_that_cannot_be_is_not_believed() -> None:
    async with HeldCall([Playout()]) as call:
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(RATE)
        await call.session.clock.sleep(0.5)
        for at, lag in ((RATE * 60, 0.0), (-RATE * 60, 2.0)):
            call.session.send(PlayoutReached(at))
            assert call.part(Playout).line.lag == lag


@virtual
async def test_interruption_releases_those_who_are_held() -> None:
    async with HeldCall([Playout(limit=1.0)]) as call:
        playout = call.part(Playout)
        feed = Feed(call.session)
        feed.audio(RATE * 2)
        assert playout.full
        waiting = asyncio.ensure_future(playout.room())
        await call.session.clock.sleep(0.1)
        assert not waiting.done()
        call.session.interrupt()
        await waiting
        assert not playout.full


# Heard -----------------------------------------------------------------------------------------------

TEXT = "Hello there. How are you today?"


def speak(session: Session, words: bool = False, complete: bool = True) -> Feed:
    """Speaks TEXT in two segments, a tenth of a second for each character; gives the feed."""
    feed = Feed(session, TEXT)
    for start, end in ((0, 12), (12, 31)):
        feed.segment(start, end)
        if words:
            for at, letter in enumerate(TEXT[start:end] + " "):
                if letter == " " and at:
                    feed.word(start + at, at * RATE // 10)
        feed.audio((end - start) * RATE // 10)
        if complete or start == 0:
            feed.done()
    if complete:
        feed.end()
    return feed


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize(
    ("seconds", "heard"),
    [
        *((0.0, ""), (0.3, ""), (0.55, "Hello"), (1.0, "Hello"), (1.21, "Hello there.")),
        *((1.45, "Hello there."), (1.65, "Hello there. How"), (3.0, "Hello there. How are you"), (3.2, TEXT)),
    ],
)
def test_heard_is_what_was_played_up_to_the_end_of_a_word(seconds: float, heard: str, words: bool) -> None:
    call = HeldCall([Playout()])

    async def main() -> None:
        async with call:
            speak(call.session, words)
            await call.session.clock.sleep(seconds)
            call.session.interrupt()

    run_virtual(main())
    check(call)
    assert call.all(ReplyEnded)[0].heard.rstrip() == heard


@virtual
async def test_heard_of_a_segment_that_is_still_being_made_is_measured_on_those_before() -> None:
    """The first segment spoke ten characters a second; so does, for what is known, the second."""
    async with HeldCall([Playout()]) as call:
        whole = speak(call.session)
        await call.session.clock.sleep(4)
        assert whole.made == RATE * 31 // 10
        speak(call.session, complete=False)
        await call.session.clock.sleep(2.2)
        call.session.interrupt()
    check(call)
    assert call.all(ReplyEnded)[1].heard.strip() == "Hello there. How are"


@virtual
async def test_heard_is_at_most_the_text_that_is_spoken_however_slow_the_voice() -> None:
    async with HeldCall([Playout()]) as call:
        feed = Feed(call.session, TEXT)
        feed.segment(0, 12)
        feed.audio(RATE * 20)
        await call.session.clock.sleep(19)
        call.session.interrupt()
    check(call)
    assert call.all(ReplyEnded)[0].heard == TEXT[:12]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.text("ab ", max_size=12), st.integers(0, 20000), st.booleans()), min_size=1, max_size=6
    ),
    st.floats(0, 6),
    st.sampled_from([0.0, 0.1]),
)
def test_heard_only_grows_and_ends_at_a_word(
    segments: list[tuple[str, int, bool]], stop: float, lead: float
) -> None:
    text = "".join(f"{piece} " for piece, _, _ in segments)
    call = HeldCall([Playout(lead=lead)])
    heard: list[int] = []

    async def main() -> None:
        async with call:
            feed = Feed(call.session, text)
            reply = call.session.reply
            at = 0
            for part, samples, words in segments:
                piece = part + " "
                feed.segment(at, at + len(piece))
                if words:
                    for end in range(1, len(piece) + 1):
                        if end == len(piece) or piece[end] == " ":
                            feed.word(at + end, samples * end // max(1, len(piece)))
                at += len(piece)
                feed.audio(samples)
                feed.done()
            feed.end()
            while call.session.now < stop and call.session.reply is reply and reply is not None:
                heard.append(call.part(Playout).heard(reply))
                await call.session.clock.sleep(0.1)
                call.session.inputs.call("tick", None, lambda: None)
            call.session.interrupt()

    run_virtual(main())
    check(call)
    assert heard == sorted(heard)
    assert all(offset <= len(text) for offset in heard)


# Other rates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rates", [(8000, 24000), (16000, 24000), (24000, 8000), (22050, 48000)], ids=str)
@virtual
async def test_other_rates_are_resampled_to_the_sample(rates: tuple[int, int]) -> None:
    source, target = rates
    async with HeldCall([Playout(target)]) as call:
        feed = Feed(call.session, rate=source)
        feed.segment(0, 18)
        for samples in (1, 159, 1000, source - 1160):
            feed.audio(samples)
        feed.done()
        feed.end()
        await call.session.clock.sleep(2)
    check(call)
    assert len(call.pcm(1)) // 2 == target
    assert call.times(ReplyEnded) == [pytest.approx(1.0, abs=0.001)]
    assert {piece.sample_rate for piece in pieces(call)} == {target}


@pytest.mark.parametrize("rates", [(8000, 24000), (48000, 16000)], ids=str)
@virtual
async def test_word_times_count_the_samples_of_the_voice_not_of_playout(rates: tuple[int, int]) -> None:
    source, target = rates
    async with HeldCall([Playout(target)]) as call:
        feed = Feed(call.session, "aaaa bbbb cccc dddd", rate=source)
        feed.segment(0, 19)
        for number in range(4):
            feed.word(number * 5 + 4, (number + 1) * source // 2)
        feed.audio(source * 2)
        feed.done()
        await call.session.clock.sleep(1.25)
        call.session.interrupt()
    check(call)
    assert call.all(ReplyEnded)[0].heard == "aaaa bbbb"


# Behind it -------------------------------------------------------------------------------------------


@virtual
async def test_transport_that_fails_does_not_stop_the_clock() -> None:
    class Line(Processor):
        @on(AgentAudio)
        def audio(self, frame: AgentAudio) -> None:
            raise OSError("the line is cut")

    async with HeldCall([Playout(), Line()]) as call:
        feed = Feed(call.session)
        feed.segment(0, 18)
        feed.audio(RATE)
        feed.done()
        feed.end()
        await call.session.clock.sleep(2)
    voice_is_paced(call)
    assert call.times(ReplyEnded) == [pytest.approx(1.0)]
    assert {failed.part for failed in call.all(Failed)} == {"Line"}


@virtual
async def test_text_written_meanwhile_does_not_disturb_it() -> None:
    async with HeldCall([Playout()]) as call:
        feed = Feed(call.session, "one")
        feed.segment(0, 3)
        feed.audio(RATE)
        await call.session.clock.sleep(0.1)
        call.session.send(Text(feed.reply, " two", 3))
        feed.done()
        feed.end()
        await call.session.clock.sleep(2)
    check(call)
    assert (call.all(ReplyEnded)[0].text, call.all(ReplyEnded)[0].heard) == ("one two", "one")
