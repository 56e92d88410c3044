"""A model that listens: what it is told, and what becomes of its failures."""

from collections.abc import Sequence
from typing import Any

import pytest

from antiphon import Agent
from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.frames import Failed, Remarked
from antiphon.pipeline import Part
from antiphon.services.listener import Listener
from antiphon.services.realtime_vocabulary import (
    Discard,
    Remember,
    Respond,
    SpeechBegan,
    SpeechOver,
    UserWords,
)
from antiphon.testing import ScriptedRealtime, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold, services
from antiphon.testing.scripted import Answer
from antiphon.transports.caller import CallerLine
from antiphon.transports.port import Transport


class Heard(Agent):
    """An agent with a listener at the end of its pipeline."""

    listener: Listener

    def pipeline(self, transport: Transport) -> list[Part]:
        *parts, output = super().pipeline(transport)
        return [*parts, self.listener, output]


def held(
    answers: Sequence[Sequence[Answer] | str], lines: list[CallerLine], hears: list[str], **settings: Any
) -> tuple[HeldCall, ScriptedRealtime]:
    model = ScriptedRealtime(answers)
    agent = Heard("Be brief.", **services(hears, [f"Answer {count}." for count in range(len(lines))]))
    agent.listener = Listener(model, "Say what you think.", **settings)
    call = run_virtual(hold(agent, lines))
    check(call)
    assert model.open_conversations == 0
    return call, model


def say(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


def remarks(call: HeldCall) -> list[tuple[str, str]]:
    return [(remark.about, remark.text) for remark in call.all(Remarked)]


def test_beside_a_cascade_it_hears_turns_and_reads_replies() -> None:
    call, model = held(["a question", "an answer"], [say(1.0, 0.5, "now")], ["hello"], agent="Ada")
    assert remarks(call) == [("user", "a question"), ("agent", "an answer")]
    assert [item for item in model.inputs if not isinstance(item, Remember)] == [
        UserWords("[Now the user speaks.]"), SpeechBegan(), SpeechOver(), Respond(),
        UserWords("[Now Ada said:] Answer 0."), Respond(),
    ]  # fmt: skip
    assert 1.0 < model.sound < 2.5, "the user's turns, not the silence"


def test_noise_is_discarded() -> None:
    model = ScriptedRealtime([])
    agent = Heard("Be brief.", **services(["hello", ""], ["One two three four five six seven eight nine."]))
    agent.listener = Listener(model, "Say what you think.")
    call = run_virtual(hold(agent, [say(1.0, 0.5, "now"), say(0.2, 1.0, "barge-in")]))
    assert model.inputs.count(Discard()) == 1
    assert [remark.about for remark in call.all(Remarked)] == ["user", "agent"]


def test_remarks_come_one_after_another() -> None:
    """A model that is slow is asked again only once it has answered."""
    model = ScriptedRealtime(["first", "second"], first=4.0)
    agent = Heard("Be brief.", **services(["hello"], ["Yes."]))
    agent.listener = Listener(model, "Say what you think.")
    call = run_virtual(hold(agent, [say(1.0, 0.5, "now")], linger=10.0))
    assert remarks(call) == [("user", "first"), ("agent", "second")]
    asked, answered = [seen.at for seen in call.seen if isinstance(seen.what, Remarked)]
    assert answered - asked >= 4.0


def test_a_lost_connection_is_replaced_and_the_call_goes_on() -> None:
    call, _ = held([[UnavailableError("it is gone")], "an answer"], [say(1.0, 0.5, "now")], ["hello"])
    assert [(failed.part, failed.recovered) for failed in call.all(Failed)] == [("Listener", False)]
    assert remarks(call) == [("agent", "an answer")]


def test_a_model_that_says_nothing_is_begun_anew() -> None:
    call, _ = held([""], [say(1.0, 0.5, "now"), say(1.0, 3.0)], ["hello", "and"], within=1.0)
    assert ("user", "") in remarks(call), "an empty remark is a remark"
    silent = ScriptedRealtime([], first=100.0)
    agent = Heard("Be brief.", **services(["hello"], ["Yes."]))
    agent.listener = Listener(silent, "Say what you think.", within=1.0)
    call = run_virtual(hold(agent, [say(1.0, 0.5, "now")], linger=8.0))
    assert {failed.error for failed in call.all(Failed)} == {"ServiceTimeoutError"}
    assert silent.open_conversations == 0


def test_a_model_that_answers_when_it_wants_to_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="needs a model that is asked"):
        Listener(ScriptedRealtime([], detection="theirs"), "Judge.")
