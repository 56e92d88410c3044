"""The turn engine, without clock or loop: facts at their times in, decisions at theirs out."""

from dataclasses import replace
from typing import Any

import pytest

from antiphon.errors import ConfigurationError
from antiphon.frames import (
    ScoreAsked,
    SessionStarted,
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnHinted,
    TurnScored,
    UserKey,
    UserText,
    UtteranceLost,
)
from antiphon.turns.backchannels import BackchannelSettings
from antiphon.turns.decisions import (
    Deadline,
    Decision,
    EndTurn,
    Fact,
    Interrupt,
    ReplyBegan,
    ReplyOver,
    SpeculationDropped,
    VoiceAt,
)
from antiphon.turns.endpointing import EndpointingSettings
from antiphon.turns.engine import State, TurnEngine
from antiphon.turns.idle import IdleSettings
from antiphon.turns.interruption import InterruptionSettings, Judgement, Overlap, OverlapVerdict
from antiphon.turns.settings import SpeculationSettings, TurnLimit, TurnSettings
from antiphon.turns.table import TABLE

QUIET = SpeculationSettings(tries=0)
"""A policy that begins no reply early, where a test is about something else."""


class Line:
    """An engine that is told of deadlines when they come, and of what its decisions bring about."""

    def __init__(self, settings: TurnSettings | None = None, **more: Any) -> None:
        self.engine = TurnEngine(replace(settings or TurnSettings(speculation=QUIET), **more))
        self.decided: list[tuple[float, Decision]] = []
        self.now = 0.0

    def at(self, now: float, *facts: Fact) -> "Line":
        """Let time pass, then tell facts."""
        while (due := self.engine.deadline) is not None and due <= now:
            self.now = max(self.now, due)
            self.tell(Deadline())
            assert self.engine.deadline != due, "a deadline that has come is not asked for again"
        self.now = now
        for fact in facts:
            self.tell(fact)
        return self

    def tell(self, fact: Fact) -> None:
        over = False
        for decision in self.engine.decide(fact, self.now):
            self.decided.append((self.now, decision))
            said_more = isinstance(decision, EndTurn) and decision.text and self.engine.floor.interruptible
            over = over or isinstance(decision, Interrupt) or bool(said_more)
        if over and self.engine.floor.replying:  # a reply that is interrupted, or answered, is over
            self.tell(ReplyOver())

    @property
    def state(self) -> State:
        return self.engine.state

    @property
    def story(self) -> list[str]:
        """What was decided: time, decision, and all that it says but times and reasons of turns."""
        return [f"{at:.2f} {told(decision)}" for at, decision in self.decided]

    @property
    def turns(self) -> list[tuple[float, str]]:
        return [(round(at, 3), turn.text) for at, turn in self.decided if isinstance(turn, EndTurn)]


def told(decision: Decision) -> str:
    details = [getattr(decision, name, None) for name in ("action", "kind", "text")]
    if not hasattr(decision, "text"):
        details.append(getattr(decision, "reason", None))
    return " ".join([type(decision).__name__, *(f"[{detail}]" for detail in details if detail)])


def final(text: str, started: float = 0.0, ended: float = 0.0) -> Transcript:
    return Transcript(text, True, started, ended)


def interim(text: str) -> Transcript:
    return Transcript(text, False)


def spoke(text: str, **more: Any) -> Line:
    """The user has spoken from 1 to 2 s, and all that can be known of it is known at 2.2 s."""
    line = Line(**more).at(1.1, SpeechStarted(1.0)).at(2.06, SpeechPaused(2.0))
    return line.at(2.15, final(text)).at(2.2, SpeechStopped(2.0))


def replying(settings: TurnSettings | None = None, **more: Any) -> Line:
    """The agent replies, and has been heard for two seconds; five are left."""
    line = Line(settings, **more).at(8.0, ReplyBegan())
    return line.at(10.0, VoiceAt(2.0, 5.0, "Our shop is open", " from nine to five."))


# The end of a turn -----------------------------------------------------------------------------------


def test_short_answer_is_not_made_to_wait() -> None:
    assert spoke("Yes.").story == ["1.10 StartTurn", "2.20 EndTurn [Yes.]"]
    assert spoke("Yes.").decided[-1][1] == EndTurn("Yes.", 1.0, 2.0, "short answer")


def test_without_evidence_silence_decides() -> None:
    assert spoke("we could go there").at(9).turns == [(3.0, "we could go there")]


def test_what_sounds_finished_is_over_sooner_and_what_does_not_later() -> None:
    ends: list[float] = []
    for score in (0.99, 0.75, 0.1):
        line = Line().at(1.1, SpeechStarted(0.0)).at(2.06, SpeechPaused(2.0), final("we could go there"))
        ((end, _),) = line.at(2.1, TurnScored(score, 2.0)).at(9).turns
        ends.append(end)
    assert ends[0] < 2.4 < ends[1] == 3.0 < ends[2] <= 4.0


