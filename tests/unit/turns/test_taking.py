"""Turn taking in a pipeline: facts pass, and what the engine decides is done, in the session's time."""

import pytest

from antiphon.conversation.conversation import Conversation
from antiphon.frames import (
    Frame,
    Interrupted,
    ReplyEnded,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnScored,
    UserText,
    UserTurn,
    UserTurnStarted,
)
from antiphon.journal import replay
from antiphon.playout import Playout
from antiphon.processor import Processor, on
from antiphon.testing import virtual
from antiphon.testing.assertions import Call, check
from antiphon.turns.engine import TurnSettings
from antiphon.turns.taking import TurnTaking


class Sink(Processor):
    """Keeps what comes behind it, in order."""

    def __init__(self) -> None:
        self.got: list[Frame] = []

    @on(SpeechStarted, SpeechPaused, SpeechResumed, SpeechStopped, Transcript, TurnScored, UserTurn, UserText)
    def keep(self, frame: Frame) -> None:
        self.got.append(frame)


FACTS: list[Frame] = [
    SpeechStarted(0.9),
    Transcript("he", False),
    SpeechPaused(1.4),
    SpeechResumed(1.45),
    TurnScored(0.9, 2.0),
    Transcript("hello", True, 0.9, 2.0),
    SpeechStopped(2.0),
]


@virtual
async def test_facts_pass_and_the_turn_comes_behind_them() -> None:
    sink = Sink()
    async with Call([TurnTaking(), sink]) as call:
        await call.session.clock.sleep(2.2)
        for fact in FACTS:
            call.session.send(fact)
        call.session.send(UserText("typed"))
    assert sink.got[: len(FACTS)] == FACTS
    assert sink.got[len(FACTS) :] == [
        UserTurn("hello", 0.9, 2.0, "sounds finished (0.90)"),
        UserText("typed"),
    ]
    assert call.all(UserTurnStarted) == [UserTurnStarted(0.9)]


@virtual
async def test_deadline_is_kept_in_session_time_and_replays() -> None:
    async with Call([TurnTaking(TurnSettings(patience=1.5))]) as call:
        await call.session.clock.sleep(1)
        call.session.send(SpeechStarted(0.9))
        call.session.send(Transcript("well", True, 0.9, 1.0))
        call.session.send(SpeechStopped(1.0))
        await call.session.clock.sleep(5)
    assert call.times(UserTurn) == [pytest.approx(2.5)]
    assert replay(call.journal.lines, [TurnTaking(TurnSettings(patience=1.5))]) == call.journal.lines


@virtual
async def test_noise_pushes_no_turn() -> None:
    async with Call([TurnTaking()]) as call:
        call.session.send(SpeechStarted(0.0))
        call.session.send(Transcript("", True))
        call.session.send(TurnScored(0.9, 0.1))
        call.session.send(SpeechStopped(0.1))
        await call.session.clock.sleep(5)
    assert not call.all(UserTurn)
    assert len(call.all(UserTurnStarted)) == 1


@virtual
async def test_speech_interrupts_a_reply_at_once() -> None:
    async with Call([TurnTaking(), Conversation("x"), Playout()]) as call:
        reply = call.session.new_reply(lambda reply: reply.write("going on and on"))
        await call.session.clock.sleep(1)
        call.session.send(SpeechStarted(0.9))
        assert reply.interrupted
    check(call)
    assert call.all(Interrupted)[0].reason == "the user spoke"
    assert call.times(ReplyEnded) == [1.0]
