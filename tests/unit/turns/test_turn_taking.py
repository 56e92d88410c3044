"""Turn taking in a pipeline: facts pass, and what the engine decides is done, in the session's time."""

from typing import Any

import pytest

from antiphon.conversation.conversation import Conversation
from antiphon.frames import (
    AgentAudio,
    AudioEnded,
    Backchannel,
    EagerTurn,
    EagerTurnDropped,
    FalseInterruption,
    Frame,
    Interrupted,
    PlayoutPaused,
    PlayoutResumed,
    ReplyEnded,
    SegmentEnded,
    SegmentStarted,
    SessionEnded,
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnHinted,
    TurnScored,
    Usage,
    UserIdle,
    UserKey,
    UserText,
    UserTurn,
    UserTurnStarted,
)
from antiphon.journal import replay
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.reply import Reply
from antiphon.testing import virtual
from antiphon.testing.assertions import HeldCall, check
from antiphon.turns.backchannels import BackchannelSettings
from antiphon.turns.decisions import ReplyBegan, VoiceAt
from antiphon.turns.engine import State
from antiphon.turns.idle import IdleSettings
from antiphon.turns.interruption import InterruptionSettings
from antiphon.turns.settings import TurnSettings
from antiphon.turns.turn_taking import TurnTaking

RATE = 24000
TEXT = "one two three four five six seven eight nine ten"


class Sink(Processor):
    """Keeps what comes behind it, in order."""

    def __init__(self) -> None:
        self.got: list[Frame] = []

    @on(
        SoundHeard, SpeechStarted, SpeechPaused, SpeechResumed, SpeechStopped, Transcript, TurnScored,
        TurnHinted, TalkButton, UserKey, UserTurn, UserText, EagerTurn, EagerTurnDropped, Backchannel,
    )  # fmt: skip
    def keep(self, frame: Frame) -> None:
        self.got.append(frame)

    def all(self, kind: type) -> list[Any]:
        return [frame for frame in self.got if type(frame) is kind]


class Line:
    """A call with turn taking and playout, into which facts are sent at their times."""

    def __init__(self, settings: TurnSettings | None = None) -> None:
        self.sink, self.taking = Sink(), TurnTaking(settings)
        self.call = HeldCall([self.taking, self.sink, Playout()])

    async def at(self, now: float, *facts: Frame) -> None:
        session = self.call.session
        await session.clock.sleep(now - (session.clock.now() - self.begun))
        for fact in facts:
            session.send(fact)

    async def __aenter__(self) -> "Line":
        await self.call.__aenter__()
        self.begun = self.call.session.clock.now()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.call.__aexit__(*error)

    def speak(self, *, seconds: float = 5.0, **how: Any) -> Reply:
        """The agent says TEXT, in so many seconds."""
        session = self.call.session
        reply = session.new_reply(lambda reply: reply.write(TEXT), **how)
        session.send(SegmentStarted(reply.number, 0, len(TEXT)))
        session.send(AgentAudio(reply.number, b"\1\0" * round(seconds * RATE), RATE))
        session.send(SegmentEnded(reply.number))
        session.send(AudioEnded(reply.number))
        return reply


FACTS: list[Frame] = [
    SoundHeard(0.9),
    SpeechStarted(0.9),
    Transcript("he", False),
    SpeechPaused(1.4),
    SpeechResumed(1.45),
    TurnHinted(0.1, 1.5),
    Transcript("hello", True, 0.9, 2.0),
    SpeechPaused(2.0),
    TurnScored(0.9, 2.0),
    SpeechStopped(2.0),
]


@virtual
async def test_facts_pass_and_the_turn_comes_behind_them() -> None:
    async with Line() as line:
        await line.at(2.2, *FACTS)
        await line.at(4.0, UserText("typed"))
    facts = [frame for frame in line.sink.got if not isinstance(frame, UserTurn | EagerTurn)]
    assert facts == [*FACTS, UserText("typed")]
    (turn,) = line.sink.all(UserTurn)
    assert (turn.text, turn.started, turn.ended) == ("hello", 0.9, 2.0)
    assert turn.reason
    assert line.call.all(UserTurnStarted) == [UserTurnStarted(0.9)]