def test_score_of_speech_that_went_on_does_not_count() -> None:
    line = Line().at(1.1, SpeechStarted(0.0)).at(2.06, SpeechPaused(2.0), TurnScored(0.99, 2.0))
    line.at(2.15, SpeechResumed(2.12)).at(3.06, SpeechPaused(3.0), final("we could go there"))
    assert line.at(9).turns == [(4.0, "we could go there")]


def test_ceiling_holds_whatever_is_said() -> None:
    assert spoke("and um").at(9).turns == [(pytest.approx(3.8, abs=0.21), "and um")]


def test_what_the_agent_has_asked_counts() -> None:
    asked: list[float] = []
    for question in ("Could you spell your name?", "", "Is that all?"):
        line = Line().at(0.5, ReplyBegan(), ReplyOver(question))
        line.at(1.1, SpeechStarted(1.0)).at(2.06, SpeechPaused(2.0), final("we could go there"))
        asked += [end for end, _ in line.at(9).turns]
    assert asked == sorted(asked, reverse=True)
    assert len(set(asked)) == 3


def test_user_who_goes_on_has_one_turn() -> None:
    line = spoke("when are").at(2.9, SpeechStarted(2.8)).at(4.06, SpeechPaused(4.0), final("you open"))
    assert line.at(9).story == ["1.10 StartTurn", "5.00 EndTurn [when are you open]"]
    assert line.decided[-1][1].started == 1.0  # type: ignore[union-attr]


def test_turn_does_not_end_in_a_sound_that_may_become_speech() -> None:
    line = spoke("we could go there").at(2.95, SoundHeard(2.95)).at(3.05)
    assert line.turns == []
    assert line.at(3.08, SpeechStarted(2.95)).at(9).turns == []
    gone = spoke("we could go there").at(2.95, SoundHeard(2.95)).at(3.02, SoundHeard(2.95, gone=True))
    assert gone.turns == [(3.02, "we could go there")]
    stays = spoke("we could go there").at(2.95, SoundHeard(2.95))
    assert stays.at(9).turns == [(3.1, "we could go there")], "it is not waited for for ever"


# Words -----------------------------------------------------------------------------------------------


def test_final_words_before_the_end_of_speech() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(2.0, final("Yes."))
    assert line.at(2.06, SpeechPaused(2.0)).at(9).turns == [(2.2, "Yes.")], "never before the floor of 0.2 s"


def test_final_words_after_the_end_of_speech() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(2.06, SpeechPaused(2.0)).at(2.2, SpeechStopped(2.0))
    assert line.at(2.7, final("Yes.")).at(9).turns == [(2.7, "Yes.")]


def test_final_words_without_any_end_of_speech() -> None:
    """A VAD that does not notice the end: the ceiling of the turn ends it."""
    line = Line(limit=TurnLimit(5.0)).at(1.1, SpeechStarted(1.0)).at(2.2, final("Yes."))
    assert line.at(5.9).turns == []
    assert line.at(6.1).turns == [(6.0, "Yes.")]


def test_words_that_do_not_come_are_not_waited_for_for_ever() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(2.2, SpeechStopped(2.0))
    assert line.at(9).story == ["1.10 StartTurn", "8.20 EndTurn"]


def test_late_words_are_a_turn_of_their_own() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(2.2, SpeechStopped(2.0)).at(9.0, final("Yes.", 1.0, 2.0))
    assert line.story[1:] == ["8.20 EndTurn", "9.00 StartTurn", "9.00 EndTurn [Yes.]"]


def test_late_words_over_a_reply_are_judged_like_others() -> None:
    line = replying().at(10.5, final("wait a moment"))
    assert line.story[:2] == ["10.50 StartTurn", '10.50 Interrupt ["wait"]']
    assert line.at(20).turns[0][1] == "wait a moment"
    assert replying().at(10.5, final("mhm")).at(20).story == ["10.50 ResumeVoice [backchannel] [mhm]"]


def test_interim_words_are_taken_where_no_final_ones_come() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.9, interim("Yes.")).at(2.2, SpeechStopped(2.0))
    assert line.at(9).story == ["1.10 StartTurn", "2.60 EndTurn [Yes.]"]
    assert "interim" in line.decided[-1][1].reason  # type: ignore[union-attr]


@pytest.mark.parametrize("times", [(0.0, 0.0), (1.0, 2.0)], ids=str)
@pytest.mark.parametrize("late", ["a large pizza", "A large pizza.", "a large pizzas"])
def test_final_words_of_interim_ones_that_were_taken_are_no_second_turn(
    late: str, times: tuple[float, float]
) -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.5, final("I want")).at(1.9, interim("a large pizza"))
    line.at(2.2, SpeechStopped(2.0)).at(4)
    assert [text for _, text in line.at(5, final(late, *times)).at(9).turns] == ["I want a large pizza"]


def test_final_words_that_say_more_than_the_interim_ones_are_not_lost() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.9, interim("Yes.")).at(2.2, SpeechStopped(2.0))
    assert [text for _, text in line.at(3, final("Yes, but not today.")).at(9).turns][
        1
    ] == "Yes, but not today."


