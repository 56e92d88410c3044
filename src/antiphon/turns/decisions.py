"""Facts, which the turn engine gets besides frames, and its decisions.

Both are data: the engine has no effects.
"""

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
    UtteranceLost,
    frame,
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


@frame
class Deadline:
    """The engine's `deadline` has come."""


@frame
class ReplyBegan:
    """The agent has begun to make a reply that will be heard."""

    interruptible: bool = True


@frame
class ReplyOver:
    """The reply is over; `said` is the part of it that was heard."""

    said: str = ""


@frame
class SpeculationDropped:
    """A speculative reply was dropped after so many characters had been generated."""

    characters: int


@frame
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
    | UtteranceLost | TurnScored | TurnHinted | TalkButton | UserKey | UserText | SessionStarted | Deadline
    | ReplyBegan | ReplyOver | SpeculationDropped | VoiceAt
)  # fmt: skip

# Decisions -------------------------------------------------------------------------------------------


@frame
class StartTurn:
    """The user has taken the floor."""

    at: float


@frame
class EndTurn:
    """The user's turn is over; `text` is "" if it had no words for the agent.

    `lost` means that it had words, which could not be recognised. If `words_late`, it was for the agent, and
    its words are still to come or may change.
    """

    text: str
    started: float
    ended: float
    reason: str
    lost: bool = False
    words_late: bool = False


@frame
class Speculate:
    """The turn is probably over: begin a speculative reply, which is not heard yet."""

    text: str
    started: float
    ended: float
    reason: str


@frame
class DropSpeculation:
    """Drop the speculative reply: the turn was not over, or ended with other words."""

    reason: str


@frame
class PauseVoice:
    """Hold the agent's voice until it is decided who has the floor."""

    reason: str


@frame
class ResumeVoice:
    """The user did not want the floor: let the voice go on.

    `kind` is what the sound was ("backchannel", "noise", "echo"), or "" if it was not even speech.
    """

    kind: str = ""
    text: str = ""


@frame
class Interrupt:
    """The user wants the floor: interrupt the reply."""

    reason: str


@frame
class SayBackchannel:
    """Say a backchannel, such as "mhm", to show that the agent listens."""

    text: str


@frame
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


@frame
class Due:
    """A decision that will be made at `at`, unless a fact changes it before."""

    at: float
    decision: Decision
