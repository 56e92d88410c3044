"""What the turn engine is told, beside frames, and what it decides: data, not effects."""

from dataclasses import dataclass

from ..frames import (
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
    """The time that was asked for has come."""


@dataclass(frozen=True, slots=True)
class ReplyBegan:
    """The agent makes or speaks a reply."""

    interruptible: bool = True


@dataclass(frozen=True, slots=True)
class ReplyOver:
    """The agent has finished; `said` is what was heard of it."""

    said: str = ""


@dataclass(frozen=True, slots=True)
class SpeculationDropped:
    """So many characters of a reply were written in vain."""

    characters: int


@dataclass(frozen=True, slots=True)
class VoiceAt:
    """Where the agent's voice stands: told before a fact that is judged by it.

    `voiced`: seconds of it that were heard; `left`: seconds that are still to be heard, None where
    not all of the reply is there yet.
    """

    voiced: float = 0.0
    left: float | None = None
    said: str = ""
    says_next: str = ""


Fact = (
    SoundHeard | SpeechStarted | SpeechPaused | SpeechResumed | SpeechStopped | Transcript | TurnScored
    | TurnHinted | TalkButton | UserKey | UserText | SessionStarted | Deadline | ReplyBegan | ReplyOver
    | SpeculationDropped | VoiceAt
)  # fmt: skip

# Decisions -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StartTurn:
    """The user has taken the floor."""

    at: float


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The user's turn is over; `text` is "" where there were no words in it."""

    text: str
    started: float
    ended: float
    reason: str


@dataclass(frozen=True, slots=True)
class Speculate:
    """The turn is probably over: begin a reply, unheard."""

    text: str
    started: float
    ended: float
    reason: str


@dataclass(frozen=True, slots=True)
class DropSpeculation:
    """The turn was not over, or ended with other words."""

    reason: str


@dataclass(frozen=True, slots=True)
class PauseVoice:
    """Hold the agent's voice: it is not decided yet who has the floor."""

    reason: str


@dataclass(frozen=True, slots=True)
class ResumeVoice:
    """The user did not want the floor. `kind` is "" where there was not even speech."""

    kind: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Interrupt:
    """The user wants the floor: the reply must stop."""

    reason: str


@dataclass(frozen=True, slots=True)
class SayBackchannel:
    """Show the user that the agent listens."""

    text: str


@dataclass(frozen=True, slots=True)
class BeIdle:
    """Nobody has spoken for long. `action` is "prompt" (with `text`), "away" or "end"."""

    action: str
    text: str = ""


Decision = (
    StartTurn | EndTurn | Speculate | DropSpeculation | PauseVoice | ResumeVoice | Interrupt
    | SayBackchannel | BeIdle
)  # fmt: skip