@virtual
async def test_deadlines_are_kept_in_session_time_and_replay() -> None:
    async with Line() as line:
        await line.at(1.0, SpeechStarted(0.9))
        await line.at(2.1, Transcript("we could go there", True, 0.9, 2.0), SpeechStopped(2.0))
        await line.at(9.0)
    assert line.call.times(UserTurn) == [pytest.approx(3.0)]
    assert replay(line.call.journal.lines, [TurnTaking(), Sink(), Playout()]) == line.call.journal.lines


@virtual
async def test_timer_goes_with_what_it_was_for() -> None:
    async with Line() as line:
        await line.at(1.0, SpeechStarted(0.9))
        for number in range(20):
            await line.at(
                2.0 + number / 10, SpeechPaused(1.95 + number / 10), SpeechResumed(1.99 + number / 10)
            )
        await line.at(10.0)
        rung = [
            seen.at
            for seen in line.call.seen
            if seen.source == line.taking.name and isinstance(seen.what, tuple)
        ]
    assert rung == [], "the user still speaks"


@virtual
async def test_noise_is_no_turn() -> None:
    async with Line() as line:
        await line.at(0.2, SpeechStarted(0.0), Transcript("", True), SpeechStopped(0.1))
        await line.at(5.0)
    assert not line.sink.all(UserTurn)
    assert len(line.call.all(UserTurnStarted)) == 1


@virtual
async def test_voice_is_held_at_the_first_sound_and_goes_on_after_a_false_interruption() -> None:
    async with Line() as line:
        reply = line.speak()
        await line.at(1.03, SoundHeard(1.0))
        await line.at(1.1, SpeechStarted(1.0))
        await line.at(1.5, SpeechPaused(1.4), Transcript("mhm", True, 1.0, 1.4))
        await reply
    check(line.call)
    assert line.call.times(PlayoutPaused) == [1.03]
    assert line.call.times(PlayoutResumed) == [1.5]
    assert line.call.all(FalseInterruption) == [FalseInterruption(1, "backchannel", "mhm")]
    assert line.call.pcm(1) == b"\1\0" * 5 * RATE, "no sample is lost"
    assert not line.sink.all(UserTurn)
    assert not line.call.all(UserTurnStarted)


@virtual
async def test_barge_in_stops_the_voice_at_once() -> None:
    async with Line() as line:
        reply = line.speak()
        await line.at(2.03, SoundHeard(2.0))
        await line.at(2.1, SpeechStarted(2.0))
        sent = len(line.call.voice)
        await line.at(2.4, Transcript("wait please", False))
        assert reply.interrupted
        await line.at(9.0)
        assert len(line.call.voice) == sent
    check(line.call)
    assert line.call.all(Interrupted)[0].reason == '"wait"'
    assert line.call.times(ReplyEnded) == [2.4]
    assert reply.heard == "one two three four", "at the sound, not at the decision"
    assert line.taking.engine.state is State.SPEAKING


@virtual
async def test_voice_is_ducked_where_the_policy_says_so() -> None:
    async with Line(TurnSettings(interruption=InterruptionSettings(first="duck", duck_to=0.0))) as line:
        line.speak()
        await line.at(1.03, SoundHeard(1.0))
        await line.at(1.09, SoundHeard(1.0, gone=True))
        await line.at(6.0)
    assert not line.call.all(PlayoutPaused)
    silent = sum(not any(piece.pcm) for piece in line.call.all(AgentAudio) if piece.reply == 1)
    assert silent == 3


@virtual
async def test_word_is_finished_before_the_voice_is_held_where_the_policy_says_so() -> None:
    async with Line(TurnSettings(interruption=InterruptionSettings(finish_word=True))) as line:
        line.speak()
        await line.at(0.53, SoundHeard(0.5))
        await line.at(0.9, Transcript("wait", True, 0.5, 0.8))
    check(line.call)
    (held,) = line.call.times(PlayoutPaused)
    assert 0.6 <= held <= 0.8
    assert line.call.all(ReplyEnded)[0].heard == "one two"


@virtual
async def test_hold_that_is_taken_back_before_the_word_ends_holds_nothing() -> None:
    async with Line(TurnSettings(interruption=InterruptionSettings(finish_word=True))) as line:
        reply = line.speak()
        await line.at(0.53, SoundHeard(0.5))
        await line.at(0.56, SoundHeard(0.5, gone=True))
        await reply
    assert not line.call.all(PlayoutPaused)
    assert line.call.times(ReplyEnded) == [pytest.approx(5.0)]


