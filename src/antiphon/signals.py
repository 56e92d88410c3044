"""Every signal, on one page: facts that parts on both sides of their origin need.

A signal is delivered to every part that subscribed to its type, in one order (`delivery.py`). Import signals
from `antiphon.frames`, which has them all.
"""

from typing import Literal

from .context import ToolCall
from .flow import Signal, frame

__all__ = [
    "AnswerDelayed",
    "AnswerPaced",
    "AudioAwaited",
    "CallAnswered",
    "Failed",
    "FalseInterruption",
    "Generated",
    "Interrupted",
    "Measured",
    "PlayoutPaused",
    "PlayoutReached",
    "PlayoutResumed",
    "PlayoutStarted",
    "Remarked",
    "ReplyCommitted",
    "ReplyEnded",
    "ReplyStarted",
    "ResponseOffered",
    "ServiceChanged",
    "SessionEnded",
    "SessionStarted",
    "ToolEnded",
    "ToolReported",
    "ToolStarted",
    "Usage",
    "UserIdle",
    "UserTurnStarted",
    "VoiceCutOff",
]


@frame
class SessionStarted(Signal):
    """All parts are ready."""


@frame
class SessionEnded(Signal):
    """The session is over; nothing comes after this but what its services consumed."""

    reason: str


@frame
class UserTurnStarted(Signal):
    """The user has taken the floor; `at` is when the speech began."""

    at: float


@frame
class AudioAwaited(Signal):
    """Turn taking must know whether there was speech up to the time `until`.

    The VAD answers with AudioJudged once it has judged that audio, or found the line silent.
    """

    until: float


@frame
class UserIdle(Signal):
    """Nobody has spoken for this many seconds.

    `action` is what happens: "prompt", "away" or "end".
    """

    seconds: float
    action: str


@frame
class ReplyStarted(Signal):
    """Work for a reply begins; everything made for it carries this number.

    A `speculative` reply answers an EagerTurn: nothing of it is heard before it is committed.
    """

    reply: int
    speculative: bool = False


@frame
class ReplyCommitted(Signal):
    """The speculative reply became the answer; it was begun `saved` seconds early."""

    reply: int
    saved: float = 0.0


@frame
class AnswerPaced(Signal):
    """An asynchronous response timing has decided how long the answer waits.

    The answer of `part` is heard `seconds` after the user's last sound at the earliest.
    """

    part: str
    seconds: float
    reason: str = ""


@frame
class AnswerDelayed(Signal):
    """The model has written nothing for a while, although its answer is not complete."""

    reply: int


@frame
class Generated(Signal):
    """The model has finished one generation.

    With `calls`, the reply goes on once those tools have run.
    """

    reply: int
    calls: tuple[ToolCall, ...] = ()
    failed: bool = False


@frame
class ResponseOffered(Signal):
    """The model of a Realtime stage, `part`, begins a response.

    It is for the reply that asked for one; if none did, it is a reply of its own.
    """

    part: str


@frame
class Remarked(Signal):
    """The model of a Listener stage, `part`, says something about what was said.

    It may say nothing.
    """

    part: str
    about: Literal["user", "agent"]
    text: str


@frame
class VoiceCutOff(Signal):
    """The model of a Realtime stage, `part`, has stopped since it hears the user."""

    part: str


@frame
class ToolStarted(Signal):
    """A tool starts to run."""

    reply: int
    call: ToolCall


@frame
class ToolEnded(Signal):
    """A tool has returned or failed; `result` is what the model reads."""

    reply: int
    call: ToolCall
    result: str
    failed: bool = False


@frame
class ToolReported(Signal):
    """A tool that ran in the background is over, long after its ToolEnded."""

    call: ToolCall
    result: str
    failed: bool = False


@frame
class PlayoutStarted(Signal):
    """The first sample of a reply is being played."""

    reply: int


@frame
class PlayoutReached(Signal):
    """The far end has played up to sample `at` of the output timeline.

    It has returned the mark that was sent there.
    """

    at: int


@frame
class PlayoutPaused(Signal):
    """The reply's voice is paused: transports discard what they have buffered of it."""

    reply: int


@frame
class PlayoutResumed(Signal):
    """The reply's voice goes on where it was paused."""

    reply: int


@frame
class FalseInterruption(Signal):
    """The user made a sound while the agent spoke, but was not taking the floor.

    `kind` is "backchannel", "noise" or "echo".
    """

    reply: int
    kind: str
    text: str = ""


@frame
class Interrupted(Signal):
    """The reply was cut off; `heard` is how many characters of its text were heard."""

    reply: int
    heard: int
    reason: str


@frame
class ReplyEnded(Signal):
    """A reply is over; `heard` is the part of its `text` that was heard.

    If `speculative`, it was never committed.
    """

    reply: int
    text: str
    heard: str
    interrupted: bool
    reason: str = ""
    speculative: bool = False


@frame
class Failed(Signal):
    """A part failed; the session goes on.

    `error` is the name of the exception's class, `message` its text. `recovered`: nothing is lost, because
    the work is done again: by the next alternative in a `Switch` or, if `retried`, by the part itself.
    `resume_at`: the offset in the reply's text from which another voice can go on.
    """

    part: str
    error: str
    message: str
    reply: int | None = None
    retryable: bool = False
    recovered: bool = False
    retried: bool = False
    resume_at: int | None = None


@frame
class ServiceChanged(Signal):
    """A part has opened another service, which takes over when the part is free.

    `service` is its name, or its class if it was given as an object.
    """

    part: str
    service: str


@frame
class CallAnswered(Signal):
    """Who or what answered the call that the agent made, and how that is known.

    A "menu" may be followed by another CallAnswered, once a key press has led to somebody.
    """

    who: Literal["person", "assistant", "voicemail", "menu"]
    reason: str
    at: float


@frame
class Usage(Signal):
    """What the service of a part consumed, in a unit.

    Of a language model: "tokens read" (with those cached and stored), "tokens written", "tokens cached",
    "tokens stored", "answers uncounted" (the vendor did not say how many tokens). Of speech to text: "seconds
    heard", or "seconds open" if the vendor bills the connection. Of text to speech: "characters spoken" (all
    that the vendor was given), "seconds spoken". Of a realtime model: "seconds of conversation", or
    tokens of "text", "audio" and "image": "audio tokens read" (with those cached), "audio tokens written",
    "audio tokens cached". Of turn taking: "characters written in vain".
    """

    part: str
    unit: str
    amount: float
    reply: int | None = None
    vendor: str = ""
    model: str = ""


@frame
class Measured(Signal):
    """The seconds that a step towards a reply took; `what` names the step."""

    part: str
    what: str
    seconds: float
    reply: int | None = None