def test_late_final_words_do_not_stand_in_the_next_turn() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.9, interim("Yes.")).at(2.2, SpeechStopped(2.0)).at(3)
    line.at(3.1, SpeechStarted(3.0)).at(3.3, final("Yes.", 1.0, 2.0)).at(4.06, SpeechPaused(4.0))
    assert line.at(4.1, final("Thank you.", 3.0, 4.0)).at(9).turns[1][1] == "Thank you."


def test_who_says_the_same_again_is_heard_again() -> None:
    """A recogniser that never gives final words."""
    line = Line()
    for begun in (1.0, 11.0):
        line.at(begun + 0.1, SpeechStarted(begun)).at(begun + 0.9, interim("Yes."))
        line.at(begun + 1.2, SpeechStopped(begun + 1.0))
    assert [text for _, text in line.at(20).turns] == ["Yes.", "Yes."]


def test_words_without_vad_make_turns_that_end_when_no_more_come() -> None:
    line = (
        Line()
        .at(1.0, interim("we could"))
        .at(1.8, interim("we could go"))
        .at(2.6, final("we could go there"))
    )
    assert line.story == ["1.00 StartTurn"]
    assert line.at(9).turns == [(3.6, "we could go there")]


def test_noise_is_a_turn_without_words() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.4, final("")).at(1.5, SpeechStopped(1.3))
    assert [text for _, text in line.at(9).turns] == [""]


# A vendor's own end of turn --------------------------------------------------------------------------


def test_vendors_final_end_is_the_end() -> None:
    line = (
        Line().at(1.1, SpeechStarted(1.0)).at(2.0, final("and um")).at(2.05, TurnHinted(0.9, 2.0, final=True))
    )
    assert line.story == ["1.10 StartTurn", "2.05 EndTurn [and um]"]
    assert line.decided[-1][1] == EndTurn("and um", 1.0, 2.0, "the vendor heard its end")


def test_vendors_final_end_waits_for_its_words() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(2.05, TurnHinted(1.0, 2.0, final=True))
    assert line.at(2.3, final("hello you")).turns == [(2.3, "hello you")]


def test_vendors_guess_is_evidence_and_begins_a_reply_while_the_vad_still_hears_speech() -> None:
    line = Line(TurnSettings()).at(1.1, SpeechStarted(1.0)).at(2.0, interim("we could go there"))
    line.at(2.1, TurnHinted(0.7, 2.0)).at(2.2, TurnHinted(0.0, 2.2))
    assert line.story[1:] == [
        "2.10 Speculate [we could go there]",
        "2.20 DropSpeculation [the vendor heard more]",
    ]


def test_vendors_guess_that_is_taken_back_makes_the_turn_wait() -> None:
    guessed = spoke("we could go there").at(2.3, TurnHinted(0.8, 2.0)).at(9).turns
    taken_back = spoke("we could go there").at(2.25, TurnHinted(0.8, 2.0), TurnHinted(0.0, 2.2)).at(9).turns
    assert guessed < [(3.0, "")] < taken_back


# Button, keys, wake phrase ---------------------------------------------------------------------------

BUTTON = TurnSettings(speculation=QUIET, starts_by="button")


def test_push_to_talk() -> None:
    line = Line(BUTTON).at(1.0, TalkButton(True)).at(1.2, SpeechStarted(1.1)).at(2.2, SpeechStopped(2.0))
    line.at(2.3, final("Yes.")).at(5.0, SpeechStarted(4.9)).at(6.2, SpeechStopped(6.0))
    line.at(6.3, final("I am sure.")).at(7.0, TalkButton(False))
    assert line.story == ["1.00 StartTurn", "7.00 EndTurn [Yes. I am sure.]"]
    assert line.decided[-1][1].reason == "the button was let go"  # type: ignore[union-attr]


def test_push_to_talk_waits_for_the_words_when_the_button_is_let_go() -> None:
    line = Line(BUTTON).at(1.0, TalkButton(True)).at(2.0, TalkButton(False)).at(2.4, final("Yes."))
    assert line.turns == [(2.4, "Yes.")]
    assert Line(BUTTON).at(1.0, TalkButton(True)).at(2.0, TalkButton(False)).at(9).turns == [(8.0, "")]


def test_push_to_talk_does_not_hear_what_is_said_without_the_button() -> None:
    line = replying(BUTTON).at(10.0, SoundHeard(10.0)).at(10.1, SpeechStarted(10.0), interim("stop"))
    assert (
        line.at(12.2, SpeechStopped(12.0), final("stop")).at(20, ReplyOver(), final("hello")).at(30).story
        == []
    )


def test_button_interrupts_the_agent() -> None:
    line = replying(BUTTON).at(10.5, TalkButton(True))
    assert line.story == ["10.50 StartTurn", "10.50 Interrupt [the button was pressed]"]
    held = Line(BUTTON).at(8.0, ReplyBegan(interruptible=False)).at(10.5, TalkButton(True))
    assert held.story == ["10.50 StartTurn"]


def test_button_where_speech_takes_the_floor_too() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.9, final("we could")).at(2.0, TalkButton(True))
    line.at(3.0, TalkButton(False)).at(3.2, final("go there"))
    assert line.story == ["1.10 StartTurn", "3.20 EndTurn [we could go there]"], "no word is lost"


