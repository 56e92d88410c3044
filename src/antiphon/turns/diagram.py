"""The transitions of the turn engine as a diagram and a table, for the documentation.

python -m antiphon.turns.diagram docs/concepts/turns.md
"""

import sys
from pathlib import Path

from ..frames import (
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    UserKey,
)
from .decisions import Deadline, ReplyBegan, ReplyOver, SpeculationDropped, VoiceAt
from .engine import TABLE, State

__all__ = ["DECIDED", "arrows", "renewed"]

DECIDED: tuple[tuple[State, State, str], ...] = (
    (State.LISTENING, State.ENDING, "words that no VAD heard"),
    (State.SPEAKING, State.ENDING, "too long, or the service says that it is over"),
    (State.ENDING, State.LISTENING, "the turn is over"),
    (State.ENDING, State.REPLYING, "the turn is over, the reply is not"),
    (State.REPLYING, State.ENDING, "words that no VAD heard, and the agent does not yield"),
    (State.REPLYING, State.SPEAKING, "speech, and the agent does not yield"),
    (State.REPLYING, State.JUDGING, "words that no VAD heard"),
    (State.SUSPECTING, State.ENDING, "words that no VAD heard, and the agent does not yield"),
    (State.SUSPECTING, State.SPEAKING, "speech, and the agent does not yield"),
    (State.SUSPECTING, State.JUDGING, "words that no VAD heard"),
    (State.SUSPECTING, State.REPLYING, "the sound is gone"),
    (State.OVERLAPPING, State.SPEAKING, "barge-in"),
    (State.JUDGING, State.ENDING, "barge-in"),
    (State.JUDGING, State.REPLYING, "false interruption"),
)
"""Transitions that an act decides on, beside those that stand in the table: from, to, and when."""

WORDS: dict[type, str] = {
    SoundHeard: "a sound",
    SpeechStarted: "speech",
    SpeechResumed: "speech",
    SpeechPaused: "quiet",
    SpeechStopped: "quiet",
    ReplyBegan: "the agent begins",
    ReplyOver: "the agent has finished",
    Deadline: "nothing came of it",
}
"""Facts that lead to another state, as the diagram names them."""
ALWAYS = (TalkButton, UserKey, VoiceAt, SpeculationDropped)
"""Facts whose row is the same in every state."""
BEGIN, END = "<!-- made from the table -->", "<!-- end of what is made from the table -->"


def arrows() -> dict[tuple[State, State], list[str]]:
    """What leads from one state to another, in words."""
    steps = [(state, then, WORDS[fact]) for (state, fact), (_, then) in TABLE.items() if then is not state]
    found: dict[tuple[State, State], list[str]] = {}
    for state, then, why in sorted([*steps, *DECIDED], key=lambda step: step[0].value):
        whys = found.setdefault((state, then), [])
        if why not in whys:
            whys.append(why)
    return found


def _diagram() -> str:
    lines = ["stateDiagram-v2", "    [*] --> LISTENING"]
    lines += [
        f"    {one.name} --> {other.name}: {', or '.join(why)}" for (one, other), why in arrows().items()
    ]
    return "\n".join(lines)


def _table() -> str:
    """One line for the facts of a state with which the same is done."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for (state, fact), (act, then) in TABLE.items():
        done = (act.__doc__ or "").splitlines()[0]
        always = fact in ALWAYS
        follows = "" if then is state else then.name
        facts = rows.setdefault(("any" if always else state.name, done, follows), [])
        if fact.__name__ not in facts:
            facts.append(fact.__name__)
    lines = ["| state | fact | what is done | then |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {state} | {', '.join(facts)} | {done} | {then} |" for (state, done, then), facts in rows.items()
    ]
    return "\n".join(lines)


def renewed(page: str) -> str:
    """The page with the diagram and the table as they are now. Raises ValueError where it has no place."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n```mermaid\n{_diagram()}\n```\n\n{_table()}\n\n{END}{after}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(renewed(Path(name).read_text()))
