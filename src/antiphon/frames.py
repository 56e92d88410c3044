"""Everything that moves through a session, on one page.

A frame flows one way, from the transport's input to its output; the next part that declares its exact
type handles it, and every other part it passes without being called. A signal is a fact that parts on
both sides of its origin need; it goes to every part that subscribed, in one order. Both are final.

Audio is `bytes` of little-endian 16-bit mono samples. Times are float seconds on the session's clock,
which starts at 0; durations are float seconds, media positions integer samples, text offsets characters.
"""

from dataclasses import replace
from typing import Any

from .context import Context, ToolCall
from .frozen import frame

__all__ = ["Frame", "Signal", "ToolCall", "frame", "replace"]


class Frame:
    """Flows downstream to the next part that handles its type."""

    __slots__ = ()


class Signal:
    """Reaches every part that subscribed to its type."""

    __slots__ = ()


# The user, as media ----------------------------------------------------------------------------------


@frame
class UserAudio(Frame):
    """What the microphone heard; `at` is the position of its first sample."""

    pcm: bytes
    sample_rate: int
    at: int


@frame
class UserText(Frame):
    """What the user typed; with `aloud` false, the reply to it is text to be read and is not spoken."""

    text: str
    aloud: bool = True


@frame
class ContextNote(Frame):
    """Words of the user that the model reads with the user's next turn; by themselves they get no reply."""

    text: str


@frame
class UserKey(Frame):
    """A key of the telephone keypad: one of 0-9, *, #, A-D."""

    key: str


@frame
class UserVideo(Frame):
    """A picture of the user's camera or screen, taken `at` seconds.

    `pixels` is planar I420: width * height bytes of Y, then a quarter as many of U and of V; both even.
    """

    pixels: bytes
    width: int
    height: int
    at: float
    source: str = "camera"  # or "screen"


@frame
class ClientMessage(Frame):
    """Data from the client's program; `id` is that of a request, which wants a ServerMessage as answer."""

    type: str
    data: Any = None
    id: str = ""


# The user, as facts ----------------------------------------------------------------------------------


@frame
class SoundHeard(Frame):
    """A sound since `at` that may become speech; with `gone`, it did not."""

    at: float
    gone: bool = False


@frame
class SpeechStarted(Frame):
    """Speech is certain; `at` is when it began, a little earlier than now."""

    at: float


@frame
class SpeechPaused(Frame):
    """Quiet since `at`, not yet for certain. The last sound was over at `sounded`, if that is known."""

    at: float
    sounded: float | None = None


@frame
class SpeechResumed(Frame):
    """The pause was none: the same stretch of speech goes on."""

    at: float


@frame
class SpeechStopped(Frame):
    """Quiet is certain; `at` is when the speech ended. `sounded` is as in SpeechPaused."""

    at: float
    sounded: float | None = None


@frame
class Transcript(Frame):
    """Words of the user. An interim one (`final` false) may change; a final one will not.

    `ended` is up to where the speech was heard for it.
    """

    text: str
    final: bool
    started: float = 0.0
    ended: float = 0.0
    language: str | None = None


@frame
class TurnScored(Frame):
    """How likely it is (0 to 1) that the user, quiet since `at`, has finished the turn."""

    probability: float
    at: float


@frame
class TurnHinted(Frame):
    """What a vendor's own turn detection says, as a probability that the turn is over.

    An eager end of turn is a guess; 0 takes it back; a `final` one is the vendor's decision.
    """

    probability: float
    at: float
    final: bool = False


@frame
class TalkButton(Frame):
    """The user holds the button to talk, or lets it go."""

    pressed: bool


@frame
class EagerTurn(Frame):
    """The user has probably finished: a reply may be begun, and held until the turn is over."""

    text: str
    started: float
    ended: float
    reason: str = ""


@frame
class EagerTurnDropped(Frame):
    """The user went on, or said something else: what was begun for the EagerTurn is of no use."""

    reason: str = ""


@frame
class UserTurn(Frame):
    """The user has finished: what was said, from the first word to the last sample of speech."""

    text: str
    started: float
    ended: float
    reason: str = ""


# A reply: ReplyStarted, Prompt, (Text | TextEnded(more) | ToolCalled)*, TextEnded, AudioEnded, ReplyEnded


@frame
class Prompt(Frame):
    """Ask the language model to go on with `reply`; the conversation's context is what it reads."""

    reply: int
    context: Context


@frame
class Prime(Frame):
    """Let the language model read the beginning of what later prompts will say, so that they start sooner."""

    context: Context


@frame
class Text(Frame):
    """A piece of what the agent says; `at` is its offset in the reply's text."""

    reply: int
    text: str
    at: int