def test_button_over_the_agent_keeps_the_words_so_far() -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(10.5, interim("well")).at(10.6, TalkButton(True))
    line.at(11.0, final("well let me see")).at(11.2, TalkButton(False))
    assert [text for _, text in line.at(20).turns] == ["well let me see"]


def test_button_that_is_let_go_after_the_turn_was_ended_changes_nothing() -> None:
    line = Line(BUTTON, limit=TurnLimit(3.0)).at(1.0, TalkButton(True)).at(2.0, final("Yes.")).at(5.0)
    assert line.turns == [(4.0, "Yes.")]
    for _ in range(2):
        assert line.at(6.0, TalkButton(False)).at(9).turns == [(4.0, "Yes.")]


def test_keys_end_with_the_last_one_or_when_no_more_come() -> None:
    line = Line().at(1.0, UserKey("4")).at(2.5, UserKey("2")).at(9)
    assert line.story == ["1.00 StartTurn", "4.50 EndTurn [4 2]"]
    line = Line().at(1.0, UserKey("4")).at(2.5, UserKey("2")).at(3.0, UserKey("#"))
    assert line.story == ["1.00 StartTurn", "3.00 EndTurn [4 2]"]
    line = Line(last_key="").at(1.0, UserKey("4")).at(2.0, UserKey("#")).at(9)
    assert line.story == ["1.00 StartTurn", "4.00 EndTurn [4 #]"]


def test_keys_interrupt_the_agent_and_begin_no_reply_early() -> None:
    line = replying(TurnSettings()).at(10.5, UserKey("1")).at(11.0, UserKey("2")).at(20)
    assert line.story == ["10.50 StartTurn", "10.50 Interrupt [a key was pressed]", "13.00 EndTurn [1 2]"]


def test_keys_in_a_turn_that_has_words_lose_none() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(2.0, final("my number is")).at(2.2, SpeechStopped(2.0))
    line.at(2.3, UserKey("4")).at(2.6, UserKey("2")).at(3.0, UserKey("#"))
    assert line.story == ["1.10 StartTurn", "3.00 EndTurn [my number is 4 2]"]


def test_wake_phrase() -> None:
    settings = TurnSettings(wake_phrase="hey antiphon", awake_for=10.0)

    def say(line: Line, begun: float, text: str) -> None:
        line.at(begun + 0.1, SpeechStarted(begun)).at(begun + 1.1, SpeechPaused(begun + 1.0))
        line.at(begun + 1.2, final(text)).at(begun + 4.0)

    line = Line(settings)
    say(line, 0.0, "Yes.")
    say(line, 10.0, "Hey Antiphon, what time is it?")
    say(line, 16.0, "Thank you.")
    say(line, 40.0, "Yes.")
    assert [text for _, text in line.turns] == ["", "Hey Antiphon, what time is it?", "Thank you.", ""]
    guesses = [decision for decision in line.story if "Speculate" in decision or "Drop" in decision]
    assert all("antiphon" in guess.lower() or "Thank" in guess for guess in guesses), guesses


# Limits ----------------------------------------------------------------------------------------------


def test_turn_that_never_ends_is_ended() -> None:
    line = Line(limit=TurnLimit(seconds=5.0)).at(1.1, SpeechStarted(1.0)).at(4.0, final("on and on"))
    assert line.at(9).decided[-1] == (6.0, EndTurn("on and on", 1.0, 6.0, "spoke for 5 s"))


def test_turn_of_many_words_is_ended() -> None:
    line = Line(limit=TurnLimit(words=4)).at(1.1, SpeechStarted(1.0)).at(2.0, final("on and"))
    assert line.at(3.0, final("on and")).decided[-1] == (
        3.0,
        EndTurn("on and on and", 1.0, 3.0, "said 4 words"),
    )


def test_limit_holds_for_who_pauses_and_goes_on() -> None:
    line = Line(limit=TurnLimit(seconds=5.0), words_within=2.0).at(0.1, SpeechStarted(0.0))
    for second in range(1, 20):
        line.at(second, SpeechPaused(second - 0.1)).at(second + 0.1, SpeechResumed(second))
    ends = [at for at, _ in line.turns]
    assert 5.0 <= ends[0] <= 7.5


# Over the agent's voice ------------------------------------------------------------------------------


def test_voice_is_held_at_the_first_sound_and_goes_on_when_nothing_comes_of_it() -> None:
    line = replying().at(10.03, SoundHeard(10.0)).at(10.1, SoundHeard(10.0, gone=True))
    assert line.story == ["10.03 PauseVoice [a sound]", "10.10 ResumeVoice"]
    line = replying().at(10.03, SoundHeard(10.0)).at(20)
    assert line.story == ["10.03 PauseVoice [a sound]", "10.63 ResumeVoice"]
    assert line.state is State.REPLYING


def test_barge_in_by_words() -> None:
    line = replying().at(10.03, SoundHeard(10.0)).at(10.1, SpeechStarted(10.0)).at(10.6, interim("I have"))
    assert line.story == [
        "10.03 PauseVoice [a sound]",
        "10.60 StartTurn",
        "10.60 Interrupt [2 words]",
    ]
    line.at(11.06, SpeechPaused(11.0)).at(11.1, final("I have a question"))
    assert [text for _, text in line.at(20).turns] == ["I have a question"]


