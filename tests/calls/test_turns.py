"""When the user's turn is over: by the words, their times, the button, the keys, and how long it may last."""

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from antiphon import Agent, Speaking
from antiphon.errors import UnavailableError
from antiphon.frames import (
    Failed,
    Interrupted,
    PlayoutStarted,
    ReplyStarted,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnHinted,
    UserKey,
    UserTurn,
    UserTurnStarted,
)
from antiphon.services.ports import AudioChunk, Flush, Recognized, TurnHint
from antiphon.session import Session
from antiphon.testing import StreamingSTT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold, no_task_left, services
from antiphon.transports.caller import Caller, CallerLine
from antiphon.turns.settings import SpeculationSettings, TurnLimit, TurnSettings

ANSWER = "Well, that depends. There are many things to say, and I shall say them all, one after another."


def line(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


def streaming(*hears: tuple[float, Recognized | Exception], says: Sequence[str], **settings: Any) -> Agent:
    """An agent whose ears hear words while they are spoken."""
    settings["stt"] = StreamingSTT(hears)
    return Agent("Be patient.", **services((), says) | settings)


def interim(text: str) -> Recognized:
    return Recognized(text, False)


def final(text: str) -> Recognized:
    return Recognized(text, True)


def held(
    agent: Agent, lines: Sequence[CallerLine], *acts: tuple[float, Callable[[Session], object]]
) -> HeldCall:
    """A call in which something is done at a time."""
    call = HeldCall(agent.pipeline(Caller(lines, 16000)))

    async def main() -> None:
        async with call:
            for at, act in acts:
                await call.session.clock.sleep(at - call.session.clock.now())
                act(call.session)
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    check(call)
    return call


# Where the words come from ---------------------------------------------------------------------------


def test_final_words_before_the_speech_stops() -> None:
    call = run_virtual(
        hold(
            streaming((0.9, interim("I want")), (1.25, final("I want a bicycle.")), says=["Which one?"]),
            [line(0.8, 0.5, "now")],
        )
    )
    check(call)
    assert call.times(Transcript)[1] < call.times(SpeechPaused)[0]
    call.reads("""
        0.51  user: I want a bicycle.
        1.62  agent: Which one?
        5.30  end: the caller hung up
    """)


def test_final_words_after_the_speech_has_stopped() -> None:
    """The interim ones were a guess that cost a reply that nobody heard of."""
    call = run_virtual(
        hold(
            streaming(
                (0.9, interim("I want")),
                (1.8, final("I want a bicycle.")),
                says=["Which one?"],
            ),
            [line(0.8, 0.5, "now")],
        )
    )
    check(call)
    assert call.times(Transcript)[-1] > call.times(SpeechStopped)[0]
    call.reads("""
        0.51  user: I want a bicycle.
        2.06  agent: Which one?
        5.74  end: the caller hung up
    """)


def test_final_words_where_no_speech_was_heard() -> None:
    """Without a VAD the words alone make the turn, and it lasts for as long as they come."""
    call = run_virtual(
        hold(
            streaming(
                (0.9, interim("I would")),
                (1.4, interim("I would like to rent")),
                (2.0, interim("I would like to rent a red")),
                (2.6, interim("I would like to rent a red bicycle")),
                (3.0, final("I would like to rent a red bicycle.")),
                says=["Which one?"],
                vad=None,
                eot=None,
            ),
            [line(2.5, 0.5, "now")],
        )
    )
    check(call)
    assert not call.all(SpeechStarted)
    call.reads("""
        0.90  user: I would like to rent a red bicycle.
        3.51  agent: Which one?
        7.18  end: the caller hung up
    """)


def test_words_without_a_vad_interrupt_as_well() -> None:
    call = run_virtual(
        hold(
            streaming(
                (1.3, final("Tell me everything.")),
                (4.0, interim("no")),
                (4.4, interim("no, just the price")),
                (4.8, final("No, just the price.")),
                says=[ANSWER, "Twenty a day."],
                vad=None,
                eot=None,
            ),
            [line(0.8, 0.5, "now"), line(1.0, 1.5, "barge-in")],
        )
    )
    check(call)
    call.reads("""
        1.30  user: Tell me everything.
        2.21  agent: Well, that depends. There —
        4.00  user: No, just the price.
        5.31  agent: Twenty a day.
        9.18  end: the caller hung up
    """)


def test_interim_words_only() -> None:
    """Ears that never say what is final are taken at their interim word, named, and started again."""
    call = run_virtual(
        hold(
            streaming(
                (0.9, interim("I want")),
                (1.25, interim("I want a bicycle.")),
                (10.0, final("A red one.")),  # the second stream hears a second of the first once more
                says=["Which one?", "Fine."],
            ),
            [line(0.8, 0.5, "now"), line(0.8, 6.0)],
        )
    )
    check(call)
    call.reads("""
         0.51  user: I want a bicycle.
         1.91  agent: Which one?
         6.52  failed STT: ServiceTimeoutError
         8.58  user: A red one.
         9.81  agent: Fine.
        13.14  end: the caller hung up
    """)


def test_final_words_that_come_after_the_interim_ones_were_answered() -> None:
    """They say nothing new: they are no turn."""
    call = run_virtual(
        hold(
            streaming(
                (1.25, interim("I want a bicycle")), (3.0, final("I want a bicycle.")), says=["Which one?"]
            ),
            [line(0.8, 0.5, "now")],
        )
    )
    check(call)
    assert call.times(Transcript)[-1] > call.times(PlayoutStarted)[0]
    call.reads("""
        0.51  user: I want a bicycle
        1.91  agent: Which one?
        5.58  end: the caller hung up
    """)


def test_ears_die_in_the_middle_of_a_turn() -> None:
    """They are started again in a moment: what was said before is known, and what is said after is heard."""
    call = run_virtual(
        hold(
            streaming(
                (1.0, final("I would like")),
                (1.2, UnavailableError("gone")),
                (2.3, final("a red bicycle.")),
                says=["Which one?"],
            ),
            [line(2.0, 0.5, "now")],
        )
    )
    check(call)
    call.reads("""
        0.51  user: I would like a red bicycle.
        1.20  failed STT: UnavailableError
        2.80  agent: Which one?
        6.48  end: the caller hung up
    """)
    assert [failed.retryable for failed in call.all(Failed)] == [True]


# How long to wait ------------------------------------------------------------------------------------


def test_two_fragments_with_a_long_pause_are_one_turn() -> None:
    """The first ends with "and": the agent waits for more than a second."""
    good = services(["I would like a red bicycle and", "a helmet."], ["Certainly."], turn_scores=[0.3, 0.9])
    call = run_virtual(hold(Agent("x", **good), [line(1.5, 0.5, "now"), line(0.8, 1.2, "now")]))
    check(call)
    call.reads("""
        0.51  user: I would like a red bicycle and a helmet.
        4.53  agent: Certainly.
        8.22  end: the caller hung up
    """)
    assert len(call.all(UserTurnStarted)) == 1


@pytest.mark.parametrize("score", [0.1, 0.5, 0.99])
def test_short_answer_is_not_made_to_wait(score: float) -> None:
    """Whatever the end-of-turn model thinks of the sound of a "yeah"."""
    good = services(["hello", "Yeah."], ["Do you want a red one?", "Good."], turn_scores=[score])
    call = run_virtual(hold(Agent("x", **good), [line(0.8, 0.5, "now"), line(0.4)]))
    check(call)
    said = call.all(UserTurn)[1]
    assert said.text == "Yeah."
    assert call.times(PlayoutStarted)[1] - said.ended < 0.5


def test_question_to_spell_is_waited_for() -> None:
    """Letter by letter, with pauses that would end any other turn."""
    spelt = ["m", "u", "l", "l", "e", "r"]
    good = services(
        ["I have a booking.", *spelt, "That is it."],
        ["Could you spell your name, please?", "Thank you."],
        turn_scores=[1.0] + [0.5] * 10,
    )
    lines = [line(1.0, 0.5, "now"), line(0.3), *[line(0.3, 0.7, "now") for _ in spelt]]
    call = run_virtual(hold(Agent("x", **good), lines))
    check(call)
    assert [turn.text for turn in call.all(UserTurn)] == ["I have a booking.", "m u l l e r That is it."]


def test_the_vendor_may_decide() -> None:
    """A service with turn detection of its own: its last word ends the turn at once."""
    good = services(["I would like to"], ["Yes?"], turn_scores=[0.1])
    call = held(
        Agent("x", **good),
        [line(0.8, 0.5, "now")],
        (1.6, lambda session: session.send(TurnHinted(0.9, 1.3, final=True))),
    )
    call.reads("""
        0.51  user: I would like to
        1.83  agent: Yes?
        5.10  end: the caller hung up
    """)
    assert call.all(UserTurn)[0].reason == "the vendor heard its end"


def test_the_vendor_may_decide_in_a_loud_room() -> None:
    """Final words, and speech that never stops for the VAD: the vendor's word counts, and does so at once."""
    parts = streaming((1.4, interim("I want")), (1.7, final("I want a bicycle.")), says=["Which one?"])
    call = held(
        parts,
        [line(5.0, 0.5, "now")],
        (1.9, lambda session: session.send(TurnHinted(1.0, 1.5, final=True))),
    )
    assert not call.all(SpeechPaused) or call.times(SpeechPaused)[0] > call.times(PlayoutStarted)[0]
    call.reads("""
        0.51  user: I want a bicycle.
        2.16  agent: Which one?
        8.52  end: the caller hung up
    """)


def test_turn_limit() -> None:
    """Somebody who never stops is answered all the same."""
    story = "and then I said to him that he should really know"
    ends = [at for at, letter in enumerate(f"{story} ") if letter == " "]
    hears = [(1.0 + n / 2, interim(story[:end])) for n, end in enumerate(ends)]
    call = run_virtual(
        hold(
            streaming(
                *hears,
                says=["Let me stop you there."],
                turns=TurnSettings(
                    limit=TurnLimit(seconds=4.0), speculation=SpeculationSettings(eager_above=2)
                ),
            ),
            [line(4.6, 0.5, "now")],
        )
    )
    check(call)
    turn = call.all(UserTurn)[0]
    assert turn.reason.startswith("spoke for 4 s")
    assert 4.4 <= call.times(UserTurn)[0] <= 5.2
    assert turn.text.startswith("and then I said to him that he")


def test_turn_limit_in_words() -> None:
    """As soon as they are there, in the middle of the speech."""
    call = run_virtual(
        hold(
            streaming(
                (1.5, interim("one two three")),
                (2.5, final("one two three four five six")),
                says=["That is enough."],
                turns=TurnSettings(limit=TurnLimit(words=5)),
            ),
            [line(2.1, 0.5, "now")],
        )
    )
    check(call)
    turn = call.all(UserTurn)[0]
    assert (turn.text, turn.reason) == ("one two three four five six", "said 5 words")
    assert call.times(UserTurn)[0] == pytest.approx(2.5, abs=0.03)


def test_language_switch() -> None:
    """Who goes on in another language is understood in it: its "mhm", its "stop", its "and"."""
    good = services(
        ["hello there", "genau", "Stopp, auf Deutsch bitte.", "Ich hätte gern ein Rad und", "einen Helm."],
        [ANSWER, "Gern.", "Ein Rad und einen Helm."],
        turn_scores=[1.0, 1.0, 1.0, 0.3, 1.0],
    )
    lines = [
        line(0.8, 0.5, "now"),
        line(0.3, 1.0, "barge-in"),
        line(0.8, 1.5, "now"),
        line(1.5),
        line(0.5, 1.1, "now"),
    ]
    call = run_virtual(hold(Agent("x", **good), lines))
    check(call)
    call.reads("""
         0.51  user: hello there
         1.66  agent: Well, that depends. There are many —
         4.45  user: Stopp, auf Deutsch bitte.
         5.61  agent: Gern.
         6.66  user: Ich hätte gern ein Rad und einen Helm.
        10.16  agent: Ein Rad und einen Helm.
        14.64  end: the caller hung up
    """)


# Buttons, keys, names --------------------------------------------------------------------------------


def button(pressed: bool) -> Callable[[Session], object]:
    return lambda session: session.send(TalkButton(pressed))


def key(name: str) -> Callable[[Session], object]:
    return lambda session: session.send(UserKey(name))


def test_push_to_talk() -> None:
    """The button takes the floor and gives it back; without it nobody is answered, nor interrupted."""
    good = services(["to myself", "I want", "a bicycle", "to my dog", "enough"], [ANSWER, "Good bye."])
    call = held(
        Agent("x", **good, turns=TurnSettings(starts_by="button")),
        [
            line(0.6, 0.5, "now"),
            line(0.6, 1.0, "now"),
            line(0.6, 1.5, "now"),
            line(0.6, 1.5, "now"),
            line(0.6, 1.5, "now"),
        ],
        (2.0, button(True)),
        (5.0, button(False)),
        (8.3, button(True)),
        (9.4, button(False)),
    )
    call.reads("""
         2.00  user: I want a bicycle
         5.20  agent: Well, that depends. There are many things to —
         8.30  user: enough
         9.66  agent: Good bye.
        13.28  end: the caller hung up
    """)
    assert [interrupted.reason for interrupted in call.all(Interrupted)] == ["the button was pressed"]


def test_keys_of_the_telephone() -> None:
    """They cut the question short; the hash key ends them at once, a pause does in the end."""
    good = services([], ["Thank you.", "Good bye."])
    call = held(
        Agent("x", **good, greeting="Type your number, and then the hash key."),
        [],
        *[(1.0 + n * 0.4, key(name)) for n, name in enumerate("4711#")],
        (4.5, key("9")),
    )
    call.reads("""
         0.05  agent: Type your —
         1.00  user: 4 7 1 1
         2.86  agent: Thank you.
         4.50  user: 9
         6.76  agent: Good bye.
        10.38  end: the caller hung up
    """)


def test_wake_phrase() -> None:
    """What is said in the room is no turn, and costs nothing, until the agent is called."""
    hears = ["what a day", "hey antiphon, what time is it", "and in Tokyo", "a moment later"]
    good = services(hears, ["Noon.", "Eight."])
    call = run_virtual(
        hold(
            Agent("x", **good, turns=TurnSettings(wake_phrase=r"hey antiphon", awake_for=5.0)),
            [line(0.8, 0.5, "now"), line(0.8, 2.0, "now"), line(0.8), line(0.8, 8.0)],
        )
    )
    check(call)
    call.reads("""
         3.30  user: hey antiphon, what time is it
         4.51  agent: Noon.
         5.57  user: and in Tokyo
         6.73  agent: Eight.
        18.94  end: the caller hung up
    """)
    assert len(call.all(ReplyStarted)) == len(good["llm"].contexts) == 2


# When to answer --------------------------------------------------------------------------------------


def test_sad_news_are_answered_after_a_moment() -> None:
    good = services(["my mother passed away", "and her bicycle?"], ["I am so sorry.", "We take it."])
    call = run_virtual(hold(Agent("x", **good), [line(0.8, 0.5, "now"), line(0.8)]))
    check(call)
    after_sad, after = (
        began - turn.ended for began, turn in zip(call.times(PlayoutStarted), call.all(UserTurn), strict=True)
    )
    assert 0.85 <= after_sad <= 0.95, "as the rule says, though the reply was ready long before"
    assert after < 0.6


def test_timing_is_off_by_one_switch() -> None:
    good = services(["my mother passed away"], ["I am so sorry."])
    call = run_virtual(hold(Agent("x", **good, speaking=Speaking(timing=None)), [line(0.8, 0.5, "now")]))
    check(call)
    assert call.times(PlayoutStarted)[0] - call.all(UserTurn)[0].ended < 0.6


# Ears that say only what is final --------------------------------------------------------------------


def test_final_words_in_the_middle_of_speech_do_not_end_it() -> None:
    """One every three seconds, from somebody who speaks without a pause."""
    call = run_virtual(
        hold(
            streaming(
                (2.0, final("I would like to rent")),
                (5.0, final("a bicycle for my daughter.")),
                says=["Certainly."],
            ),
            [line(6.0, 0.5, "now")],
        )
    )
    check(call)
    assert call.times(UserTurn)[0] > call.times(SpeechPaused)[0]
    assert [turn.text for turn in call.all(UserTurn)] == ["I would like to rent a bicycle for my daughter."]


class Curt(StreamingSTT):
    """Has no answer where there is nothing new."""

    async def transcribe(
        self, audio: AsyncIterator[AudioChunk | Flush]
    ) -> AsyncIterator[Recognized | TurnHint]:
        async for heard in super().transcribe(audio):
            if not isinstance(heard, Recognized) or heard.text:
                yield heard


@pytest.mark.parametrize("ears", [StreamingSTT, Curt])
def test_speech_that_is_taken_up_after_final_words_is_heard_to_its_end(ears: type[StreamingSTT]) -> None:
    words = [
        (0.9, interim("I want a bicycle")),
        (1.25, final("I want a bicycle and")),
        (3.4, interim("a helmet")),
        (4.5, final("a helmet please.")),
    ]
    good: dict[str, Any] = {**services((), ["Certainly."], turn_scores=[0.1]), "stt": ears(words)}
    call = run_virtual(hold(Agent("x", **good), [line(0.9, 0.5, "now"), line(1.6, 1.45, "now")]))
    check(call)
    assert [turn.text for turn in call.all(UserTurn)] == ["I want a bicycle and a helmet please."]


def test_noisy_room() -> None:
    """The VAD never hears silence: 2 s after the final words, which followed interim ones, it is over."""
    words = (1.4, interim("I want")), (1.7, final("I want a bicycle."))
    call = run_virtual(hold(streaming(*words, says=["Which one?"]), [line(8.0, 0.5, "now")]))
    assert call.times(UserTurn)[0] == pytest.approx(1.7 + 2.0, abs=0.05)
    assert call.times(UserTurn)[0] < call.times(SpeechPaused)[0]


def test_wake_phrase_keeps_a_bystander_from_interrupting() -> None:
    story = " ".join([ANSWER] * 6)
    good = services(["computer, a story", "what is for dinner tonight"], [story, "never said"])
    lines = [line(0.8, 0.5, "now"), line(1.2, 31.0, "barge-in")]
    call = run_virtual(hold(Agent("x", turns=TurnSettings(wake_phrase="computer"), **good), lines))
    check(call)
    assert not call.all(Interrupted)
    assert [turn.text for turn in call.all(UserTurn)] == ["computer, a story"]


def test_agent_is_awake_for_so_long_after_its_reply() -> None:
    """However long that was."""
    policy = TurnSettings(wake_phrase="computer", awake_for=5.0)
    good = services(["computer, a story", "the second one please"], [ANSWER + " Which one?", "Fine."])
    call = run_virtual(hold(Agent("x", turns=policy, **good), [line(0.8, 0.5, "now"), line(0.8, 1.0)]))
    check(call)
    asked, answered = call.times(UserTurn)
    assert answered - asked > 5.0


def test_hash_key_alone_is_nothing() -> None:
    good = services(["first"], [ANSWER, "never said"])
    call = held(Agent("x", **good), [line(0.8, 0.5, "now")], (3.0, key("#")))
    assert not call.all(Interrupted)
    assert [turn.text for turn in call.all(UserTurn)] == ["first"]
