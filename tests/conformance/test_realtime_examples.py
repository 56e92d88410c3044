"""The examples of models that hear and speak: whole conversations by scripted models, in virtual time."""

from typing import Any

import pytest

from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, ToolCall, UserSaid
from antiphon.conversation.interpreter import Interpreter
from antiphon.errors import UnavailableError
from antiphon.frames import (
    PlayoutStarted,
    Prompt,
    Remarked,
    ReplyEnded,
    ServerMessage,
    ToolReported,
    UserTurn,
)
from antiphon.journal import replay
from antiphon.services.realtime_vocabulary import Respond, SpeechOver, UserWords
from antiphon.services.thinking import thinking_tool
from antiphon.testing import (
    LoudVAD,
    ScriptedEOT,
    ScriptedLLM,
    ScriptedRealtime,
    ScriptedSTT,
    ScriptedTTS,
    loud,
    run_virtual,
)
from antiphon.testing.assertions import HeldCall, check, hold
from antiphon.transports.caller import Caller, CallerLine

from .test_examples import example

sleep = LoopClock().sleep
OURS: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()}


def say(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


def heard(call: HeldCall) -> list[str]:
    return [ended.heard for ended in call.all(ReplyEnded) if ended.heard]


# The word game ---------------------------------------------------------------------------------------


def game(player: ScriptedRealtime, judge: ScriptedRealtime, monkeypatch: pytest.MonkeyPatch) -> Any:
    module = example("word_game")
    monkeypatch.setattr(module, "JUDGE", judge)
    monkeypatch.setattr(module, "WORDS", ["bicycle", "piano", "penguin"])
    return module.agent.with_services(realtime=player, **OURS)


def test_a_game_of_three_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong guess, a right one, and a user who says the word."""
    player = ScriptedRealtime(["Is it a car?", "Is it a bicycle?", "A piano?"])
    judge = ScriptedRealtime(["no", "no", "no", "Yes.", "yes"], speaks=False, words_after=0.1)
    agent = game(player, judge, monkeypatch)
    call = run_virtual(hold(agent, [say(1.0), say(1.0, 2.5), say(1.0, 6.0)]))
    check(call)
    assert heard(call)[:4] == [
        "Let us play! Describe the word, and I guess.",
        "Is it a car?",
        "Is it a bicycle?",
        "Hurrah! The next word, please.",
    ]
    assert heard(call)[-1] == "You said it! Another word, please."
    assert [told.data for told in call.all(ServerMessage)] == [
        {"word": word} for word in ("bicycle", "piano", "penguin")
    ]
    assert [(verdict.about, verdict.text) for verdict in call.all(Remarked)] == [
        ("user", "no"), ("agent", "no"), ("user", "no"), ("agent", "Yes."), ("user", "yes"),
    ], "what the game itself says is not judged"  # fmt: skip
    assert UserWords("[Now the one who guesses said:] Is it a bicycle?") in judge.inputs
    assert judge.sound > 2.5, "it hears the clues"
    assert judge.inputs.count(Respond()) == 5
    assert player.open_conversations == judge.open_conversations == 0
    again = game(ScriptedRealtime([]), ScriptedRealtime([], speaks=False), monkeypatch)
    assert replay(call.journal.lines, again.pipeline(Caller([], 16000))) == call.journal.lines


# A model that thinks ---------------------------------------------------------------------------------


def thought(call_answers: list[Any], thinker: ScriptedLLM, lines: list[CallerLine]) -> HeldCall:
    model = ScriptedRealtime(call_answers, ["plan a week in Rome", "is it warm there"], words_after=0.2)
    tools = [thinking_tool(thinker, timeout=8.0)]
    agent = example("thinking").agent.with_services(realtime=model, tools=tools, **OURS)
    call = run_virtual(hold(agent, lines, linger=12.0))
    check(call)
    return call


THINK = ToolCall("1", "think", '{"question": "Which sights on which day?"}')


def test_the_voice_goes_on_while_the_other_model_thinks() -> None:
    thinker = ScriptedLLM([["<think>Hm.</think>First the Forum, then the Vatican."]], first=7.0)
    answers = [[THINK], "Let me think about that.", "It is warm.", "Begin with the Forum."]
    call = thought(answers, thinker, [say(1.0), say(1.0, 0.5)])
    assert heard(call)[1:] == ["Let me think about that.", "It is warm.", "Begin with the Forum."]
    (context,) = thinker.contexts
    assert context.entries == (
        AgentSaid("Hello! Where shall we go?"),
        UserSaid("plan a week in Rome"),
        UserSaid("Which sights on which day?"),
    )
    assert not context.tools
    note = UserSaid("[think has ended. Tell the user: First the Forum, then the Vatican.]")
    assert note in call.entries


@pytest.mark.parametrize(
    ("thinker", "result"),
    [
        (ScriptedLLM(["never"], first=100.0), "think took longer than 8 seconds and was stopped."),
        (ScriptedLLM([[UnavailableError("the model is down")]]), "think failed: the model is down."),
        (ScriptedLLM([[]]), "think failed: the model that thinks ended without a word."),
        (ScriptedLLM(["long " * 3000], each=0.0), "think failed: an answer of more than 10000 characters."),
    ],
    ids=["too slow", "fails", "says nothing", "says too much"],
)
def test_thinking_that_fails_is_told_too(thinker: ScriptedLLM, result: str) -> None:
    call = thought([[THINK], "Let me think.", "Sorry, I do not know."], thinker, [say(1.0, 0.7, "answer")])
    (reported,) = call.all(ToolReported)
    assert (reported.result, reported.failed) == (result, True)
    assert call.entries[-1] == AgentSaid("Sorry, I do not know.")


def test_the_game_is_over_after_the_last_word(monkeypatch: pytest.MonkeyPatch) -> None:
    player = ScriptedRealtime([f"Is it {word}?" for word in ("this", "that", "it", "more")])
    judge = ScriptedRealtime(["no", "yes"] * 4, speaks=False)
    call = run_virtual(hold(game(player, judge, monkeypatch), [say(1.0), *[say(1.0, 6.0)] * 3]))
    check(call)
    assert "That was the last word. We got 3 of 3." in heard(call)
    assert heard(call)[-1] == "Is it more?", "and the judge's yes ends no further round"


# The interpreter -------------------------------------------------------------------------------------

SPEECH = b"".join(loud(2.0) + bytes(32000 * 4 // 10) for _ in range(3))  # phrases, with pauses of 0.4 s
FRENCH = [
    "Bonjour à tous, mes chers amis, et soyez les bienvenus ici ce matin !",
    "Nous commençons maintenant, et nous finissons à cinq heures.",
]


def interpreted(linger: float = 8.0, pcm: bytes = SPEECH, **services: Any) -> HeldCall:
    agent = example("interpreter").agent.with_services(vad=LoudVAD(), **services)
    call = run_virtual(hold(agent, [CallerLine(pcm, 0.5, "now")], linger=linger))
    check(call)
    again = agent.pipeline(Caller([], 16000))
    assert replay(call.journal.lines, again) == call.journal.lines
    return call


def test_interpreter_is_heard_while_the_user_still_speaks() -> None:
    model = ScriptedRealtime(FRENCH, ["hello everybody", "we begin now", "and end at five"], words_after=0.3)
    call = interpreted(realtime=model)
    assert heard(call) == FRENCH
    assert not any(ended.interrupted for ended in call.all(ReplyEnded))
    first, second = call.times(PlayoutStarted)
    assert first < 3.5, "the first phrase, 2 s long, is said again a second after it"
    assert second < 9.0, "the other two are said together, as soon as the first has been"
    said = call.part(Interpreter).history.entries
    assert said == [
        UserSaid("hello everybody"),
        AgentSaid(FRENCH[0]),
        UserSaid("we begin now"),
        UserSaid("and end at five"),
        AgentSaid(FRENCH[1]),
    ]
    assert model.inputs.count(SpeechOver()) == 3


def test_interpreter_does_not_wait_for_the_end_of_a_long_phrase() -> None:
    gap = bytes(32000 * 64 // 1000)  # too short to end speech
    speech = b"".join(loud(2.0) + gap for _ in range(4))
    model = ScriptedRealtime(["Un, deux, trois.", "Quatre."])
    call = interpreted(realtime=model, pcm=speech)
    assert [turn.ended - turn.started for turn in call.all(UserTurn)] == pytest.approx([6.1, 2.0], abs=0.2)
    assert call.times(PlayoutStarted)[0] < 0.5 + 4 * 2.064, "it is heard while the user still speaks"


def test_interpreter_goes_on_after_a_failure() -> None:
    model = ScriptedRealtime([[UnavailableError("not now")], FRENCH[1]], ["hello", "we", "end"])
    assert FRENCH[1] in heard(interpreted(realtime=model))
    llm = ScriptedLLM([[UnavailableError("no")]] * 3 + ["Nous."])
    hears = ScriptedSTT(["hello everybody", "we begin now", "and end at five"])
    assert "Nous." in heard(interpreted(stt=hears, llm=llm, tts=ScriptedTTS(), realtime=None))


def test_cascade_interprets_phrase_by_phrase() -> None:
    llm, tts = ScriptedLLM(["Bonjour.", "Nous commençons.", "Fin."]), ScriptedTTS()
    hears = ScriptedSTT(["hello everybody", "we begin now", "and end at five"])
    call = interpreted(stt=hears, llm=llm, tts=tts, realtime=None)
    assert heard(call) == ["Bonjour.", "Nous commençons.", "Fin."]
    assert call.times(PlayoutStarted)[:2] < [3.5, 5.8], "while the user still speaks"
    assert [len(prompt.context.entries) for prompt in call.all(Prompt)] == [1, 3, 5]
