"""Everything that moves through a session; signals are on `signals.py`.

A frame flows one way, from the transport's input to its output. The next part that handles its exact type
is called with it; every other part is skipped. A signal is a fact that parts on both sides of its origin
need: every part that subscribed to its type is called. Signals can be imported from here as well. Frames and
signals are immutable.

Audio is `bytes` of little-endian 16-bit mono samples. Times are float seconds on the session's clock,
which starts at 0; durations are float seconds, media positions integer samples, text offsets characters.

`flow.py` says how audio and pictures are queued and recorded.
"""

from typing import Any

from . import signals
from .context import Context, ToolCall
from .flow import Audio, Frame, Picture, Signal, frame, replace
from .signals import *  # noqa: F403  the list of them stands there

__all__ = ["Frame", "Signal", "ToolCall", "frame", "replace"]
__all__ += signals.__all__


# The user, as media ----------------------------------------------------------------------------------


@frame
class UserAudio(Audio):
    """Audio from the user's microphone; `at` is the position of its first sample."""

    late = "drop oldest"

    pcm: bytes
    sample_rate: int
    at: int


@frame
class UserText(Frame):
    """Text that the user typed; if not `aloud`, the reply is text and not spoken."""

    text: str
    aloud: bool = True


@frame
class ContextNote(Frame):
    """Words of the user that the model reads with the next turn.

    They get no reply; if `answered`, they get one as soon as nobody speaks.
    """

    text: str
    answered: bool = False


@frame
class UserKey(Frame):
    """A key of the telephone keypad: one of 0-9, *, #, A-D."""

    key: str


@frame
class UserVideo(Picture):
    """A picture of the user's camera or screen, taken at second `at`.

    `pixels` is planar I420: width * height bytes of Y, then a quarter as many of U and of V. Width and height
    are even.
    """

    late = "drop oldest"

    pixels: bytes
    width: int
    height: int
    at: float
    source: str = "camera"  # or "screen"


@frame
class ClientMessage(Frame):
    """Data from the client's program.

    With an `id` it is a request: answer it with a ServerMessage.
    """

    type: str
    data: Any = None
    id: str = ""


# The user, as facts ----------------------------------------------------------------------------------


# What the VAD says carries `judged`: the end of the audio that had been judged by then, if known. On a
# machine that is late this is well before now, and nothing is known about the time between the two.


@frame
class SoundHeard(Frame):
    """A sound since `at` that may become speech; `gone` if it did not."""

    at: float
    gone: bool = False
    judged: float | None = None


@frame
class SpeechStarted(Frame):
    """Speech has been detected; `at` is when it began, a little before now."""

    at: float
    judged: float | None = None


@frame
class SpeechPaused(Frame):
    """The user has been quiet since `at`, and may have stopped.

    `sounded` is when the last sound ended, if known.
    """

    at: float
    sounded: float | None = None
    judged: float | None = None


@frame
class SpeechResumed(Frame):
    """The user went on after a SpeechPaused: still the same stretch of speech."""

    at: float
    judged: float | None = None


@frame
class SpeechStopped(Frame):
    """The user has stopped speaking, at `at`. `sounded` as in SpeechPaused."""

    at: float
    sounded: float | None = None
    judged: float | None = None


@frame
class AudioJudged(Frame):
    """The VAD has judged all audio up to the time `judged`.

    All speech before that time has been told. The VAD pushes this when the first audio comes, and in answer
    to AudioAwaited.
    """

    judged: float


@frame
class Transcript(Frame):
    """Words of the user, spoken from `started` to `ended`.

    They may still change unless the transcript is `final`.
    """

    text: str
    final: bool
    started: float = 0.0
    ended: float = 0.0
    language: str | None = None


@frame
class UtteranceLost(Frame):
    """No words will come of what the user said from `started` to `ended`.

    The service failed, and no other could take its place.
    """

    started: float
    ended: float


@frame
class ScoreAsked(Frame):
    """The end-of-turn model has been asked about the quiet since `at`.

    A TurnScored follows, unless speech goes on; if the model `failed`, none does.
    """

    at: float
    failed: bool = False


