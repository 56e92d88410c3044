"""What goes into a model that hears and speaks, and what comes out of it.

The list is closed, and the same for all vendors.

A `RealtimeModel` (`ports.py`) gets inputs and yields events. A conversation's events are

    (UserSpeaks | UserHeard | UserCutIn | Consumed | Faulted)*        at any time
    (ResponseBegan, (Voice | AgentWords | ToolCall)*, ResponseOver)*  one response after another

Every ResponseBegan has one ResponseOver. A model that detects turns yields UserSpeaks(True) and
UserSpeaks(False) around each turn of the user, before the response to it begins.

| what | OpenAI, Azure, xAI, Inworld | Gemini Live | Nova Sonic | Ultravox | Hume |
| --- | --- | --- | --- | --- | --- |
| `SpeechBegan` | (nothing) | activityStart | | | |
| `SpeechOver` | input_audio_buffer.commit | (with Respond) | | | |
| `Discard` | input_audio_buffer.clear | (nothing) | | | |
| `Respond` | response.create | activityEnd | | | |
| `CutShort` | response.cancel, item.truncate | activityStart | | user_text_message | (nothing) |
| `Say` | response.create, in other words | clientContent | | forced_agent_message | assistant_input |
| `UserSpeaks` | speech_started, speech_stopped | transcript, answer | USER text | transcript | user_message |
| `UserHeard` | transcription.delta, completed | inputTranscription | USER FINAL | transcript | user_message |
| `UserCutIn` | speech_started | interrupted | INTERRUPTED | playback_clear_buffer | user_interruption |
| `AgentWords` | output_audio_transcript | outputTranscription | ASSISTANT | transcript | assistant_message |
| `ResponseOver` | response.done | turnComplete | END_TURN | state | assistant_end |

Qwen-Omni is as OpenAI. xAI and Qwen-Omni cannot truncate; xAI and Azure's Voice Live say exactly what they
must. GPT-Live has commentary.append for `Say`, and transcripts for words; all else is found in its sound.
"""

from typing import Literal, TypeAlias

from ..context import Context, Image
from ..errors import TheyErred
from ..flow import frame
from ..signals import ToolCall

__all__ = [
    "AgentWords",
    "Consumed",
    "CutShort",
    "Discard",
    "Faulted",
    "RealtimeEvent",
    "RealtimeInput",
    "Remember",
    "Respond",
    "ResponseBegan",
    "ResponseOver",
    "Say",
    "SpeechBegan",
    "SpeechOver",
    "ToolOutput",
    "UserCutIn",
    "UserHeard",
    "UserPicture",
    "UserSound",
    "UserSpeaks",
    "UserWords",
    "Voice",
]

# What goes in ----------------------------------------------------------------------------------------


@frame
class UserSound:
    """Mono 16-bit samples of the user at the model's `input_rate`."""

    pcm: bytes


@frame
class SpeechBegan:
    """The user takes a turn, by our judgement; its sound follows."""


@frame
class SpeechOver:
    """The user's turn is over, by our judgement: the model takes it into its context."""


@frame
class Discard:
    """What was heard since SpeechBegan was not meant for the model."""


@frame
class UserPicture:
    """A picture of the user's camera or screen."""

    image: Image


@frame
class UserWords:
    """Words that the user typed, or a note; a Respond follows if an answer is wanted."""

    text: str


@frame
class Respond:
    """Answer now: a user's turn, or the results of tools."""


@frame
class Say:
    """Say exactly this."""

    text: str


@frame
class CutShort:
    """The response was cut off after `heard` seconds of its voice.

    Stop making it, and forget what was not heard.
    """

    heard: float


@frame
class ToolOutput:
    """What a tool has returned, for the call of this id."""

    id: str
    name: str
    output: str


@frame
class Remember:
    """The conversation as it is known now, as far as it was heard.

    A new connection begins from it; instructions and tools that have changed are told to the model.
    """

    context: Context


RealtimeInput: TypeAlias = (
    UserSound | SpeechBegan | SpeechOver | Discard | UserPicture | UserWords | Respond | Say | CutShort
    | ToolOutput | Remember
)  # fmt: skip

# What comes out --------------------------------------------------------------------------------------


@frame
class UserSpeaks:
    """The model hears the user begin to speak, or finish the turn."""

    speaking: bool


@frame
class UserCutIn:
    """The model has stopped its response because it hears the user."""


@frame
class UserHeard:
    """All words so far of one turn of the user, often late.

    `turn` counts the turns that the model heard, from 0.
    """

    turn: int
    text: str
    final: bool


@frame
class ResponseBegan:
    """The model begins a response, asked to or by itself."""


@frame
class Voice:
    """Mono 16-bit samples of the agent's voice at the model's `output_rate`."""

    pcm: bytes


@frame
class AgentWords:
    """The next piece of the response's text.

    `ends_at`: seconds into the response's voice at which it has been spoken, if the model tells that.
    """

    text: str
    ends_at: float | None = None


@frame
class ResponseOver:
    """The response is complete, or ended otherwise; `reason` says why."""

    status: Literal["completed", "cancelled", "incomplete", "failed"] = "completed"
    reason: str = ""


@frame
class Consumed:
    """What the model used since the last one, in a unit of `Usage`.

    `vendor` and `model` are those of another service that it used, such as one that writes down the user's
    words.
    """

    unit: str
    amount: float
    vendor: str = ""
    model: str = ""


@frame
class Faulted:
    """Something failed that does not end the conversation."""

    error: TheyErred


RealtimeEvent: TypeAlias = (
    UserSpeaks | UserCutIn | UserHeard | ResponseBegan | Voice | AgentWords | ToolCall | ResponseOver
    | Consumed | Faulted
)  # fmt: skip
