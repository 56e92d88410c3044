"""The record of every turn: its parts, in virtual time, to the millisecond."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon import Agent, tool
from antiphon.context import Context
from antiphon.errors import BadResponseError
from antiphon.frames import (
    FalseInterruption,
    PlayoutStarted,
    Prompt,
    ReplyEnded,
    ReplyStarted,
    Text,
    ToolCall,
    UserText,
    UserTurn,
)
from antiphon.telemetry.latency import PARTS, Latency, ReplyTiming, TurnTiming, percentile, summarise
from antiphon.testing import LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS, loud, run_virtual
from antiphon.transports.caller import Caller, CallerLine


@tool
async def opening_hours(day: str) -> str:
    """When the shop is open."""
    return f"nine to five on {day}"


def agent(
    words: Sequence[str | Exception],
    answers: Sequence[Sequence[str | ToolCall | Exception] | str],
    *,
    stt: float = 0.1,
    scores: Sequence[float | Exception] = (1.0,),
    greeting: str | None = None,
) -> Agent:
    return Agent(
        "Be brief.",
        stt=ScriptedSTT(words, delay=stt),
        llm=ScriptedLLM(answers),
        tts=ScriptedTTS(),
        vad=LoudVAD(),
        eot=ScriptedEOT(scores),
        tools=[opening_hours],
        greeting=greeting,
    )


def call(who: Agent, lines: Sequence[CallerLine], speech: Sequence[tuple[float, float]] = ()) -> Latency:
    latency = Latency(lambda: speech)
    run_virtual(who.session(Caller(lines, 16000), observers=[latency]).run())
    return latency


def parts_ms(turn: TurnTiming) -> dict[str, int]:
    assert turn.parts is not None
    return {name: round(seconds * 1000) for name, seconds in turn.parts.items()}


def test_each_part_is_what_its_service_was_scripted_to_take() -> None:
    (turn,) = call(
        agent(["hello"], ["Well hello there. How are you?"]), [CallerLine(loud(1.0), 0.5, "now")]
    ).turns
    assert (turn.user, turn.measured_from, round(turn.ended, 3)) == ("hello", "vad", 1.504)
    assert parts_ms(turn) == {
        "endpointing": 200,  # the detector: six windows of 32 ms, in pieces of 20
        "stt": 0,
        "first_token": 86,  # of 150: it was asked in the pause
        "first_sentence": 60,  # two words after the first, the first sentence is there
        "first_audio": 50,
        "playout": 0,
    }
    assert turn.voice_to_voice == pytest.approx(0.396)


def test_words_that_come_late_are_the_part_of_speech_to_text() -> None:
    (turn,) = call(agent(["hello"], ["Yes."], stt=0.5), [CallerLine(loud(1.0), 0.5, "now")]).turns
    assert (parts_ms(turn)["endpointing"], parts_ms(turn)["stt"]) == (196, 340)


def test_waiting_for_a_model_that_is_not_sure_is_endpointing() -> None:
    (turn,) = call(agent(["we saw them"], ["Yes."], scores=(0.1,)), [CallerLine(loud(1.0), 0.5, "now")]).turns
    assert turn.answer is not None
    assert parts_ms(turn)["endpointing"] > 600
    assert parts_ms(turn)["stt"] == 0
    assert turn.reason == "sounds unfinished (0.10)"


def test_a_known_end_of_speech_counts_from_there() -> None:
    speech = [(0.5, 0.8), (0.95, 1.42), (7.0, 8.0)]
    (turn,) = call(agent(["hello"], ["Yes."]), [CallerLine(loud(1.0), 0.5, "now")], speech).turns
    assert (turn.ended, turn.measured_from) == (1.42, "recording")
    assert parts_ms(turn)["endpointing"] == 284


def test_the_last_sound_counts_not_when_the_detector_heard_the_end() -> None:
    tone = (8000 * np.sin(2 * np.pi * 200 * np.arange(16000) / 16000)).astype("<i2").tobytes()
    faint = b"\x01\0\xff\xff" * 800  # 0.1 s, which LoudVAD takes for speech
    (turn,) = call(agent(["hello"], ["Yes."]), [CallerLine(tone + faint, 0.5, "now")]).turns
    assert (turn.ended, turn.measured_from) == (pytest.approx(1.5, abs=0.02), "vad")
    assert turn.marks is not None
    assert turn.voice_to_voice == pytest.approx(turn.marks[-1] - 1.5, abs=0.02)
    assert parts_ms(turn)["endpointing"] > 280


def test_speech_that_goes_on_while_the_turn_is_taken_to_be_over_is_not_its_end() -> None:
    (turn,) = call(agent(["hello"], ["Yes."]), [CallerLine(loud(1.0), 0.5, "now")], [(0.5, 3.0)]).turns
    assert turn.measured_from == "vad"


def test_tools_interruptions_and_the_greeting() -> None:
    hours = ToolCall("1", "opening_hours", '{"day":"monday"}')
    answers = [["Let me look.", hours], "We are open from nine to five, and we are glad to see you.", "Yes?"]
    latency = call(
        agent(["when are you open?", "wait"], answers, greeting="Good morning."),
        [CallerLine(loud(1.0), 0.5, "answer"), CallerLine(loud(0.6), 1.5, "barge-in")],
    )
    first, second = latency.turns
    assert first.answer is not None
    assert second.answer is not None
    assert first.answer.interrupted
    assert first.answer.reason == '"wait"'
    assert first.answer.said.startswith(first.answer.heard)
    assert 0 < len(first.answer.heard) < len(first.answer.said)
    (run,) = first.answer.tools
    assert (run.call.name, run.result, run.failed) == ("opening_hours", "nine to five on monday", False)
    assert not second.answer.interrupted
    assert [answer.said for answer in latency.unprompted] == ["Good morning."]


def test_a_tool_that_comes_first_is_in_the_wait_for_the_first_token() -> None:
    answers = [[ToolCall("1", "opening_hours", '{"day":"monday"}')], "At nine."]
    (turn,) = call(agent(["when?"], answers), [CallerLine(loud(1.0), 0.5, "now")]).turns
    assert parts_ms(turn)["first_token"] == 183  # twice 150, begun in the pause


def test_failures_stand_where_they_happened() -> None:
    latency = call(agent(["hello"], [[BadResponseError("gibberish")]]), [CallerLine(loud(1.0), 0.5, "now")])
    assert latency.failures == ["LLM: gibberish (BadResponseError)"]
    (turn,) = latency.turns
    assert turn.answer is not None
    assert turn.answer.failures == latency.failures
    assert turn.answer.said.startswith("Sorry")


def test_a_turn_without_an_answer_has_no_latency() -> None:
    latency = Latency()
    latency.saw(2.0, "", UserTurn("hello", 0.5, 1.5), False)
    (turn,) = latency.turns
    assert (turn.answer, turn.parts, turn.voice_to_voice) == (None, None, None)
    assert summarise(latency.turns) is None


def test_a_turn_that_a_part_rewrites_is_one_turn() -> None:
    latency = Latency()
    latency.saw(2.0, "", UserTurn("hello", 0.5, 1.5), False)
    latency.saw(2.1, "", UserTurn("[Ada] hello", 0.5, 1.5), True)
    assert [turn.user for turn in latency.turns] == ["[Ada] hello"]


def test_an_answer_that_begins_anew_after_nothing_is_the_answer() -> None:
    latency, wrong = Latency(), Latency()
    for told in (latency, wrong):
        told.saw(1.0, "TurnTaking", UserTurn("hello", 0.0, 0.8), False)
        told.saw(1.0, "session", ReplyStarted(1), False)
        told.saw(1.0, "Conversation", Prompt(1, Context("")), False)
        told.saw(1.2, "session", ReplyEnded(1, "Hi", "", True), False)
    latency.saw(1.5, "TurnTaking", FalseInterruption(1, "noise"), False)
    wrong.saw(1.5, "TurnTaking", UserTurn("and more", 1.1, 1.4), False)
    wrong.saw(1.5, "TurnTaking", FalseInterruption(7, "noise"), False)
    for told in (latency, wrong):
        told.saw(1.5, "session", ReplyStarted(2), False)
        told.saw(1.5, "Conversation", Prompt(2, Context("")), False)
        told.saw(2.0, "Playout", PlayoutStarted(2), False)
        told.saw(3.0, "session", ReplyEnded(2, "Hi", "Hi", False), False)
    (turn,) = latency.turns
    assert turn.voice_to_voice == pytest.approx(1.2)
    assert turn.answer is not None and turn.answer.heard == "Hi"
    assert latency.unprompted == []
    assert [turn.voice_to_voice for turn in wrong.turns] == [None, pytest.approx(0.6)]


def test_a_typed_turn_begins_when_it_arrives() -> None:
    latency = Latency()
    answer = [ReplyStarted(1), Prompt(1, Context("")), Text(1, "Yes.", 0), PlayoutStarted(1)]
    for at, frame in enumerate([UserText("hello"), *answer, ReplyEnded(1, "Yes.", "Yes.", False)]):
        latency.saw(float(at), "", frame, False)
    (turn,) = latency.turns
    assert (turn.measured_from, turn.voice_to_voice) == ("typed", 4.0)
    assert turn.parts == dict.fromkeys(PARTS, 0.0) | {"first_token": 3.0, "playout": 1.0}


@given(st.lists(st.none() | st.floats(0, 100), min_size=7, max_size=7))
def test_parts_follow_one_another_and_add_up(times: list[float | None]) -> None:
    ended, certain, closed, token, asked, audio, played = times
    answer = ReplyTiming(1, 0.0, token, asked, audio, (played or 0.0) + (ended or 0.0))
    turn = TurnTiming(1, "hello", 0.0, ended or 0.0, "vad", certain or 0.0, closed or 0.0, "", answer)
    assert turn.parts is not None
    assert turn.voice_to_voice is not None
    assert min(turn.parts.values()) >= 0
    assert sum(turn.parts.values()) == pytest.approx(turn.voice_to_voice)


def test_percentiles_lie_between_neighbours() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.5
    assert percentile([1.0, 2.0], 0.95) == pytest.approx(1.95)
    assert percentile([7.0], 0.95) == 7.0


def test_the_summary_is_of_the_answered_turns() -> None:
    words, answers = ["one", "two"], ["First of all.", "Yes."]
    lines = [CallerLine(loud(1.0), 0.5, "now"), CallerLine(loud(1.0), 0.5, "answer")]
    latency = call(agent(words, answers), lines)
    latency.saw(99.0, "", UserTurn("three", 98.0, 98.5), False)
    of = summarise(latency.turns)
    assert of is not None
    assert of.answered == 2
    first, second = (turn.voice_to_voice or 0.0 for turn in latency.turns[:2])
    assert of.median["voice_to_voice"] == pytest.approx((first + second) / 2)
