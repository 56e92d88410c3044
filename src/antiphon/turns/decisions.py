"""Facts, which the turn engine gets besides frames, and its decisions.

Both are data: the engine has no effects.
"""

from dataclasses import dataclass

from ..frames import (
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
)

__all__ = [
    "BeIdle",
    "Deadline",
    "Decision",
    "DropSpeculation",
    "Due",
    "EndTurn",
    "Fact",
    "Interrupt",
    "PauseVoice",
    "ReplyBegan",
    "ReplyOver",
    "ResumeVoice",
    "SayBackchannel",
    "Speculate",
    "SpeculationDropped",
    "StartTurn",
    "VoiceAt",
]

# Facts -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Deadline:
    """The engine's `deadline` has come."""


@dataclass(frozen=True, slots=True)
class ReplyBegan:
    """The agent has begun to make a reply that will be heard."""

    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class ReplyOver:
    """The reply is over; `said` is the part of it that was heard."""

    said: str = ""


@dataclass(frozen=True, slots=True)
class SpeculationDropped:
    """A speculative reply was dropped after so many characters had been generated."""

    characters: int


@dataclass(frozen=True, slots=True)
class VoiceAt:
    """How far the agent's voice has got; sent before a fact that depends on it.

    `voiced`: seconds that have been heard; `left`: seconds still to be heard, None while the reply is
    incomplete; `said` and `says_next`: the text on either side of the playout position.
    """

    voiced: float = 0.0
    left: float | None = None
    said: str = ""
    says_next: str = ""


Fact = (
    SoundHeard | SpeechStarted | SpeechPaused | SpeechResumed | SpeechStopped | Transcript | ScoreAsked
    | TurnScored | TurnHinted | TalkButton | UserKey | UserText | SessionStarted | Deadline | ReplyBegan
    | ReplyOver | SpeculationDropped | VoiceAt
)  # fmt: skip

# Decisions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTurn:
    """The user has taken the floor."""

    at: float


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The user's turn is over; `text` is "" if it had no words for the agent."""

    text: str
    started: float
    ended: float
    reason: str


@dataclass(frozen=True, slots=True)
class Speculate:
    """The turn is probably over: begin a speculative reply, which is not heard yet."""

    text: str
    started: float
    ended: float
    reason: str


@dataclass(frozen=True, slots=True)
class DropSpeculation:
    """Drop the speculative reply: the turn was not over, or ended with other words."""

    reason: str


@dataclass(frozen=True, slots=True)
class PauseVoice:
    """Hold the agent's voice until it is decided who has the floor."""

    reason: str


@dataclass(frozen=True, slots=True)
class ResumeVoice:
    """The user did not want the floor: let the voice go on.

    `kind` is what the sound was ("backchannel", "noise", "echo"), or "" if it was not even speech.
    """

    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The user wants the floor: interrupt the reply."""

    reason: str


@dataclass(frozen=True, slots=True)
class SayBackchannel:
    """Say a backchannel, such as "mhm", to show that the agent listens."""

    text: str


@dataclass(frozen=True, slots=True)
class BeIdle:
    """Nobody has spoken for long.

    `action` is "prompt" (say `text`), "away" (the user is away) or "end" (end the call).
    """

    action: str
    text: str = ""


Decision = (
    StartTurn | EndTurn | Speculate | DropSpeculation | PauseVoice | ResumeVoice | Interrupt
    | SayBackchannel | BeIdle
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Due:
    """A decision that will be made at `at`, unless a fact changes it before."""

    at: float
    decision: Decision
