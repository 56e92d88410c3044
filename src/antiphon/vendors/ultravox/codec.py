"""What Ultravox says, as events, and what it is told.

https://docs.ultravox.ai/apps/datamessages
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from ...context import Context
from ...services.openai_realtime_response import tool_call_id
from ...services.realtime_codec import CodecEvent, MessagesToSend, RealtimeCodec, RealtimeReady
from ...services.realtime_vocabulary import (
    AgentWords,
    CutShort,
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
from ...services.vendor_values import fields, json_object, json_text, number, string
from ...services.websocket_client import Message
from ...signals import ToolCall

__all__ = ["UltravoxCodec"]

RECENT = 16  # messages of which more words may come
PING = json_text(type="ping", timestamp=0.0)


class UltravoxCodec(RealtimeCodec):
    """One call, which the vendor ends after `lasts` seconds."""

    def __init__(self, lasts: float) -> None:
        self.lasts = lasts
        self._fixed: tuple[object, ...] = ()
        self._words: list[str] = []  # typed, until an answer is wanted
        self._calls = set[str]()  # tools without a result
        self._calling = False  # whether more calls may follow in this response
        self._asked = False  # whether the vendor owes a response
        self._responding = self._cut = False
        self._thinking = False  # whether an answer is about to begin
        self._said: dict[object, str] = {}  # words of both, by the number of the message
        self._turns = 0
        self._speaking = False
        self._begun = False  # whether a turn has begun that was not answered
        self._wordless = False  # whether the words of the last turn are still to come

    def begin(self, context: Context) -> Iterable[Message]:
        self._fixed = (context.instructions, context.tools)
        return ()

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserSound(pcm):
                yield pcm
            case UserWords(text):
                self._words.append(text)
            case Respond():
                text, self._words, self._asked = "\n".join(self._words), [], True
                yield json_text(type="user_text_message", text=text, urgency="soon")
            case Say(text):
                self._asked = True
                yield json_text(type="forced_agent_message", content=text, urgency="soon")
            case CutShort() if self._responding and not self._cut:
                self._cut = True
                yield json_text(type="user_text_message", text="", urgency="immediate", deferResponse=True)
            case ToolOutput(id, _, output) if id in self._calls:
                self._calls.discard(id)
                self._asked = not self._calls
                yield json_text(type="client_tool_result", invocationId=id, result=output,
                                responseType="tool-response", agentReaction="speaks")  # fmt: skip
            case Remember(context):
                self.outdated = self._fixed != (context.instructions, context.tools)
            case _:
                pass

    def end(self) -> Iterable[Message]:
        yield json_text(type="hang_up")

    def read(self, message: Message) -> Iterable[CodecEvent]:
        if isinstance(message, bytes):
            yield from self._voice(message)
            return
        told = json_object(message)
        match told.get("type"):
            case "call_started" | "state" as kind:
                yield RealtimeReady()
                yield from self._state(told.get("state")) if kind == "state" else ()
            case "transcript" if told.get("role") == "user" and told.get("medium") != "text":
                yield from self._heard(self._whole(told).strip(), bool(told.get("final")))
            case "transcript" if told.get("role") == "agent":
                yield from self._says(told)
            case "client_tool_invocation":
                yield from self._called(told)
            case "pong":
                yield from self._over(self._calling)
            case "playback_clear_buffer" if not self._cut:
                self._cut = self._responding
                yield from self._speaks(True)
                yield UserCutIn()
            case _:
                pass

    def _state(self, state: object) -> Iterator[CodecEvent]:
        self._thinking = state == "thinking"
        if state != "speaking":
            yield from self._over(self._responding and not self._calling)
        if state == "thinking" and not self._asked:
            yield from self._turn_over()
        elif state == "speaking":
            yield from self._began()

    @property
    def _due(self) -> bool:
        """True if what the agent says begins an answer; else it trails one that is over."""
        return self._asked or (self._thinking and not self._calls)

    def _voice(self, pcm: bytes) -> Iterator[CodecEvent]:
        if self._due:
            yield from self._began()
        if self._responding and not self._cut:  # else it trails a response that is over
            yield Voice(pcm[: len(pcm) // 2 * 2])

    def _says(self, told: dict[str, Any]) -> Iterator[CodecEvent]:
        said, whole = self._said.get(number(told.get("ordinal")), ""), self._whole(told)
        yield from self._began() if self._due and not said else ()
        if self._responding and whole.startswith(said) and whole != said:
            yield AgentWords(whole.removeprefix(said))

    def _whole(self, told: dict[str, Any]) -> str:
        """Return all words of a message so far, which come whole or one after another."""
        ordinal = number(told.get("ordinal"))
        whole = string(told.get("text")) or self._said.pop(ordinal, "") + string(told.get("delta"))
        self._said[ordinal] = whole
        if len(self._said) > RECENT:
            del self._said[next(iter(self._said))]
        return whole

    def _called(self, told: dict[str, Any]) -> Iterator[CodecEvent]:
        """Yield a call.

        More may follow at once, so the response is over at the answer to a ping, which comes after them.
        """
        yield from self._began()
        call = string(told.get("invocationId")) or tool_call_id()
        self._calls.add(call)
        if not self._calling:
            self._calling = True
            yield MessagesToSend((PING,))
        yield ToolCall(call, string(told.get("toolName")), json.dumps(fields(told.get("parameters"))))

    # Where turns and responses begin and end

    def _began(self) -> Iterator[CodecEvent]:
        if not self._responding:
            if not self._asked:
                yield from self._turn_over()
            self._responding, self._asked = True, False
            self._thinking = self._cut = self._begun = False
            yield ResponseBegan()

    def _over(self, over: bool) -> Iterator[CodecEvent]:
        if over:
            cut, self._responding, self._calling, self._cut = self._cut, False, False, False
            self._wordless = self._wordless and self._begun
            yield ResponseOver("cancelled" if cut else "completed")

    def _heard(self, text: str, final: bool) -> Iterator[CodecEvent]:
        if not self._wordless:
            yield from self._speaks(True)
        self._wordless = not final
        yield UserHeard(self._turns - 1, text, final)
        if final:
            self._thinking = True
            yield from self._speaks(False)

    def _turn_over(self) -> Iterator[CodecEvent]:
        """Tell that a turn is over, and that it has begun if there was no sign of it."""
        if not self._begun:
            yield from self._speaks(True)
        yield from self._speaks(False)

    def _speaks(self, speaking: bool) -> Iterator[CodecEvent]:
        if speaking != self._speaking:
            self._speaking = speaking
            if speaking:
                self._turns += 1
                self._begun = self._wordless = True
            yield UserSpeaks(speaking)