def test_barge_in_by_command_in_the_midst_of_words_that_are_none() -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(10.4, interim("uh stop"))
    assert line.story[-1] == '10.40 Interrupt ["stop"]'


def test_barge_in_by_duration() -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(20)
    assert line.story[1:] == ["11.50 StartTurn", "11.50 Interrupt [speech for 1.5 s]"]


def test_final_words_after_the_end_of_speech_barge_in() -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(10.7, SpeechStopped(10.5)).at(10.9, final("I see it"))
    assert line.story[1:3] == ["10.90 StartTurn", "10.90 Interrupt [3 words]"]
    assert [text for _, text in line.at(20).turns] == ["I see it"]


@pytest.mark.parametrize(
    ("words", "kind"),
    [("mhm", "backchannel"), ("", "noise"), ("[cough]", "noise"), ("our shop is open from", "echo")],
)
def test_false_interruption(words: str, kind: str) -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(10.5, SpeechPaused(10.4)).at(10.6, SpeechStopped(10.4))
    line.at(10.7, final(words))
    assert line.story == ["10.10 PauseVoice [the user speaks]", " ".join(filter(None, [
        f"10.70 ResumeVoice [{kind}]", words and f"[{words}]"]))]  # fmt: skip
    assert line.state is State.REPLYING
    assert line.at(30).turns == []


def test_sound_whose_words_never_come_was_noise() -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(10.6, SpeechStopped(10.4)).at(20)
    assert line.story[1:] == ["11.00 ResumeVoice [noise]"], "0.6 s after its end"


def test_voice_waits_for_quiet_before_it_goes_on_where_the_policy_says_so() -> None:
    settings = TurnSettings(speculation=QUIET, interruption=InterruptionSettings(resume_after=0.9))
    line = replying(settings).at(10.1, SpeechStarted(10.0)).at(10.5, SpeechPaused(10.4), final("mhm"))
    assert line.at(20).story[1:] == ["11.30 ResumeVoice [backchannel] [mhm]"]


def test_words_that_come_after_it_was_taken_for_noise_are_judged() -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(10.6, SpeechStopped(10.4)).at(12.0, final("I see it"))
    assert line.story[1:4] == ["11.00 ResumeVoice [noise]", "12.00 StartTurn", "12.00 Interrupt [3 words]"]


def test_user_who_goes_on_over_the_agent_is_judged_by_all_of_it() -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(10.5, SpeechPaused(10.4)).at(10.6, final("yeah"))
    assert line.story[-1] == "10.60 ResumeVoice [backchannel] [yeah]"
    line = (
        replying().at(10.1, SpeechStarted(10.0)).at(10.5, SpeechPaused(10.4)).at(10.55, SpeechResumed(10.5))
    )
    assert line.at(11.0, interim("yeah but")).story[-1].startswith("11.00 Interrupt")


def test_near_the_end_the_agent_finishes_and_the_words_are_the_next_turn() -> None:
    line = replying().at(10.1, VoiceAt(5.0, 0.3, "five."), SpeechStarted(10.0)).at(10.4, ReplyOver("five."))
    line.at(11.06, SpeechPaused(11.0)).at(11.1, final("Thank you."))
    assert line.at(20).story == ["10.10 StartTurn", "11.20 EndTurn [Thank you.]"]


def test_sound_near_the_end_does_not_hold_the_voice() -> None:
    assert replying().at(10.1, VoiceAt(5.0, 0.3), SoundHeard(10.0)).at(20).story == []


def test_voice_that_was_held_goes_on_where_it_turns_out_to_be_near_the_end() -> None:
    line = replying().at(10.03, SoundHeard(10.0)).at(10.1, VoiceAt(5.0, 0.3), SpeechStarted(10.0))
    assert line.story == ["10.03 PauseVoice [a sound]", "10.10 ResumeVoice", "10.10 StartTurn"]


def test_reply_that_may_not_be_interrupted_goes_on() -> None:
    line = Line().at(8.0, ReplyBegan(interruptible=False)).at(10.0, VoiceAt(2.0, 5.0), SoundHeard(10.0))
    line.at(10.1, SpeechStarted(10.0)).at(11.06, SpeechPaused(11.0)).at(11.1, final("stop"))
    assert [told.split()[1] for told in line.at(20).story] == ["StartTurn", "EndTurn"]
    assert line.state is State.REPLYING


def test_reply_that_ends_meanwhile_leaves_the_floor_to_the_user() -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(10.3, ReplyOver("whole")).at(11.06, SpeechPaused(11.0))
    assert line.at(11.1, final("mhm")).at(20).story[1:] == ["10.30 StartTurn", "11.20 EndTurn [mhm]"]
    line = replying().at(10.1, SpeechStarted(10.0)).at(10.5, SpeechPaused(10.4)).at(10.6, ReplyOver("whole"))
    assert line.at(10.7, final("mhm")).at(20).story[1:] == ["10.60 StartTurn", "10.70 EndTurn [mhm]"]


