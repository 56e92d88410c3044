"""Calls in which something fails, or a machine answers."""

from collections.abc import Sequence
from typing import Any

from antiphon import Agent
from antiphon.errors import AuthenticationError, RateLimitError, UnavailableError
from antiphon.frames import Failed, Interrupted, ReplyEnded, UserTurn
from antiphon.pipeline import Parallel, Part
from antiphon.processor import Processor, on
from antiphon.services.llm import LLM
from antiphon.services.ports import Speech
from antiphon.services.tts import TTS
from antiphon.switch import Switch
from antiphon.testing import ScriptedLLM, ScriptedTTS, loud, run_virtual
from antiphon.testing.assertions import (
    HeldCall,
    check,
    heard_is_prefix_of_said,
    hold,
    no_task_left,
    nothing_of_an_old_reply,
    one_end_for_each_start,
    services,
)
from antiphon.transports.caller import Caller, CallerLine
from antiphon.turns.turn_taking import TurnTaking


def line(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


TALK = [line(0.8, 0.5, "now"), line(0.8), line(0.8)]


def held(parts: Sequence[Part]) -> HeldCall:
    """Runs a pipeline to its end."""
    call = HeldCall(parts)

    async def main() -> None:
        async with call:
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    one_end_for_each_start(call)
    heard_is_prefix_of_said(call)
    nothing_of_an_old_reply(call)
    return call


def test_ears_fail_in_the_middle_of_a_turn() -> None:
    """The service is asked early, fails, is started again, and answers when the speech is over."""
    agent = Agent("x", **services([UnavailableError("lost"), "can you hear me?"], ["I can."]))
    call = run_virtual(hold(agent, [line(0.8, 0.5, "now")]))
    check(call)
    call.reads("""
        0.51  user: can you hear me?
        1.46  failed STT: UnavailableError
        1.92  agent: I can.
        5.34  end: the caller hung up
    """)


def test_model_fails_for_a_moment() -> None:
    agent = Agent(
        "x",
        **services(
            ["one", "two"], [[RateLimitError("busy")], "First.", [RateLimitError("busy"), "never"], "Second."]
        ),
    )
    call = run_virtual(hold(agent, TALK[:2]))
    check(call)
    call.reads("""
        0.51  user: one
        1.61  failed LLM: RateLimitError
        2.04  agent: First.
        3.14  user: two
        4.23  failed LLM: RateLimitError
        4.66  agent: Second.
        8.14  end: the caller hung up
    """)
    assert all(failed.recovered for failed in call.all(Failed))


def test_model_fails_for_good() -> None:
    agent = Agent("x", **services(["one", "two"], [[AuthenticationError("the key has expired")]] * 2))
    call = run_virtual(hold(agent, TALK[:2]))
    check(call)
    call.reads("""
         0.51  user: one
         1.61  failed LLM: AuthenticationError
         1.66  agent: Sorry, I had a problem just now. Could you say that again?
         6.18  user: two
         7.23  failed LLM: AuthenticationError
         7.28  agent: Sorry, I had a problem just now. Could you say that again?
        14.10  end: the caller hung up
    """)


def test_spare_model_answers_in_its_place() -> None:
    agent = Agent("x", **services(["one", "two"], [[AuthenticationError("expired")]]))
    parts: list[Any] = list(agent.pipeline(Caller(TALK[:2], 16000)))
    index = next(number for number, part in enumerate(parts) if isinstance(part, LLM))
    spare = ScriptedLLM(["Here I am.", "Still here."])
    parts[index] = Switch(main=parts[index], spare=LLM(spare))
    call = held(parts)
    call.reads("""
        0.51  user: one
        1.61  failed LLM: AuthenticationError
        1.90  agent: Here I am.
        3.30  user: two
        4.46  agent: Still here.
        8.20  end: the caller hung up
    """)


def failing(tts: Any, piece: int, times: int, after: float = 0.3) -> Any:
    """Let a voice fail as often at this piece of a reply, after some seconds of its audio."""
    failures, speak = [UnavailableError("no voice")] * times, tts.speak

    async def fails(text: Any) -> Any:
        seconds = 0.0
        async for out in speak(text):
            if isinstance(out, Speech) and out.piece == piece and failures:
                if seconds >= after:
                    raise failures.pop()
                seconds += len(out.pcm) / 2 / tts.sample_rate
            yield out

    tts.speak = fails
    return tts


LONG = "Certainly, I can look that up. And the second sentence is a good deal longer. Bye now."


def test_voice_that_fails_in_the_middle_goes_on_where_it_was() -> None:
    good = services(["one"], [LONG])
    failing(good["tts"], 1, 1)
    call = run_virtual(hold(Agent("x", **good), TALK[:1]))
    check(call)
    (ended,) = call.all(ReplyEnded)
    assert ended.heard == LONG
    said = len(call.pcm(1)) / 48000 * good["tts"].rate
    assert len(LONG) - 3 <= said <= len(LONG) + 12, "nothing is left out, and at most a word is said twice"
    (failed,) = call.all(Failed)
    assert (failed.part, failed.retried, failed.recovered) == ("TTS", True, True)


def test_spare_voice_goes_on_in_the_middle_of_a_reply() -> None:
    agent = Agent("x", **services(["one", "two"], [LONG, "Still here."]))
    parts: list[Any] = list(agent.pipeline(Caller(TALK[:2], 16000)))
    index = next(number for number, part in enumerate(parts) if isinstance(part, TTS))
    spare = ScriptedTTS()
    failing(parts[index].service, 1, 1)
    parts[index] = Switch(main=parts[index], spare=TTS(spare))
    call = held(parts)
    first, second = call.all(ReplyEnded)
    assert (first.heard, second.heard) == (LONG, "Still here.")
    said = " ".join(map(str, spare.spoken)).removesuffix(" Still here.")
    assert LONG.endswith(said), "the spare speaks the rest"
    assert said != LONG, "and only that"
    (failed,) = call.all(Failed)
    assert (failed.recovered, failed.retried) == (True, False)


def test_third_voice_goes_on_if_the_second_has_nothing_to_say() -> None:
    agent = Agent("x", **services(["one", "two"], [LONG, "Still here."]))
    parts: list[Any] = list(agent.pipeline(Caller(TALK[:2], 16000)))
    index = next(number for number, part in enumerate(parts) if isinstance(part, TTS))
    mute, third = ScriptedTTS(), ScriptedTTS()
    failing(parts[index].service, 1, 1)
    failing(mute, 0, 1, after=0.0)
    parts[index] = Switch(parts[index], TTS(mute), TTS(third))
    call = held(parts)
    first, second = call.all(ReplyEnded)
    assert (first.heard, second.heard) == (LONG, "Still here.")
    said = " ".join(map(str, third.spoken)).removesuffix(" Still here.")
    assert LONG.endswith(said), "the third speaks the rest"
    assert said != LONG, "and only that"
    assert [failed.recovered for failed in call.all(Failed)] == [True, True]


def test_voice_fails_for_good_in_the_middle() -> None:
    good = services(["one", "two"], ["Certainly. And so on.", "Better now."])
    tts = good["tts"]
    failures = [UnavailableError("no voice")] * 2

    async def speak(text: Any, speak: Any = tts.speak) -> Any:
        async for out in speak(text):
            if (out.piece == 1 or len(failures) == 1) and failures:
                raise failures.pop()
            yield out

    tts.speak = speak
    call = run_virtual(hold(Agent("x", **good), TALK[:2]))
    check(call)
    first, second = call.all(ReplyEnded)
    assert "Certainly. And".startswith(first.heard)
    assert len(call.pcm(1)) / 48000 == len("Certainly.") / tts.rate, "what was made is played"
    assert second.heard == "Better now."
    assert [(one.part, one.reply, one.retried) for one in call.all(Failed)] == [
        ("TTS", 1, True),
        ("TTS", 1, False),
    ]


class Machine(Processor):
    """Knows an answering machine by its words: switches the conversation off and leaves a message."""

    @on(UserTurn)
    def turn(self, turn: UserTurn) -> None:
        if "after the tone" in turn.text:
            parallel = next(part for part in self.session.parts if isinstance(part, Parallel))
            parallel.switch("talk", on=False)
            self.session.say("Please call back.", interruptible=False)
        elif "hello" in turn.text:
            parallel = next(part for part in self.session.parts if isinstance(part, Parallel))
            parallel.switch("voicemail", on=False)


def with_voicemail(agent: Agent, lines: Sequence[CallerLine]) -> list[Any]:
    """The agent's pipeline, its conversation and model in a branch, a listener for machines in another."""
    parts: list[Any] = list(agent.pipeline(Caller(lines, 16000)))
    first = next(number for number, part in enumerate(parts) if isinstance(part, TurnTaking)) + 1
    last = next(number for number, part in enumerate(parts) if isinstance(part, TTS))
    return [*parts[:first], Parallel(talk=parts[first:last], voicemail=[Machine()]), *parts[last:]]


def test_machine_answers() -> None:
    agent = Agent(
        "x", greeting="Hello?", **services(["speak after the tone", "beep"], ["never said", "nor this"])
    )
    call = held(with_voicemail(agent, [line(1.5, 1.0, "now"), line(0.8, 4.0, "now")]))
    call.reads("""
         0.05  agent: Hello?
         0.99  user: speak after the tone
         2.64  agent: —
         2.77  agent: Please call back.
         6.50  user: beep
        10.32  end: the caller hung up
    """)
    assert [ended.reason for ended in call.all(ReplyEnded)] == ["", "talk was switched off", ""]
    assert len(call.all(Interrupted)) == 1


def test_human_answers() -> None:
    agent = Agent(
        "x", greeting="Hello?", **services(["hello", "speak after the tone"], ["Good morning.", "What tone?"])
    )
    call = held(with_voicemail(agent, [line(0.8, 1.0, "now"), line(0.8)]))
    call.reads("""
        0.05  agent: Hello?
        0.99  user: hello
        2.20  agent: Good morning.
        3.78  user: speak after the tone
        4.98  agent: What tone?
        8.66  end: the caller hung up
    """)