@virtual
async def test_engine_knows_where_the_voice_stands_when_it_judges() -> None:
    async with Line() as line:
        told: list[Any] = []
        decide = line.taking.engine.decide
        line.taking.engine.decide = lambda fact, *now: (told.append(fact), decide(fact, *now))[1]  # type: ignore[method-assign]
        line.speak()
        await line.at(4.7, SpeechStarted(4.65))
    began, voice, *_ = told
    assert began == ReplyBegan(True)
    assert isinstance(voice, VoiceAt)
    assert (voice.voiced, voice.left) == (pytest.approx(4.7), pytest.approx(0.3))
    assert (voice.said, voice.says_next) == (TEXT[:44], TEXT[44:])
    assert line.taking.engine.state is State.SPEAKING, "near its end: the agent finishes"
    assert not line.call.all(PlayoutPaused)


@virtual
async def test_reply_that_is_a_guess_is_not_the_agents_before_it_is_committed() -> None:
    async with Line() as line:
        session = line.call.session
        reply = line.speak(speculative=True)
        assert line.taking.engine.state is State.LISTENING
        session.inputs.call("commit", None, lambda: session.replies.commit(reply))
        assert line.taking.engine.state is State.REPLYING
        await reply
        assert line.taking.engine.state is State.LISTENING


@virtual
async def test_what_was_written_in_vain_is_counted_and_told() -> None:
    async with Line() as line:
        line.speak(speculative=True).interrupt("other words")
        await line.at(1.0)
    assert line.taking.engine.floor.wasted == len(TEXT)
    assert ("characters written in vain", len(TEXT)) in [
        (use.unit, use.amount) for use in line.call.all(Usage)
    ]


@virtual
async def test_guesses_and_their_end_are_told_downstream() -> None:
    async with Line() as line:
        await line.at(1.1, SpeechStarted(1.0))
        await line.at(2.1, Transcript("we could go there", False), SpeechPaused(2.0))
        await line.at(2.2, SpeechResumed(2.15))
    assert [(turn.text, turn.ended) for turn in line.sink.all(EagerTurn)] == [("we could go there", 2.0)]
    assert line.sink.all(EagerTurnDropped) == [EagerTurnDropped("the user went on")]


@virtual
async def test_backchannel_is_sent_downstream() -> None:
    async with Line(TurnSettings(backchannels=BackchannelSettings(frequency=1.0))) as line:
        await line.at(1.1, SpeechStarted(1.0))
        await line.at(6.1, Transcript("so I went there,", False), SpeechPaused(6.0))
        await line.at(6.5)
    assert line.sink.all(Backchannel) == [Backchannel("mhm")]


@virtual
async def test_idle_user_is_asked_and_then_the_call_ends() -> None:
    call = HeldCall(
        [TurnTaking(TurnSettings(idle=IdleSettings(prompt_after=5.0))), Conversation("x"), Playout()]
    )
    async with call:
        await call.session.wait()
    check(call)
    assert [(idle.seconds, idle.action) for idle in call.all(UserIdle)] == [(5.0, "prompt"), (5.0, "end")]
    assert [ended.heard for ended in call.all(ReplyEnded)] == ["Are you still there?"]
    assert call.all(SessionEnded) == [SessionEnded("the user was idle")]
    assert call.times(SessionEnded) == [10.0]


@virtual
async def test_button_and_keys_make_turns() -> None:
    async with Line(TurnSettings(starts_by="button")) as line:
        await line.at(1.0, TalkButton(True))
        await line.at(2.0, Transcript("hello", True, 1.1, 1.9))
        await line.at(3.0, TalkButton(False))
        await line.at(4.0, UserKey("4"), UserKey("#"))
    assert [(turn.text, turn.ended) for turn in line.sink.all(UserTurn)] == [("hello", 3.0), ("4", 4.0)]


@virtual
async def test_turn_taking_without_playout_interrupts_all_the_same() -> None:
    async with HeldCall([TurnTaking()]) as call:
        reply = call.session.new_reply(lambda reply: reply.write("going on and on"))
        await call.session.clock.sleep(1)
        call.session.send(SpeechStarted(0.9))
        call.session.send(Transcript("wait", True, 0.9, 1.0))
        assert reply.interrupted
    check(call)
