"""Whole calls through a model that hears and speaks, in virtual time."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from antiphon import Agent, Listening
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.frames import Failed, PlayoutStarted, ReplyEnded, Text, TextEnded, ToolCall, UserText, UserTurn
from antiphon.journal import replay
from antiphon.pipeline import Tap
from antiphon.reply import Reply
from antiphon.screening import ScreeningSettings
from antiphon.services import realtime_response
from antiphon.services.realtime import Realtime
from antiphon.services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    Discard,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechBegan,
    SpeechOver,
    ToolOutput,
    UserWords,
    Voice,
)
from antiphon.testing import LoudVAD, ScriptedEOT, ScriptedSTT, ScriptedTTS, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold
from antiphon.testing.scripted_realtime import Answer, ScriptedRealtime
from antiphon.transports.caller import CallerLine
from antiphon.turns.backchannels import BackchannelSettings
from antiphon.turns.interruption import InterruptionSettings
from antiphon.turns.settings import SpeculationSettings, TurnLimit, TurnSettings
from antiphon.turns.vad import VADSettings

sleep = LoopClock().sleep
COUNTING = "One two three four five six seven eight nine ten eleven."
OURS: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()}
THEIRS: dict[str, Any] = {"vad": None, "eot": None}


def say(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


def first(seconds: float = 0.6) -> CallerLine:
    return say(seconds, 0.5, "now")


def held(model: ScriptedRealtime, lines: Sequence[CallerLine], **settings: Any) -> HeldCall:
    call = run_virtual(hold(Agent("You answer the phone.", realtime=model, **{**OURS, **settings}), lines))
    check(call)
    return call


@tool
async def opening_hours(day: str) -> str:
    """When the shop is open on a day of the week."""
    await sleep(0.5)
    return "nine to five"


@tool
async def slow() -> str:
    """Take long."""
    await sleep(4.0)
    return "at last"


def called(number: int, name: str, arguments: str = "{}") -> ToolCall:
    return ToolCall(f"Realtime-{number}", name, arguments)


def told(model: ScriptedRealtime) -> list[Any]:
    """What the model was told, without its context and the sound."""
    return [item for item in model.inputs if not isinstance(item, Remember)]


ANSWERS: list[Sequence[Answer] | str] = [
    "Hello! What can I do for you?",
    [ToolCall("1", "opening_hours", '{"day": "monday"}')],
    "From nine to five.",
    "Good bye!",
]
HEARD = ["hello", "when are you open?", "thank you, bye"]


@pytest.mark.parametrize("turns", [OURS, THEIRS], ids=["our turns", "their turns"])
def test_shop(turns: dict[str, Any]) -> None:
    """A greeting, a question with a tool, thanks: words come late, and are in the history all the same."""
    model = ScriptedRealtime(ANSWERS, HEARD)
    lines = [say(0.6), say(2.0), say(1.0)]
    call = held(model, lines, greeting="Bicycle shop.", tools=[opening_hours], **turns)
    hours = called(1, "opening_hours", '{"day": "monday"}')
    assert call.entries == [
        AgentSaid("Bicycle shop."),
        UserSaid("hello"),
        AgentSaid("Hello! What can I do for you?"),
        UserSaid("when are you open?"),
        AgentSaid("", (hours,)),
        ToolAnswered(hours, "nine to five"),
        AgentSaid("From nine to five."),
        UserSaid("thank you, bye"),
        AgentSaid("Good bye!"),
    ]
    assert [turn.text for turn in call.all(UserTurn)] == ["", "", ""], "no turn waits for its words"
    assert ToolOutput("1", "opening_hours", "nine to five") in model.inputs, "the model's own id"
    assert model.open_conversations == 0


def test_what_the_model_is_told() -> None:
    model = ScriptedRealtime(["Yes?", [ToolCall("1", "opening_hours", '{"day": "x"}')], "Always."], ["hello"])
    held(model, [first(), say(0.8)], greeting="Hi.", tools=[opening_hours])
    assert told(model) == [
        Say("Hi."),
        SpeechBegan(), SpeechOver(), Respond(),
        SpeechBegan(), SpeechOver(), Respond(),
        ToolOutput("1", "opening_hours", "nine to five"), Respond(),
    ]  # fmt: skip
    assert 1.4 < model.sound < 3.0, "it hears speech, not the silence between turns"


def test_model_that_detects_turns_hears_all_and_answers_by_itself() -> None:
    model = ScriptedRealtime(["Yes?"], ["hello"])
    held(model, [first()], **THEIRS)
    assert told(model) == []
    assert model.sound > 3.0


def test_barge_in_is_told_to_the_model_by_the_sample() -> None:
    model = ScriptedRealtime([COUNTING, "All right."], ["count", "stop"])
    call = held(model, [first(), say(1.2, 1.5, "barge-in")])
    call.reads("""
        0.51  user:
        1.71  agent: One two three four —
        3.23  user:
        4.82  agent: All right.
        8.54  end: the caller hung up
    """)
    assert call.entries[1] == AgentSaid("One two three four", interrupted=True)
    (cut,) = [item for item in model.inputs if isinstance(item, CutShort)]
    begun, sent = call.times(PlayoutStarted)[0], [seen.at for seen in call.voice if seen.at < 4.0]
    assert cut.heard == pytest.approx(sent[-1] - begun, abs=0.041)
    assert told(model).index(cut) < told(model).index(SpeechOver(), 3)


def test_barge_in_that_the_model_hears() -> None:
    model = ScriptedRealtime([COUNTING, "All right."], ["count", "stop"], words_after=0.2)
    call = held(model, [first(), say(1.2, 1.0, "barge-in")], **THEIRS)
    assert [isinstance(entry, UserSaid) for entry in call.entries] == [True, False, True, False]
    assert call.all(ReplyEnded)[0].interrupted
    assert call.all(ReplyEnded)[0].heard in COUNTING
    assert any(isinstance(item, CutShort) and item.heard > 0.5 for item in model.inputs)


def test_cough_holds_the_voice_and_loses_nothing() -> None:
    model = ScriptedRealtime([COUNTING], ["count"])
    call = held(model, [first(), say(0.2, 1.5, "barge-in")])
    assert call.all(ReplyEnded)[0].heard == COUNTING
    assert not call.all(ReplyEnded)[0].interrupted
    assert told(model) == [SpeechBegan(), SpeechOver(), Respond(), SpeechBegan(), Discard()]


def test_reply_that_the_model_begins_by_itself_is_a_reply() -> None:
    class Eager(ScriptedRealtime):
        async def converse(self, context: Any, inputs: Any, *, detects: bool = False) -> AsyncGenerator[Any]:
            await sleep(1.0)
            yield ResponseBegan()
            yield AgentWords("Are you still there?")
            yield Voice(b"\x00\x10" * 24000)
            yield ResponseOver()
            await sleep(1000.0)

    call = held(Eager([]), [say(0.1, 4.0, "now")], **THEIRS)
    assert call.entries == [AgentSaid("Are you still there?")]


def test_typed_text_is_told_and_answered() -> None:
    model = ScriptedRealtime(["From nine to five."])
    call = HeldCall(Agent("Hi.", realtime=model, **OURS).pipeline(_quiet()))

    async def main() -> None:
        async with call:
            call.session.send(UserText("When are you open?"))
            await sleep(5.0)

    run_virtual(main())
    assert told(model) == [UserWords("When are you open?"), Respond()]
    assert call.entries == [UserSaid("When are you open?"), AgentSaid("From nine to five.")]


def test_text_that_is_to_be_read_passes_and_is_not_spoken() -> None:
    model, shown = ScriptedRealtime(["From nine to five."]), list[str]()
    parts = Agent("Hi.", realtime=model, **OURS).pipeline(_quiet())
    place = next(index for index, part in enumerate(parts) if isinstance(part, Realtime))
    parts.insert(place + 1, Tap(lambda frame: shown.append(frame.text), Text))
    call = HeldCall(parts)

    def show(reply: Reply) -> None:
        call.session.door.push(Text(reply.number, "Shown.", reply.write("Shown.")))
        call.session.door.push(TextEnded(reply.number))

    async def main() -> None:
        async with call:
            call.session.send(UserText("When are you open?", aloud=False))
            await sleep(5.0)
            call.session.new_reply(show, voiced=False)
            await sleep(1.0)

    run_virtual(main())
    assert shown == ["From nine to five.", "Shown."]
    said = [AgentSaid("From nine to five."), AgentSaid("Shown.")]
    assert call.entries == [UserSaid("When are you open?"), *said]
    assert not call.voice
    assert not [item for item in model.inputs if isinstance(item, Say)]


class Careless(ScriptedRealtime):
    """Goes on with a response that was cut short, to its end."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.sent = 0

    async def converse(self, context: Any, inputs: Any, *, detects: bool = False) -> AsyncGenerator[Any]:
        async def heedless() -> AsyncGenerator[Any]:
            async for item in inputs:
                if isinstance(item, CutShort):
                    self.inputs.append(item)
                else:
                    yield item

        async for event in super().converse(context, heedless(), detects=detects):
            self.sent += isinstance(event, Voice)
            yield event