def test_barge_in_without_words_that_turns_out_to_be_noise_is_taken_up() -> None:
    line = replying().at(10.1, SpeechStarted(10.0)).at(12.2, SpeechStopped(12.0)).at(12.3, final(""))
    assert line.at(20).story[1:] == [
        "11.50 StartTurn",
        "11.50 Interrupt [speech for 1.5 s]",
        "13.00 EndTurn",
        "13.00 ResumeVoice [noise]",
    ]


def test_voice_that_is_only_ducked_or_plays_on_is_decided_about_all_the_same() -> None:
    for first in ("duck", "play on"):
        settings = TurnSettings(speculation=QUIET, interruption=InterruptionSettings(first=first))
        line = (
            replying(settings)
            .at(10.1, SpeechStarted(10.0))
            .at(10.6, final("mhm"))
            .at(10.7, SpeechPaused(10.5))
        )
        assert line.story[-1] == "10.70 ResumeVoice [backchannel] [mhm]"
        assert ("PauseVoice" in line.story[0]) is (first == "duck")


def test_classifier_of_ones_own() -> None:
    class Patient:
        def judge(self, overlap: Overlap) -> Judgement:
            return Judgement(
                OverlapVerdict.BARGE_IN if overlap.seconds > 3 else OverlapVerdict.UNDECIDED, "long enough"
            )

    line = Line()
    line.engine = TurnEngine(classifier=Patient())
    line.at(8.0, ReplyBegan()).at(10.1, SpeechStarted(10.0)).at(10.5, final("stop stop stop")).at(20)
    assert line.story[-1] == "13.00 Interrupt [long enough]", "asked again every half a second"


# Both at once ----------------------------------------------------------------------------------------


def test_agent_that_begins_while_the_user_speaks_holds_its_voice() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.2, ReplyBegan()).at(2.0, final("Yes."))
    assert line.story == ["1.10 StartTurn", "1.20 PauseVoice [the user speaks]"]
    line.at(2.06, SpeechPaused(2.0))
    assert line.at(9).story[2:] == ["2.20 EndTurn [Yes.]"], "whose words are answered"


def test_voice_is_not_held_for_ever() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.2, ReplyBegan()).at(20)
    assert line.story[-1] == "9.20 ResumeVoice"


def test_voice_goes_on_where_the_user_has_said_nothing() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.2, ReplyBegan()).at(1.6, SpeechStopped(1.4), final(""))
    assert line.at(9).story[2:] == ["2.40 EndTurn", "2.40 ResumeVoice"]
    assert line.state is State.REPLYING


def test_agent_who_must_be_heard_does_not_wait() -> None:
    line = Line().at(1.1, SpeechStarted(1.0)).at(1.2, ReplyBegan(interruptible=False)).at(5)
    assert line.story == ["1.10 StartTurn"]


def test_after_a_collision_the_agent_gives_more_time() -> None:
    settings = TurnSettings(speculation=QUIET, interruption=InterruptionSettings(back_off=0.7))
    ends: list[float] = []
    for voiced in (0.5, 3.0):
        line = (
            replying(settings).at(10.1, VoiceAt(voiced, 5.0), SpeechStarted(10.0)).at(10.5, interim("I have"))
        )
        line.at(10.6, SpeechPaused(10.5)).at(10.7, final("Yes I do that"))
        ends += [end for end, _ in line.at(20).turns]
    assert ends[0] == pytest.approx(ends[1] + 0.7)


# Replies that are begun early ------------------------------------------------------------------------


def guessing(**speculation: Any) -> Line:
    line = Line(TurnSettings(speculation=SpeculationSettings(**speculation)))
    return line.at(1.1, SpeechStarted(1.0)).at(2.04, SpeechPaused(2.0)).at(2.1, interim("we could go there"))


def test_reply_is_begun_when_the_turn_is_probably_over() -> None:
    line = guessing().at(2.3, final("We could go there.")).at(9)
    assert line.story == [
        "1.10 StartTurn",
        "2.10 Speculate [we could go there]",
        "2.91 EndTurn [We could go there.]",
    ], "with the same words: it is the answer"


def test_reply_is_dropped_when_the_user_goes_on() -> None:
    line = guessing().at(2.4, SpeechResumed(2.3)).at(3.04, SpeechPaused(3.0))
    assert line.at(3.1, final("we could go there or not")).at(9).story[2:] == [
        "2.40 DropSpeculation [the user went on]",
        "3.10 Speculate [we could go there or not]",
        "4.00 EndTurn [we could go there or not]",
    ]


def test_reply_is_dropped_when_the_words_change() -> None:
    line = guessing().at(2.3, final("we could go home")).at(9)
    assert line.story[2:4] == [
        "2.30 DropSpeculation [the words changed]",
        "2.30 Speculate [we could go home]",
    ]


def test_nothing_is_begun_where_the_user_will_probably_go_on() -> None:
    line = (
        Line(TurnSettings()).at(1.1, SpeechStarted(1.0)).at(2.04, SpeechPaused(2.0), final("I would like to"))
    )
    assert [told.split()[1] for told in line.at(9).story] == ["StartTurn", "EndTurn"]