@frame
class TurnScored(Frame):
    """Probability (0 to 1) that the user, quiet since `at`, has finished the turn."""

    probability: float
    at: float


@frame
class TurnHinted(Frame):
    """The probability that the turn is over, from the vendor's own turn detection.

    0 retracts an earlier guess. `final` if the vendor has decided.
    """

    probability: float
    at: float
    final: bool = False


@frame
class TalkButton(Frame):
    """The user presses or releases the push-to-talk button."""

    pressed: bool


@frame
class EagerTurn(Frame):
    """The user has probably finished: a reply may be prepared.

    It is not heard before the UserTurn.
    """

    text: str
    started: float
    ended: float
    reason: str = ""


@frame
class EagerTurnDropped(Frame):
    """The EagerTurn was wrong: discard what was prepared for it.

    The user went on, or said something else.
    """

    reason: str = ""


@frame
class UserTurn(Frame):
    """The user has finished: all that was said, from the first word to the last."""

    text: str
    started: float
    ended: float
    reason: str = ""
    words_late: bool = False
    """True if its words are still to come, or may change: a final Transcript of the same time has them."""


@frame
class TurnLost(Frame):
    """The user has finished, but no word could be recognised: see `UtteranceLost`."""

    started: float
    ended: float


# A reply: ReplyStarted, Prompt, (Text | TextEnded(more) | ToolCalled)*, TextEnded, AudioEnded, ReplyEnded


@frame
class Prompt(Frame):
    """A request to the language model to begin or continue `reply`."""

    reply: int
    context: Context


@frame
class Prime(Frame):
    """A request to the language model to cache what later prompts begin with.

    Those prompts are then answered sooner. If `eager`, its last entry may still change.
    """

    context: Context
    eager: bool = False


@frame
class Text(Frame):
    """A piece of what the agent says; `at` is its offset in the reply's text."""

    reply: int
    text: str
    at: int


@frame
class TextEnded(Frame):
    """One generation is over: speak all of its text.

    With `more`, the reply goes on once its tools have run.
    """

    reply: int
    more: bool = False


@frame
class SegmentStarted(Frame):
    """The audio that follows speaks the reply's text from `start` to `end`."""

    reply: int
    start: int
    end: int


@frame
class WordTimed(Frame):
    """A word's time: text up to `end` is spoken at sample `at` of the segment.

    `at` is counted at the sample rate of the vendor's audio.
    """

    reply: int
    end: int
    at: int


@frame
class Backchannel(Frame):
    """Something short to say while the user speaks, such as "mhm".

    It belongs to no reply and is not added to the context.
    """

    text: str


@frame
class AgentAudio(Audio):
    """A piece of the agent's voice.

    After playout, `at` is its position on the session's output timeline. `reply` is 0 for sounds outside of
    replies: backchannels and background sound.
    """

    reply: int
    pcm: bytes
    sample_rate: int
    at: int = 0


@frame
class SegmentEnded(Frame):
    """The audio of the current segment is complete.

    `end` is the text offset that was spoken up to, if the voice failed before the end of the segment.
    """

    reply: int
    end: int | None = None


@frame
class AudioEnded(Frame):
    """The audio of the whole reply is complete."""

    reply: int


@frame
class AgentVideo(Picture):
    """A picture that the agent shows at second `at`, laid out like UserVideo.

    `at` counts on the output timeline.
    """

    pixels: bytes
    width: int
    height: int
    at: float = 0.0


@frame
class AgentKeys(Frame):
    """Keypad tones for the transport to send: 0-9, *, #, A-D."""

    keys: str


@frame
class Transfer(Frame):
    """A request to transfer the call to `to`, a number or SIP address.

    This session then ends. A `warm` transfer calls the other side first, plays `announcement` to it, and
    connects it once it has answered.
    """

    to: str
    warm: bool = False
    announcement: str = ""


@frame
class ServerMessage(Frame):
    """Data for the client, or the answer to one of its requests.

    `answers` is the id of that request; if it `failed`, `data` says why.
    """

    data: Any
    answers: str = ""
    failed: bool = False