def test_rest_of_a_response_that_was_cut_short_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realtime_response, "AHEAD", 10.0)
    model = Careless([COUNTING * 8, "All right."], ["count", "stop"])
    call = held(model, [first(), say(1.2, 1.5, "barge-in"), say(0.6, 40.0, "now")])
    assert model.sent > 300, "more came than may wait"
    assert not [failed for failed in call.all(Failed) if failed.reply is None], "the conversation went on"
    heard = [ended.heard for ended in call.all(ReplyEnded)]
    assert COUNTING.startswith(heard[0].strip())
    assert "All right." in heard


def _quiet() -> Any:
    from antiphon.transports.caller import Caller

    return Caller([say(0.01, 60.0, "now")], 16000)


@pytest.mark.parametrize("turns", [OURS, THEIRS], ids=["our turns", "their turns"])
def test_barge_in_during_a_tool(turns: dict[str, Any]) -> None:
    model = ScriptedRealtime([[ToolCall("1", "slow", "{}")], "Never mind, then."], ["do it", "stop that now"])
    call = held(model, [first(), say(1.0, 1.5, "now")], tools=[slow], **turns)
    said = [entry for entry in call.entries if isinstance(entry, UserSaid | AgentSaid)]
    assert [entry.text for entry in said if entry.text] == ["do it", "stop that now", "Never mind, then."]