def test_tries_are_few_in_one_turn() -> None:
    line, now = guessing(tries=2), 2.1
    for word in "abcde":
        line.at(now + 0.1, SpeechResumed(now + 0.05)).at(now + 0.2, SpeechPaused(now + 0.18))
        line.at(now + 0.25, interim(f"we could go there {word}"))
        now += 0.25
    assert sum("Speculate" in told for told in line.story) == 2


def test_waste_is_limited_in_one_conversation() -> None:
    line = guessing(wasted_at_most=100).at(2.4, SpeechResumed(2.3), SpeculationDropped(60))
    line.at(2.5, SpeechPaused(2.45), interim("we could go there now")).at(2.6, SpeechResumed(2.55))
    line.at(2.6, SpeculationDropped(60)).at(2.7, SpeechPaused(2.65), interim("we could go there now too"))
    assert sum("Speculate" in told for told in line.story) == 2


def test_nothing_is_begun_while_the_agent_replies_but_as_soon_as_it_is_over() -> None:
    line = Line(TurnSettings()).at(1.1, SpeechStarted(1.0)).at(1.2, ReplyBegan())
    line.at(2.04, SpeechPaused(2.0), final("we could go there"))
    assert not any("Speculate" in told for told in line.story)
    assert line.at(2.3, ReplyOver("whole")).story[-1] == "2.30 Speculate [we could go there]"


def test_nothing_is_begun_before_there_are_words_of_all_speech() -> None:
    line = guessing().at(2.4, SpeechResumed(2.3)).at(3.04, SpeechPaused(3.0))
    assert sum("Speculate" in told for told in line.story) == 1


# What is learned, and the agent as a listener --------------------------------------------------------


def test_pauses_of_the_speaker_are_learned() -> None:
    settings = TurnSettings(speculation=QUIET, endpointing=EndpointingSettings(floor=0.2))
    line, now = Line(settings), 1.0
    for _ in range(5):
        line.at(now + 0.1, SpeechStarted(now)).at(now + 0.56, SpeechPaused(now + 0.5))
        now += 0.5 + 0.75
    line.at(now + 0.1, SpeechStarted(now)).at(now + 0.9, final("we could go there.")).at(
        now + 1.06, SpeechPaused(now + 1.0)
    )
    line.at(now + 1.1, TurnScored(0.9, now + 1.0))
    learned = line.at(now + 9).decided[-1]
    assert learned[0] == pytest.approx(now + 1.0 + 0.75)
    assert learned[1].reason == "this speaker pauses for 0.75 s"  # type: ignore[union-attr]


def test_backchannel_in_a_pause_of_a_long_turn() -> None:
    line = Line(backchannels=BackchannelSettings(frequency=1.0))
    line.at(1.1, SpeechStarted(1.0)).at(6.04, SpeechPaused(6.0), interim("so I went to the shop,"))
    assert line.at(6.3).story == ["1.10 StartTurn", "6.20 SayBackchannel [mhm]"]
    assert line.state is State.ENDING, "it is no reply"


def test_idle_user_is_asked_then_away_then_gone() -> None:
    line = Line(idle=IdleSettings(prompt_after=5.0, away_after=8.0)).at(0.0, SessionStarted())
    line.at(5.0, ReplyBegan()).at(6.0, ReplyOver()).at(30)
    assert line.story == [
        "5.00 BeIdle [prompt] [Are you still there?]",
        "8.00 BeIdle [away]",
        "11.00 BeIdle [end]",
    ]


def test_typing_is_a_sign_of_the_user() -> None:
    line = (
        Line(idle=IdleSettings(prompt_after=5.0)).at(0.0, SessionStarted()).at(4.0, UserText("hello")).at(8.9)
    )
    assert line.story == []


# The table -------------------------------------------------------------------------------------------

IN: dict[State, tuple[Fact, ...]] = {
    State.LISTENING: (),
    State.SPEAKING: (SpeechStarted(1.0),),
    State.ENDING: (SpeechStarted(1.0), SpeechPaused(1.1)),
    State.REPLYING: (ReplyBegan(),),
    State.SUSPECTING: (ReplyBegan(), SoundHeard(1.0)),
    State.OVERLAPPING: (ReplyBegan(), SpeechStarted(1.0)),
    State.JUDGING: (ReplyBegan(), SpeechStarted(1.0), SpeechPaused(1.1)),
}
"""How each state is come to."""

SAMPLES: dict[type, Fact] = {
    type(fact): fact
    for fact in (
        SoundHeard(1.2), SpeechStarted(1.2), SpeechPaused(1.2), SpeechResumed(1.2), SpeechStopped(1.2),
        interim("uh"), ScoreAsked(1.2), TurnScored(0.5, 1.1), TurnHinted(0.5, 1.1), TalkButton(True),
        UserKey("1"), ReplyBegan(), ReplyOver(), VoiceAt(), SpeculationDropped(5), Deadline(),
        UtteranceLost(1.0, 1.2),
    )
}  # fmt: skip


