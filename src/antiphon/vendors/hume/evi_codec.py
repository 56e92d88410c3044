"""What Hume's EVI says, as events, and what it is told.

https://dev.hume.ai/reference/speech-to-speech-evi/chat
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

from ...context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from ...encodable import to_json
from ...errors import AuthenticationError, BadResponseError, RateLimitError, UnavailableError
from ...services.openai_realtime_response import tool_call_id
from ...services.realtime_codec import CodecEvent, RealtimeCodec, RealtimeReady, Resumable
from ...services.realtime_vocabulary import (
    AgentWords,
    CutShort,
    Faulted,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    ToolOutput,
    UserCutIn,
    UserHeard,
    UserSound,
    UserSpeaks,
    UserWords,
    Voice,
)
from ...services.vendor_values import fields, json_object, json_text, string
from ...services.websocket_client import Message
from ...signals import ToolCall
from .evi_sound import SoundInOrder

__all__ = ["INPUT_RATE", "EVICodec"]

INPUT_RATE = 16000
GO_ON = "[Go on.]"  # asks for an answer to nothing new
SO_FAR = "\n\nThe conversation so far, which goes on now:\n"
ENDED = ("timeout", "duration", "inactivity")  # in the names of errors with which a chat ends


class EVICodec(RealtimeCodec):
    """One chat."""

    lasts = 1800.0

    def __init__(self, *, resumes: bool) -> None:
        self.carries_context = resumes
        self._before = ""
        self._fixed: tuple[object, ...] = ()
        self._words: list[str] = []  # typed, until an answer is wanted
        self._due = False  # whether an answer may begin; else it trails one that is over
        self._responding = False
        self._cut = False
        self._said = False  # whether the response has words
        self._sound = SoundInOrder()
        self._turns = 0
        self._speaking: bool = False

    def begin(self, context: Context) -> Iterable[Message]:
        told = "" if self.carries_context else "\n".join(map(_told, context.entries))
        self._before = SO_FAR + told if told else ""
        sound = {"encoding": "linear16", "sample_rate": INPUT_RATE, "channels": 1}
        yield self._settings(context, audio=sound)

    def _settings(self, context: Context, **more: object) -> Message:
        self._fixed = (context.instructions, context.tools)
        tools = [
            {"type": "function", "name": tool.name, "description": tool.description,
             "parameters": to_json(tool.parameters).decode()}
            for tool in context.tools
        ]  # fmt: skip
        prompt = context.instructions + self._before
        return json_text(type="session_settings", system_prompt=prompt, tools=tools, **more)

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserSound(pcm):
                yield json_text(type="audio_input", data=b64encode(pcm).decode())
            case UserWords(text):
                self._words.append(text)
            case Respond():
                text, self._words, self._due = "\n".join(self._words) or GO_ON, [], True
                yield json_text(type="user_input", text=text)
            case Say(text):
                self._due = True
                yield json_text(type="assistant_input", text=text)
            case CutShort():
                self._cut = self._responding
            case ToolOutput(id, name, output):
                self._due = True
                yield json_text(type="tool_response", tool_call_id=id, tool_name=name, content=output)
            case Remember(context) if self._fixed != (context.instructions, context.tools):
                yield self._settings(context)
            case _:
                pass

    def read(self, message: Message) -> Iterable[CodecEvent]:
        told = json_object(message)
        match told.get("type"):
            case "chat_metadata":
                yield Resumable(string(told.get("chat_group_id")))
                yield RealtimeReady()
            case "user_message" if not told.get("from_text"):
                yield from self._heard(string(fields(told.get("message")).get("content")), told)
            case "user_interruption":
                yield from self._speaks(True)
                yield UserCutIn()
                self._cut, self._due = True, False
                yield from self._over()
            case "assistant_message" if self._begins:
                yield from self._began()
                text = string(fields(told.get("message")).get("content"))
                yield AgentWords(" " * self._said + text)
                self._said = True
            case "audio_output" if self._begins:
                yield from self._began()
                for pcm in self._sound.take(told):
                    if not self._cut:
                        yield Voice(pcm)
            case "tool_call" if told.get("response_required", True):
                yield from self._began()
                call, arguments = string(told.get("tool_call_id")), string(told.get("parameters")) or "{}"
                call = call or tool_call_id()
                yield ToolCall(call, string(told.get("name")), arguments)
                yield from self._over()
            case "assistant_end":
                for pcm in self._sound.rest():
                    if self._responding and not self._cut:
                        yield Voice(pcm)
                yield from self._over()
            case "error":
                yield self._error(f"{told.get('code')} {told.get('slug')}", string(told.get("message"))[:300])
            case _:
                pass

    @property
    def _begins(self) -> bool:
        return self._due or self._responding

    def _heard(self, text: str, told: dict[str, Any]) -> Iterator[CodecEvent]:
        yield from self._speaks(True)
        yield UserHeard(self._turns - 1, text.strip(), not told.get("interim"))
        if not told.get("interim"):
            self._due = True
            yield from self._speaks(False)

    def _speaks(self, speaking: bool) -> Iterator[CodecEvent]:
        if speaking != self._speaking:
            self._speaking = speaking
            self._turns += int(speaking)
            yield UserSpeaks(speaking)

    def _began(self) -> Iterator[CodecEvent]:
        if not self._responding:
            self._responding, self._due, self._cut, self._said = True, False, False, False
            yield ResponseBegan()

    def _over(self) -> Iterator[CodecEvent]:
        if self._responding:
            self._responding = False
            self._sound.rest()
            yield ResponseOver("cancelled" if self._cut else "completed")

    def _error(self, name: str, said: str) -> Faulted:
        error = f"hume: {name}: {said}"
        if any(word in name + said.lower() for word in ENDED):
            raise UnavailableError(error)
        if "auth" in name or "api key" in said.lower():
            raise AuthenticationError(error)
        return Faulted(RateLimitError(error) if "limit" in name else BadResponseError(error))


def _told(entry: Entry) -> str:
    match entry:
        case UserSaid(text):
            return f"User: {text}"
        case AgentSaid(text, calls):
            return "\n".join(
                [f"You: {text}", *(f"[You called {call.name}: {call.arguments}]" for call in calls)]
            )
        case ToolAnswered(call, result):
            return f"[{call.name} returned: {result}]"
