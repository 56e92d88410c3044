"""What goes into a model that hears and speaks, and what comes out of it.

The list is closed, and the same for all vendors.

A `RealtimeModel` (`ports.py`) gets inputs and yields events. A conversation's events are

    (UserSpeaks | UserHeard | UserCutIn | Consumed | Faulted)*        at any time
    (ResponseBegan, (Voice | AgentWords | ToolCall)*, ResponseOver)*  one response after another

Every ResponseBegan has one ResponseOver. A model that detects turns yields UserSpeaks(True) and
UserSpeaks(False) around each turn of the user, before the response to it begins.

What each vendor is told of an input, and which of its messages an event comes from. Empty: there is none.
`UserWentOn` is for models such as `Composite`, whose recogniser hears each utterance by itself.

| what            | OpenAI and its dialects   | GPT-Live           | Gemini Live         | Nova Sonic     |
| --------------- | ------------------------- | ------------------ | ------------------- | -------------- |
| `UserSound`     | input_audio_buffer.append | input_audio.append | realtimeInput.audio | audioInput     |
| `SpeechBegan`   |                           |                    | activityStart       |                |
| `UserWentOn`    |                           |                    |                     |                |
| `SpeechOver`    | input_audio_buffer.commit |                    | with Respond        |                |
| `Discard`       | input_audio_buffer.clear  |                    | nothing was sent    |                |
| `UserPicture`   | conversation.item.create  | item.create        | realtimeInput.video |                |
| `UserWords`     | conversation.item.create  | item.create        | with Respond        | with Respond   |
| `Respond`       | response.create           | response.create    | activityEnd         | textInput      |
| `Say`           | response.create           | commentary.append  | clientContent       | textInput      |
| `CutShort`      | cancel, item.truncate     |                    | activityStart       |                |
| `ToolOutput`    | conversation.item.create  | item.create        | toolResponse        | toolResult     |
| `Remember`      | session.update            | session.update     | new connection      | new session    |
| `UserSpeaks`    | speech_started, -stopped  | input_transcript   | inputTranscription  | USER text      |
| `UserCutIn`     | speech_started            | its voice stops    | interrupted         | INTERRUPTED    |
| `UserHeard`     | input_audio_transcription | input_transcript   | inputTranscription  | USER text      |
| `ResponseBegan` | response.created          | output_audio       | the first output    | contentStart   |
| `Voice`         | output_audio.delta        | output_audio       | modelTurn           | audioOutput    |
| `AgentWords`    | output_audio_transcript   | output_transcript  | outputTranscription | ASSISTANT text |
| `ToolCall`      | output_item.done          | response.event     | toolCall            | toolUse        |
| `ResponseOver`  | response.done             | its voice ends     | turnComplete        | END_TURN       |
| `Consumed`      | response.done             | usage.updated      | usageMetadata       | usageEvent     |
| `Faulted`       | error                     | error              |                     |                |

Azure, Voice Live, xAI, Inworld and Qwen-Omni speak OpenAI's dialects. OpenAI, Gemini Live and Nova Sonic are
only asked to `Say` something, and may say it in other words; xAI (force_message) and Voice Live
(pre_generated_assistant_message) say exactly that. xAI and Qwen-Omni cannot truncate. GPT-Live tells no
turns, so they are found in its transcripts and its voice.

Gemini Live is told of speech over the agent only once it interrupts. Typed words are clientContent there, as
is what stops a model that detects turns; voiceActivity tells of the user's speech on Vertex alone.

| what            | Ultravox               | Hume EVI          | Unmute                    | Moshi    |
| --------------- | ---------------------- | ----------------- | ------------------------- | -------- |
| `UserSound`     | binary                 | audio_input       | input_audio_buffer.append | kind 1   |
| `SpeechBegan`   |                        |                   |                           |          |
| `UserWentOn`    |                        |                   |                           |          |
| `SpeechOver`    |                        |                   |                           |          |
| `Discard`       |                        |                   |                           |          |
| `UserPicture`   |                        |                   |                           |          |
| `UserWords`     | with Respond           | with Respond      |                           |          |
| `Respond`       | user_text_message      | user_input        | it fails                  | it fails |
| `Say`           | forced_agent_message   | assistant_input   | it fails                  | it fails |
| `CutShort`      | user_text_message      |                   |                           |          |
| `ToolOutput`    | client_tool_result     | tool_response     |                           |          |
| `Remember`      | new call               | session_settings  | session.update            |          |
| `UserSpeaks`    | transcript, state      | user_message      | speech_started, -stopped  | loudness |
| `UserCutIn`     | playback_clear_buffer  | user_interruption | interrupted_by_vad        |          |
| `UserHeard`     | transcript             | user_message      | input_audio_transcription |          |
| `ResponseBegan` | state                  | assistant_message | response.created          | kind 2   |
| `Voice`         | binary                 | audio_output      | response.audio.delta      | kind 1   |
| `AgentWords`    | transcript             | assistant_message | response.text.delta       | kind 2   |
| `ToolCall`      | client_tool_invocation | tool_call         |                           |          |
| `ResponseOver`  | state                  | assistant_end     | response.audio.done       | no words |
| `Consumed`      |                        |                   |                           |          |
| `Faulted`       |                        | error             | error                     |          |

Unmute is OpenAI's beta in part. Moshi's messages are binary: 1 is sound, 2 is text.

Where CutShort is empty, the vendor speaks on and is not listened to. A model that does not say that a turn is
over (Gemini Live, Nova Sonic, Moshi) says it by its answer. A response is also over once it has called tools,
for Gemini Live, Nova Sonic, Ultravox and Hume.
"""

from typing import Literal, TypeAlias

from ..context import Context, Image
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
    "UserWentOn",
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
class UserWentOn:
    """The user speaks again within the same turn, after a pause of `after` seconds."""

    after: float


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
    UserSound | SpeechBegan | UserWentOn | SpeechOver | Discard | UserPicture | UserWords | Respond | Say
    | CutShort | ToolOutput | Remember
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

    error: Exception


RealtimeEvent: TypeAlias = (
    UserSpeaks | UserCutIn | UserHeard | ResponseBegan | Voice | AgentWords | ToolCall | ResponseOver
    | Consumed | Faulted
)  # fmt: skip