AT_DEADLINES = {
    (State.ENDING, Deadline): State.LISTENING,
    (State.OVERLAPPING, Deadline): State.SPEAKING,
    (State.JUDGING, Deadline): State.REPLYING,
}
"""Where these rows lead in the calls above; the others lead to the first state that they name."""


@pytest.mark.parametrize(
    ("state", "kind"), TABLE, ids=lambda value: getattr(value, "name", None) or value.__name__
)
def test_row_of_the_table(state: State, kind: type) -> None:
    """Every row, and the state that it leads to."""
    line = Line().at(1.2, *IN[state])
    assert line.state is state
    if kind is Deadline:
        due = line.engine.deadline
        if state is State.REPLYING:  # only where a turn has ended and nobody took it
            assert due is None
            due = line.engine.floor.deadline = 2.0
        assert due is not None
        line.now = due
    line.tell(SAMPLES[kind])
    assert line.state is AT_DEADLINES.get((state, kind), next(iter(TABLE[state, kind].then)))


def test_classifier_that_fails_costs_no_words() -> None:
    """The state follows as if it were undecided, so that the user has the floor once the agent is silent."""

    class Broken:
        def judge(self, overlap: Overlap) -> Judgement:
            raise ValueError("broken")

    engine = TurnEngine(TurnSettings(speculation=QUIET), classifier=Broken())
    engine.decide(ReplyBegan(), 0.0)
    for now, fact in ((1.0, SpeechStarted(1.0)), (1.5, final("stop that")), (1.6, SpeechStopped(1.6))):
        with pytest.raises(ValueError, match="broken"):
            engine.decide(fact, now)
    assert engine.state is State.JUDGING
    decided = engine.decide(ReplyOver(), 2.0) + engine.decide(Deadline(), engine.deadline or 2.0)
    assert [decision.text for decision in decided if isinstance(decision, EndTurn)] == ["stop that"]


@pytest.mark.parametrize(
    ("words", "turn"),
    [
        ((), ("", True)),
        ((Transcript("I want", False, 1.0, 1.5),), ("", True)),  # only of its beginning
        ((Transcript("I want", True, 1.0, 1.5),), ("I want", False)),
    ],
)
def test_words_that_are_lost_end_the_turn_with_those_that_are_known(
    words: tuple[Fact, ...], turn: tuple[str, bool]
) -> None:
    line = Line().at(1.0, SpeechStarted(1.0)).at(1.5, *words)
    line.at(3.0, SpeechPaused(3.0)).at(3.2, SpeechStopped(3.0)).at(5.0, UtteranceLost(1.0, 3.0)).at(6.0)
    (ended,) = [decision for _, decision in line.decided if isinstance(decision, EndTurn)]
    assert (ended.text, ended.lost) == turn
    assert line.state is State.LISTENING


def test_words_that_are_lost_while_the_user_goes_on_are_lost_alone() -> None:
    line = Line().at(1.0, SpeechStarted(1.0)).at(2.0, SpeechPaused(2.0)).at(2.2, SpeechStopped(2.0))
    line.at(2.5, SpeechStarted(2.5)).at(3.0, UtteranceLost(1.0, 2.0))
    assert line.state is State.SPEAKING
    line.at(4.0, SpeechPaused(4.0)).at(4.2, SpeechStopped(4.0), final("a helmet")).at(9.0)
    assert [(turn.text, turn.lost) for _, turn in line.decided if isinstance(turn, EndTurn)] == [
        ("a helmet", False)
    ]


def test_first_words_that_are_told_once_more_are_no_new_turn() -> None:
    """A recogniser that begins again tells them before the others, after the turn has ended without it."""
    line = Line().at(1.0, SpeechStarted(1.0)).at(2.0, Transcript("I want a bike", False, 1.0, 2.0))
    line.at(2.0, SpeechPaused(2.0)).at(2.2, SpeechStopped(2.0)).at(4.0)
    line.at(4.1, Transcript("I wa", False, 1.0, 4.1)).at(
        4.2, Transcript("I want a bike.", True, 1.0, 2.0)
    ).at(9.0)
    assert [turn.text for _, turn in line.decided if isinstance(turn, EndTurn)] == ["I want a bike"]


def test_fact_that_is_not_in_the_table_changes_nothing() -> None:
    for state, way in IN.items():
        for kind, fact in SAMPLES.items():
            if (state, kind) not in TABLE and kind is not Deadline:
                line = Line().at(1.2, *way)
                deadline, decided = line.engine.deadline, len(line.decided)
                line.tell(fact)
                assert (line.state, line.engine.deadline, len(line.decided)) == (state, deadline, decided)


@pytest.mark.parametrize(
    "wrong",
    [{"words_within": -0.5}, {"keys_within": -1.0}, {"starts_by": "mind"}, {"wake_phrase": "("}],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="turns"):
        TurnSettings(**wrong)


@pytest.mark.parametrize("wrong", [{"eager_above": -1}, {"tries": -1}, {"wasted_at_most": -1}], ids=str)
def test_speculation_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="speculation"):
        SpeculationSettings(**wrong)