def test_parallel_tools_are_answered_together() -> None:
    calls = [ToolCall("1", "opening_hours", '{"day": "a"}'), ToolCall("2", "opening_hours", '{"day": "b"}')]
    model = ScriptedRealtime([calls, "Both from nine to five."], ["both"])
    held(model, [first()], tools=[opening_hours])
    outputs = [ToolOutput(number, "opening_hours", "nine to five") for number in "12"]
    assert told(model)[-3:] == [*outputs, Respond()]


def test_silent_model_is_apologised_for() -> None:
    model = ScriptedRealtime(["", "Hello again."], ["hello"])
    call = held(model, [first()])
    assert "failed Realtime: NothingSaidError" in [line for _, line in call.story()]
    assert any(isinstance(item, Say) and item.text.startswith("Sorry") for item in model.inputs)


def test_model_that_never_answers_fails_aloud() -> None:
    class Mute(ScriptedRealtime):
        async def converse(self, context: Any, inputs: Any, *, detects: bool = False) -> AsyncGenerator[Any]:
            async for _ in inputs:
                pass
            yield ResponseBegan()

    call = held(Mute([]), [first(), say(0.8, 20.0, "now")])
    assert [line for _, line in call.story()].count("failed Realtime: ServiceTimeoutError") >= 2
    assert not [entry for entry in call.entries if isinstance(entry, AgentSaid) and entry.text.strip()]


@pytest.mark.parametrize("turns", [OURS, THEIRS], ids=["our turns", "their turns"])
def test_call_replays_to_the_same_journal(turns: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"tools": [opening_hours], "greeting": "Hi.", **turns}
    model = ScriptedRealtime([*ANSWERS[:3], COUNTING, "Good bye!"], [*HEARD[:2], "count", "stop"])
    call = held(model, [say(0.6), say(2.0), say(0.8), say(1.0, 1.0, "barge-in")], **settings)
    again = Agent("You answer the phone.", realtime=ScriptedRealtime([]), **{**OURS, **settings})
    assert replay(call.journal.lines, again.pipeline(_quiet())) == call.journal.lines