@frame
class TextEnded(Frame):
    """One generation is over. With `more`, speak what there is: the reply goes on after its tools."""

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
    """The vendor's word: text up to `end` is spoken when sample `at` of the current segment is played."""

    reply: int
    end: int
    at: int


@frame
class Backchannel(Frame):
    """Something short to be said while the user speaks, such as "mhm": no reply, and in no context."""

    text: str


@frame
class AgentAudio(Frame):
    """A piece of the agent's voice. Behind playout, `at` is its place on the session's output timeline.

    Reply 0 is a backchannel.
    """

    reply: int
    pcm: bytes
    sample_rate: int
    at: int = 0


@frame
class SegmentEnded(Frame):
    """The audio of the current segment is complete."""

    reply: int


@frame
class AudioEnded(Frame):
    """The audio of the whole reply is complete."""

    reply: int


@frame
class AgentVideo(Frame):
    """A picture that the agent shows, `at` seconds on its output timeline; laid out as UserVideo's."""

    pixels: bytes
    width: int
    height: int
    at: float = 0.0


@frame
class AgentKeys(Frame):
    """Keys for the agent's transport to press, as tones of the telephone keypad: 0-9, *, #, A-D."""

    keys: str


@frame
class Transfer(Frame):
    """Hand the call on to `to`, a number or SIP address, at once; then this session ends.

    `warm`: the other side is called first, hears `announcement`, and is put through once it has answered.
    """

    to: str
    warm: bool = False
    announcement: str = ""


@frame
class ServerMessage(Frame):
    """Data for the client. `answers`: id of the ClientMessage that it answers; `failed`: `data` says why."""

    data: Any
    answers: str = ""
    failed: bool = False


# Signals ---------------------------------------------------------------------------------------------


@frame
class SessionStarted(Signal):
    """All parts are ready."""


@frame
class SessionEnded(Signal):
    """The session is over; nothing comes after this."""

    reason: str


@frame
class UserTurnStarted(Signal):
    """The user has taken the floor; `at` is when the speech began."""

    at: float


@frame
class UserIdle(Signal):
    """Nobody has spoken for this many seconds; `action` is what follows: "prompt", "away" or "end"."""

    seconds: float
    action: str


@frame
class ReplyStarted(Signal):
    """Work for a reply begins; all that is made for it bears this number.

    A `speculative` one answers an EagerTurn: nothing of it is heard before it is committed.
    """

    reply: int
    speculative: bool = False


@frame
class ReplyCommitted(Signal):
    """The turn ended as it was guessed: the speculative reply is the answer. `saved` in seconds."""

    reply: int
    saved: float = 0.0


@frame
class AnswerPaced(Signal):
    """An awaited response timing says: the answer of `part` waits `seconds` from the user's last sound."""

    part: str
    seconds: float
    reason: str = ""


@frame
class Generated(Signal):
    """The model has finished one generation: whole, broken off, or with tools to be called first."""

    reply: int
    calls: tuple[ToolCall, ...] = ()
    failed: bool = False


@frame
class ToolStarted(Signal):
    """A tool begins to run."""

    reply: int
    call: ToolCall


@frame
class ToolEnded(Signal):
    """A tool has returned or failed: `result` is what the model reads."""

    reply: int
    call: ToolCall
    result: str
    failed: bool = False


@frame
class PlayoutStarted(Signal):
    """The first sample of a reply is at the speaker."""

    reply: int


@frame
class PlayoutReached(Signal):
    """The far end says that it has played the output timeline up to sample `at`: a mark has come back."""

    at: int


@frame
class PlayoutPaused(Signal):
    """The reply's voice is held, at once; what the transport still holds of it is to be forgotten."""

    reply: int


@frame
class PlayoutResumed(Signal):
    """The reply's voice goes on where it was held."""

    reply: int


@frame
class FalseInterruption(Signal):
    """`text` of the user over the agent, who did not want the floor: a "backchannel", "noise" or "echo"."""

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
    """A reply is over: what was written, and heard, of it. A `speculative` one was dropped uncommitted."""

    reply: int
    text: str
    heard: str
    interrupted: bool
    reason: str = ""
    speculative: bool = False


@frame
class Failed(Signal):
    """A part failed; the session goes on. `error` is the class of the error, `message` what and why.

    `recovered`: the work is done again, so that nothing is missing: by an alternative in a `Switch` or, where
    it is `retried`, by the part itself.
    """

    part: str
    error: str
    message: str
    reply: int | None = None
    retryable: bool = False
    recovered: bool = False
    retried: bool = False


@frame
class Usage(Signal):
    """What a service consumed: tokens, characters or seconds, as `unit` says."""

    part: str
    unit: str
    amount: float
    reply: int | None = None


@frame
class Measured(Signal):
    """A duration in seconds, for the latency of a reply: `what` names the step that it measures."""

    part: str
    what: str
    seconds: float
    reply: int | None = None
