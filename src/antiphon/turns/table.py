"""The table of the turn engine: every rule of turn taking.

A row names the act that answers a fact in a state, and every state that the act may return, each with the
reason; the reason for staying in a state is empty. The engine refuses a state that is not in the row. The
first one also follows if the act fails, such as by an error in a classifier. The diagram in
docs/concepts/turns.md is drawn from this table, with the reasons on its arrows. A fact that has no row in a
state is ignored there.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..frames import (
    ScoreAsked,
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
    UtteranceLost,
)
from . import overlap, user_turn
from .decisions import Deadline, ReplyBegan, ReplyOver, SpeculationDropped, VoiceAt
from .floor import State
from .user_turn import Next

__all__ = ["ALWAYS", "TABLE", "Row"]


class Row(NamedTuple):
    """What is done about a fact, and every state that may follow, with why."""

    act: Callable[..., Next]
    then: Mapping[State, str]


_L, _S, _E, _R = State.LISTENING, State.SPEAKING, State.ENDING, State.REPLYING
_P, _O, _J = State.SUSPECTING, State.OVERLAPPING, State.JUDGING

_SPEECH, _QUIET = (SpeechStarted, SpeechResumed), (SpeechPaused, SpeechStopped)
_OVER = {_L: "the turn is over", _R: "the turn is over, the reply is not"}
_UNHEARD, _LATE, _FALSE = "words that no VAD heard", "late words", "false interruption"
_PLAYS_ON = "speech that the agent does not yield to, or barge-in"
_JUDGED = {_J: "", _E: "barge-in", _R: _FALSE}

_ROWS: dict[tuple[State, type | tuple[type, ...]], tuple[Callable[..., Next], dict[State, str]]] = {
    # state, fact      what is done             what may follow, and why
    (_L, _SPEECH):    (user_turn.begin,        {_S: "speech", _L: ""}),
    (_L, Transcript): (user_turn.unasked,      {_E: _UNHEARD, _S: _LATE, _L: ""}),
    (_L, ReplyBegan): (overlap.begins,         {_R: "the agent begins"}),

    (_S, _SPEECH):    (user_turn.more,         {_S: ""}),
    (_S, _QUIET):     (user_turn.stop,         {_E: "quiet", _S: "", **_OVER}),
    (_S, Transcript): (user_turn.words,        {_S: "", _E: "too long", **_OVER}),
    (_S, UtteranceLost): (user_turn.lost,      {_S: ""}),
    (_S, TurnScored): (user_turn.score,        {_S: ""}),
    (_S, TurnHinted): (user_turn.hint,         {_S: "", _E: "the service says that it is over", **_OVER}),
    (_S, Deadline):   (user_turn.check_limits, {_E: "too long", _S: "", **_OVER}),
    (_S, ReplyBegan): (overlap.begins_too,     {_S: ""}),
    (_S, ReplyOver):  (overlap.over_too,       {_S: ""}),

    (_E, SoundHeard): (user_turn.sound,        {_E: "", **_OVER}),
    (_E, _SPEECH):    (user_turn.go_on,        {_S: "speech"}),
    (_E, _QUIET):     (user_turn.stop,         {_E: "", _S: "only the button ends the turn", **_OVER}),
    (_E, Transcript): (user_turn.words,        {_E: "", **_OVER}),
    (_E, UtteranceLost): (user_turn.lost,      {_E: "", **_OVER}),
    (_E, TurnScored): (user_turn.score,        {_E: "", **_OVER}),
    (_E, TurnHinted): (user_turn.hint,         {_E: "", **_OVER}),
    (_E, Deadline):   (user_turn.weigh,        {_E: "", **_OVER}),
    (_E, ReplyBegan): (overlap.begins_too,     {_E: ""}),
    (_E, ReplyOver):  (overlap.over_too,       {_E: "", _L: _OVER[_L]}),

    (_R, SoundHeard): (overlap.suspect,        {_P: "a sound", _R: ""}),
    (_R, _SPEECH):    (overlap.speaks,         {_O: "speech", _S: _PLAYS_ON, _R: ""}),
    (_R, Transcript): (overlap.unasked,        {_J: _UNHEARD, _E: _UNHEARD, _S: _LATE, _R: ""}),
    (_R, Deadline):   (overlap.unfounded,      {_R: ""}),
    (_R, ReplyBegan): (overlap.begins,         {_R: ""}),
    (_R, ReplyOver):  (overlap.over,           {_L: "the agent has finished"}),

    (_P, SoundHeard): (overlap.suspect,        {_P: "", _R: "the sound is gone"}),
    (_P, _SPEECH):    (overlap.speaks,         {_O: "speech", _S: _PLAYS_ON}),
    (_P, Transcript): (overlap.unasked,        {_J: _UNHEARD, _E: _UNHEARD, _S: _LATE, _R: _FALSE, _P: ""}),
    (_P, Deadline):   (overlap.unfounded,      {_R: "nothing came of it"}),
    (_P, ReplyOver):  (overlap.over,           {_L: "the agent has finished"}),

    (_O, _QUIET):     (overlap.quiet,          _JUDGED | {_J: "quiet"}),
    (_O, Transcript): (overlap.words,          {_O: "", _S: "barge-in"}),
    (_O, TurnHinted): (overlap.hint,           {_O: ""}),
    (_O, Deadline):   (overlap.due,            {_O: "", _S: "barge-in"}),
    (_O, ReplyOver):  (overlap.alone,          {_S: "the agent has finished"}),

    (_J, _SPEECH):    (overlap.speaks_on,      {_O: "speech", _S: "barge-in"}),
    (_J, _QUIET):     (overlap.quiet,          _JUDGED),
    (_J, Transcript): (overlap.words,          _JUDGED),
    (_J, TurnScored): (user_turn.score,        {_J: ""}),
    (_J, TurnHinted): (overlap.hint,           {_J: ""}),
    (_J, Deadline):   (overlap.due,            _JUDGED),
    (_J, ReplyOver):  (overlap.alone,          {_E: "the agent has finished", _L: _OVER[_L]}),

    # whoever has the floor:
    **{(state, TalkButton): (user_turn.button, {_S: "pressed", state: ""}) for state in State},
    **{(state, TalkButton): (user_turn.button, {_S: "pressed", _E: "let go", **_OVER}) for state in (_S, _E)},
    **{(state, UserKey):    (user_turn.key,    {_E: "a key", state: "", **_OVER}) for state in State},
    **{(state, ScoreAsked): (user_turn.asked,  {state: ""}) for state in State},
    (_E, ScoreAsked): (user_turn.asked,        {_E: "", **_OVER}),
    **{(state, VoiceAt):    (overlap.voice_at, {state: ""}) for state in State},
    **{(state, SpeculationDropped): (overlap.wasted, {state: ""}) for state in State},
}  # fmt: skip

TABLE: Mapping[tuple[State, type], Row] = {
    (state, fact): Row(act, then)
    for (state, facts), (act, then) in _ROWS.items()
    for fact in (facts if isinstance(facts, tuple) else (facts,))
}
"""Every transition, by state and fact."""

ALWAYS: frozenset[type] = frozenset({TalkButton, UserKey, ScoreAsked, VoiceAt, SpeculationDropped})
"""Facts that are answered by the same act whoever has the floor."""