def test_call_with_a_failed_response_replays_to_the_same_journal() -> None:
    failing = ScriptedRealtime(["Hello.", "", "I am back."], ["hi", "and?", "still there?"])
    call = held(failing, [first(), say(0.8), say(0.8, 6.0)])
    assert "failed Realtime: NothingSaidError" in [line for _, line in call.story()]
    again = Agent("You answer the phone.", realtime=ScriptedRealtime([]), **OURS)
    assert replay(call.journal.lines, again.pipeline(_quiet())) == call.journal.lines


def test_lost_conversation_goes_on_with_what_was_heard() -> None:
    model = ScriptedRealtime(["Hello.", [UnavailableError("gone")], "Here I am."], ["hi", "are you there?"])
    call = held(model, [first(), say(0.8)])
    contexts = [item.context for item in model.inputs if isinstance(item, Remember)]
    begun = [context.entries for context in contexts]
    assert (UserSaid("hi"), AgentSaid("Hello.")) in [entries[:2] for entries in begun]
    assert not any(isinstance(entry, AgentSaid) and not entry.text for entry in call.entries)


def test_our_speech_to_text_gives_exact_words_to_a_realtime_voice() -> None:
    model = ScriptedRealtime(["Hello."], ["helo"])
    call = held(model, [first()], stt=ScriptedSTT(["Hello!"]))
    assert call.entries == [UserSaid("Hello!"), AgentSaid("Hello.")]


def test_model_that_answers_with_text_has_our_voice() -> None:
    model, voice = ScriptedRealtime(["Hello there."], ["hi"], speaks=False), ScriptedTTS()
    call = held(model, [first()], tts=voice)
    assert call.entries == [UserSaid("hi"), AgentSaid("Hello there.")]
    assert voice.spoken == ["Hello there."]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"llm": "local"}, "leave llm= out"),
        ({"tts": "local"}, "leave tts= out"),
        ({"vad": None}, "leave vad=None out"),
        ({"turns": TurnSettings(wake_phrase="computer")}, "wake_phrase needs words"),
        ({"turns": TurnSettings(limit=TurnLimit(words=40))}, "words=...\\) needs words in time"),
        ({"turns": TurnSettings(interruption=InterruptionSettings(min_words=3))}, "needs words in time"),
        ({"turns": TurnSettings(speculation=SpeculationSettings(tries=1))}, "leave TurnSettings.speculation"),
        ({"turns": TurnSettings(backchannels=BackchannelSettings(frequency=1.0))}, "no backchannels"),
        ({"screening": ScreeningSettings()}, "screening= needs words"),
    ],
)
def test_what_does_not_apply_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        model = ScriptedRealtime([], detection="ours")
        Agent("Hi.", realtime=model, **OURS | settings).pipeline(_quiet())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"vad": LoudVAD()}, "leave vad= out"),
        ({"eot": ScriptedEOT()}, "leave eot= out"),
        ({"listening": Listening(speech=VADSettings(stop_after=0.5))}, "leave Listening.speech"),
        ({"turns": TurnSettings(starts_by="button")}, "leave TurnSettings.starts_by"),
    ],
)
def test_what_does_not_apply_is_refused_if_the_model_decides(settings: dict[str, Any], says: str) -> None:
    agent = Agent("Hi.", realtime=ScriptedRealtime([], detection="theirs"), **settings)
    with pytest.raises(ConfigurationError, match=says):
        agent.pipeline(_quiet())
    with pytest.raises(ConfigurationError, match=says):
        asyncio.run(agent.open())


def test_words_of_a_speech_to_text_make_settings_useful_that_need_them() -> None:
    turns = TurnSettings(limit=TurnLimit(words=40), wake_phrase="computer")
    agent = Agent("Hi.", realtime=ScriptedRealtime([]), **OURS, stt=ScriptedSTT("a"), turns=turns)
    assert agent.pipeline(_quiet())
