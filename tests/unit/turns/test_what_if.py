"""What another policy would have done: by hand-made journals, and by calls that are recorded here."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from antiphon import Agent
from antiphon.errors import ConfigurationError
from antiphon.frames import FalseInterruption, Interrupted, ReplyCommitted, ToolCall
from antiphon.services.ports import Recognized
from antiphon.testing import StreamingSTT, loud, run_virtual
from antiphon.testing.assertions import HeldCall, hold, services
from antiphon.transports.caller import CallerLine
from antiphon.turns.policy import parse_policy
from antiphon.turns.recorded_call import recorded
from antiphon.turns.settings import TurnSettings
from antiphon.turns.what_if import Change, WhatIf, what_if

HEAD = b'[0.0,"journal","Journal",{"format":1,"media":false}]'
ANSWER = "Well, that depends. There are many things to say, and I shall say them all, one after another."


def journal(*lines: tuple[float, str, dict[str, Any]]) -> list[bytes]:
    return [HEAD, *(msgspec.json.encode((at, "part", kind, content, 1)) for at, kind, content in lines)]


def replayed(lines: Sequence[bytes], policy: str = "") -> WhatIf:
    return what_if(recorded(lines), parse_policy(policy))


def outcomes(result: WhatIf) -> list[str]:
    return [change.outcome for change in result.changes]


def speech(started: float, ended: float, text: str, score: float) -> list[tuple[float, str, dict[str, Any]]]:
    """A stretch of speech, with its score and its words."""
    words = {"text": text, "final": True, "started": started, "ended": ended}
    return [
        (started + 0.1, "SpeechStarted", {"at": started}),
        (ended + 0.05, "SpeechPaused", {"at": ended}),
        (ended + 0.1, "TurnScored", {"probability": score, "at": ended}),
        (ended + 0.2, "SpeechStopped", {"at": ended}),
        (ended + 0.21, "Transcript", words),
    ]


def turn(at: float, text: str, started: float, ended: float) -> tuple[float, str, dict[str, Any]]:
    return (at, "UserTurn", {"text": text, "started": started, "ended": ended})


def reply(number: int, began: float, voiced: float, ended: float) -> list[tuple[float, str, dict[str, Any]]]:
    """A reply that is heard in full."""
    over = {"reply": number, "text": "So be it.", "heard": "So be it.", "interrupted": False}
    return [
        (began, "ReplyStarted", {"reply": number}),
        (voiced, "PlayoutStarted", {"reply": number}),
        (ended, "ReplyEnded", over),
    ]


# By hand ---------------------------------------------------------------------------------------------

ONE = [
    *speech(1.0, 2.0, "I want a bicycle.", 0.5),
    turn(3.5, "I want a bicycle.", 1.0, 2.0),
    *reply(1, 3.5, 3.8, 5.0),
    (9.0, "SessionEnded", {"reason": "over"}),
]
PAUSED = [
    *speech(1.0, 2.0, "I want", 0.1),
    *speech(3.0, 4.0, "a bicycle.", 0.9),
    turn(4.5, "I want a bicycle.", 1.0, 4.0),
    *reply(1, 4.5, 4.8, 6.0),
    (9.0, "SessionEnded", {"reason": "over"}),
]
AT_ONCE = "[endpointing]\ncurve = [[0.5, 0.3]]\n"
PATIENT = "[endpointing]\ncurve = [[0.5, 1.2]]\n"


def test_a_turn_is_over_earlier_or_later() -> None:
    (earlier,), (later,) = replayed(journal(*ONE), AT_ONCE).changes, replayed(journal(*ONE), PATIENT).changes
    assert (earlier.outcome, earlier.recorded, earlier.replayed) == ("earlier", 3.5, pytest.approx(2.3))
    assert (later.outcome, later.replayed) == ("earlier", pytest.approx(3.2))
    assert earlier.saved == pytest.approx(1.2)
    (slower,) = replayed(journal(*ONE), "[endpointing]\nfloor = 1.9").changes
    assert (slower.outcome, slower.saved) == ("later", pytest.approx(-0.4))


def test_a_turn_is_cut_off_where_more_of_it_comes() -> None:
    result = replayed(journal(*PAUSED), AT_ONCE)
    (cut,) = result.changes
    assert (cut.outcome, cut.replayed, cut.saved) == ("cut off", pytest.approx(2.3), None)
    assert result.saved == []
    assert outcomes(replayed(journal(*PAUSED), PATIENT)) == ["later"]


def test_turns_are_joined_where_the_policy_waits() -> None:
    two = [
        *speech(1.0, 2.0, "I want", 0.1),
        turn(2.3, "I want", 1.0, 2.0),
        *speech(3.0, 4.0, "a bicycle.", 0.9),
        turn(4.3, "a bicycle.", 3.0, 4.0),
        (9.0, "SessionEnded", {"reason": "over"}),
    ]
    assert outcomes(replayed(journal(*two), AT_ONCE)) == ["same", "same"]
    joined, last = replayed(journal(*two), PATIENT).changes
    assert (joined.outcome, joined.replayed, joined.saved) == ("joined", pytest.approx(5.2), None)
    assert (last.outcome, last.saved) == ("later", pytest.approx(-0.9))


def test_a_turn_that_is_not_over_when_the_call_is_has_no_end() -> None:
    short = [line for line in ONE if line[0] < 3.6] + [(3.6, "SessionEnded", {"reason": "over"})]
    assert outcomes(replayed(journal(*short), "[endpointing]\nfloor = 1.9")) == ["lost"]


def test_an_answer_begins_by_as_much_after_its_turn_as_in_the_recording() -> None:
    """At 3 s the agent is heard by the policy that was recorded, and has finished by the quick one."""
    late = [*ONE[:-1], *speech(4.2, 4.8, "mhm", 0.9), ONE[-1]]
    assert replayed(journal(*late), PATIENT).replayed.false_interruptions == 1
    quick = replayed(journal(*late), AT_ONCE)
    assert quick.replayed.false_interruptions == 0
    assert [(change.outcome, change.text) for change in quick.changes] == [
        ("earlier", "I want a bicycle."),
        ("new", "mhm"),
    ]


def test_words_that_a_part_has_rewritten_are_taken_once() -> None:
    at, kind, content = ONE[4]
    lines = journal(*ONE)
    better = msgspec.json.encode((at, "corrections", kind, content | {"text": "I want a tricycle"}))
    assert recorded([*lines[:6], better, *lines[6:]]).facts.count(recorded(lines).facts[4]) == 0
    assert len(recorded([*lines[:6], better, *lines[6:]]).facts) == len(recorded(lines).facts)


def test_keys_are_a_turn_too() -> None:
    keys = [
        (1.0, "UserKey", {"key": "4"}),
        (1.5, "UserKey", {"key": "2"}),
        turn(3.5, "4 2", 1.0, 1.5),
        (9.0, "SessionEnded", {"reason": "over"}),
    ]
    assert outcomes(replayed(journal(*keys))) == ["same"]
    assert replayed(journal(*keys), "keys_within = 1").saved == [pytest.approx(1.0)]


def test_a_policy_may_hang_up() -> None:
    impatient = "[idle]\nprompt_after = 1.0\nprompts = ['Hello?']\n"
    result = replayed(
        journal((0.0, "SessionStarted", {}), *((at + 20, kind, content) for at, kind, content in ONE)),
        impatient,
    )
    assert result.hung_up is not None and 2 < result.hung_up < 5
    assert outcomes(result) == ["lost"]


def test_a_journal_may_break_off() -> None:
    assert outcomes(replayed(journal(*ONE[:-2]), AT_ONCE)) == ["earlier"]


def test_an_empty_call_has_no_turns() -> None:
    assert replayed(journal()).changes == ()


def test_what_is_no_journal_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="line 1 is not a line of a journal"):
        replayed([b"{}"])
    with pytest.raises(ConfigurationError, match="line 2 of the journal, say"):
        replayed([HEAD, b'[1.0,"call","say",[],1]'])
    with pytest.raises(ConfigurationError, match="line 2 of the journal, SpeechStarted"):
        replayed(journal((1.0, "SpeechStarted", {"at": "noon"})))


# As recorded -----------------------------------------------------------------------------------------


def call(
    lines: Sequence[CallerLine], hears: Sequence[str], says: Sequence[Any], policy: str = "", **settings: Any
) -> HeldCall:
    scores = settings.pop("scores", (1.0,))
    good = services(hears, says, turn_scores=scores) | settings.pop("services", dict)()
    return run_virtual(hold(Agent("x", turns=parse_policy(policy), **good, **settings), lines))


def line(seconds: float, wait: float, cue: Any = "now") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)


CALLS: dict[str, dict[str, Any]] = {
    "two turns": {
        "lines": [line(1.0, 0.5), line(1.0, 1.0, "answer")],
        "hears": ["hello there", "bye, thanks."],
        "says": ["Hello.", "Bye."],
        "greeting": "Good morning.",
    },
    "barge-in": {
        "lines": [line(1.0, 0.5), line(0.8, 1.0, "barge-in"), line(0.8, 0.0, "barge-in")],
        "hears": ["hello", "tell me the price", "stop"],
        "says": [ANSWER, ANSWER, "Yes?"],
    },
    "backchannel": {
        "lines": [line(1.0, 0.5), line(0.4, 1.0, "barge-in"), line(1.0, 1.0, "answer")],
        "hears": ["hello", "mhm", "bye, thanks."],
        "says": [ANSWER, "Bye."],
    },
    "two fragments": {
        "lines": [line(1.0, 0.5), line(1.0, 0.6)],
        "hears": ["I would like to", "buy a bicycle."],
        "says": ["Very well."],
        "scores": (0.1, 0.9),
    },
    "guesses in vain": {
        "lines": [line(1.0, 0.5), line(1.0, 0.5), line(1.0, 0.4)],
        "hears": ["hello there", "my friend", "how are you?"],
        "says": [ANSWER, ANSWER, ANSWER],
        "scores": (0.7, 0.7, 0.9),
        "policy": "[endpointing]\nfloor = 0.9",
    },
    "tool": {
        "lines": [line(1.0, 0.5), line(0.8, 0.9, "barge-in")],
        "hears": ["look", "hello?"],
        "says": [["Let me look.", ToolCall("1", "nothing", "{}")], "So it is.", "Yes?"],
    },
    "idle": {
        "lines": [line(1.0, 3.7), line(1.0, 2.0, "answer")],
        "hears": ["hello", "bye, thanks."],
        "says": ["Hello.", "Bye."],
        "policy": "[idle]\nprompt_after = 2.0",
    },
    "late words": {
        "lines": [line(0.8, 0.5)],
        "hears": [],
        "says": ["Certainly.", "Yes."],
        "services": lambda: {
            "stt": StreamingSTT(
                [(1.2, Recognized("I want", False)), (2.2, Recognized("I want a bicycle.", True))]
            )
        },
    },
    "ducked": {
        "lines": [line(1.0, 0.5), line(0.4, 1.0, "barge-in"), line(0.9, 0.5)],
        "hears": ["hello", "mhm", "no, wait a moment"],
        "says": [ANSWER, "Yes?"],
        "policy": "[interruption]\nfirst = 'duck'",
    },
}


@pytest.mark.parametrize("name", CALLS)
def test_with_the_policy_that_it_was_recorded_with_nothing_differs(name: str) -> None:
    said = dict(CALLS[name])
    policy = said.get("policy", "")
    result = replayed(call(**said).journal.lines, policy)
    assert result.changes
    assert [(change.outcome, round(change.saved or 0.0, 5)) for change in result.changes] == [
        ("same", 0.0)
    ] * len(result.changes)
    assert result.replayed == result.recorded


def test_the_calls_are_what_their_names_say() -> None:
    """Else the test above would show nothing."""
    made = {name: call(**said) for name, said in CALLS.items()}
    assert len(made["barge-in"].all(Interrupted)) == 2
    assert [false.kind for false in made["backchannel"].all(FalseInterruption)] == ["backchannel"]
    assert len(recorded(made["two fragments"].journal.lines).turns) == 1
    assert recorded(made["guesses in vain"].journal.lines).counts.guesses_dropped
    assert made["two turns"].all(ReplyCommitted)
    assert recorded(made["idle"].journal.lines).prompts
    early, late = recorded(made["late words"].journal.lines).turns
    assert (early.started, early.ended) == (late.started, late.ended)


def test_media_make_no_difference() -> None:
    held = call(**CALLS["barge-in"])
    bare = [raw for raw in held.journal.lines if not any(kind in raw for kind in (b'Audio",{', b"timer"))]
    assert len(bare) < len(held.journal.lines)
    assert replayed(bare, AT_ONCE) == replayed(held.journal.lines, AT_ONCE)


def test_a_barge_in_that_another_policy_takes_for_a_backchannel_is_lost() -> None:
    lines = call(**CALLS["barge-in"]).journal.lines
    result = replayed(lines, "[interruption]\nmin_words = 9")
    assert outcomes(result)[1] == "lost"
    assert result.replayed.false_interruptions > result.recorded.false_interruptions


def test_fragments_are_cut_off_by_a_policy_that_does_not_wait() -> None:
    lines = call(**CALLS["two fragments"]).journal.lines
    assert outcomes(replayed(lines, AT_ONCE)) == ["cut off"]


def test_without_speculation_no_reply_is_begun_early() -> None:
    result = replayed(call(**CALLS["two turns"]).journal.lines, "[speculation]\neager_above = 2")
    assert (result.recorded.guesses, result.replayed.guesses) == (2, 0)
    assert result.saved == [0.0, 0.0]


def test_changes_are_data() -> None:
    assert Change("lost", "x", 1.0, 2.0).saved is None
    assert what_if(recorded(journal()), TurnSettings()).count("same") == 0
