"""What Gemini Live says, as events, and what it is told.

https://ai.google.dev/api/live

The protocol has no ids, and no event for the begin of a response. The end of one comes late, when its voice
should have been played. The vendor is not told how much of it was heard.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ...context import Context
from ...errors import TheyErred
from ...services.realtime_codec import (
    CodecEvent,
    GoingAway,
    MessagesToSend,
    RealtimeCodec,
    RealtimeReady,
    Resumable,
)
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
    UserWords,
)
from ...services.vendor_values import fields, items, json_object, json_text, string
from ...services.websocket_client import Message
from . import live_messages as messages
from .live_activity import UserActivity
from .live_calls import LiveCalls
from .live_hearing import UserHearing

__all__ = ["GeminiCodec"]


class GeminiCodec(RealtimeCodec):
    """A connection; `setup` makes its first message."""

    lasts = 600.0
    tells_within = 30.0  # often only with the answer

    def __init__(self, setup: Callable[[Context], dict[str, Any]], detects: bool, *, resumes: bool) -> None:
        self.carries_context = resumes
        self._setup = setup
        self._detects = detects
        self._fixed: tuple[object, ...] = ()  # instructions and tools
        self._before: Message | None = None  # the conversation so far, until it was told
        self._user = UserActivity(detects)
        self._hearing = UserHearing(detects)
        self._words: list[str] = []  # typed, until an answer is wanted
        self._calls = LiveCalls()
        self._asked = False  # whether the vendor owes a response
        self._dropped = False  # whether that request has ended a turn that waited for tools
        self._responding = self._cut = False  # whether a response is made; whether it was interrupted
        self._works = False  # whether more follows without another turn of the user

    # Towards the vendor

    def begin(self, context: Context) -> Iterable[Message]:
        self._fixed = context.instructions, context.tools
        setup = self._setup(context)
        if not self.carries_context:
            self._before = messages.history(context, complete="historyConfig" in setup)
        yield json_text(setup=setup)

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserWords(text):
                self._words.append(text)
            case Respond():
                yield from self._respond()
            case Say(text):
                yield self._answered(messages.verbatim(text))
            case CutShort():
                if not self._detects:
                    yield from self._user.interrupt() if self._responding else self._user.release()
                elif self._responding and not self._cut:
                    yield messages.stop()
                self._cut = self._responding
            case ToolOutput(id, name, output):
                yield from self._result(id, name, output)
            case Remember(context):
                self.outdated = self._fixed != (context.instructions, context.tools)
            case _:
                busy = self._asked or self._responding or self._calls.open
                yield from self._user.put(item, bool(busy))

    def _respond(self) -> Iterator[Message]:
        typed, self._words = self._words, []
        if self._user.complete:
            if typed:
                yield messages.words(typed, complete=False)
            self._asked, self._dropped = True, bool(self._calls.open)
            yield from self._user.answer()
        else:
            yield self._answered(*(typed or [messages.GO_ON]))

    def _answered(self, *texts: str) -> Message:
        """Return words that are answered at once."""
        self._asked, self._dropped = True, bool(self._calls.open)
        self._user.closed()
        return messages.words(texts, complete=True)

    def _result(self, call: str, name: str, output: str) -> Iterator[Message]:
        if (known := self._calls.ended(call)) is not None:
            self._asked = self._asked or not self._calls.open
            yield messages.tool_response(known, name, output)
        elif call in self._calls.withdrawn:  # which the vendor would refuse
            self._words.append(messages.returned(name, output))
        else:  # it was made over an earlier connection
            yield self._answered(messages.returned(name, output))

    # From the vendor

    def read(self, message: Message) -> Iterable[CodecEvent]:
        told = json_object(message)
        if "setupComplete" in told:
            if self._before is not None:
                yield MessagesToSend((self._before,))
            yield RealtimeReady()
        if "goAway" in told:
            yield GoingAway()
        if resumption := fields(told.get("sessionResumptionUpdate")):
            yield Resumable(string(resumption.get("newHandle")) if resumption.get("resumable") else "")
        content = fields(told.get("serverContent"))
        self._works = content.get("interactionStatus", self._works) in (True, "IN_PROGRESS")
        yield from self._hearing.activity(fields(told.get("voiceActivity")).get("voiceActivityType"))
        if content.get("interrupted"):
            if not (self._cut or self._asked):  # else we have done it
                yield from self._hearing.cut_in()
            self._cut = True
        if heard := string(fields(content.get("inputTranscription")).get("text")):
            answering = self._asked or (self._responding and not self._cut)
            yield from self._hearing.words(heard, self._user.heard, answering)
            self.settles_after = None if answering else self._hearing.patience
        yield from self._agent(content)
        yield from messages.consumed(told.get("usageMetadata"))
        yield from self._called(items(fields(told.get("toolCall")).get("functionCalls")))
        self._calls.withdraw(items(fields(told.get("toolCallCancellation")).get("ids")))
        if content.get("turnComplete"):  # not before: more words may come while the voice plays
            yield from self._hearing.complete()
            yield from self._turn_over(messages.refusal(content))

    def settle(self) -> Iterable[CodecEvent]:
        self.settles_after = None
        if self._hearing.waiting:
            return self._hearing.give_up()
        return () if self._user.open else self._hearing.complete()

    def _agent(self, content: dict[str, Any]) -> Iterator[CodecEvent]:
        for voice in messages.voice(content):
            yield from self._began()
            yield voice
        if text := string(fields(content.get("outputTranscription")).get("text")):
            if self._asked:
                yield from self._began()
            if self._responding:  # else it trails a response that is over
                yield AgentWords(text)

    def _began(self) -> Iterator[CodecEvent]:
        if not self._responding:
            asked, self._asked, self._dropped = self._asked, False, False
            self._responding, self._cut = True, False
            if not asked and (self._hearing.waiting or not self._works):
                yield from self._hearing.over()
            yield ResponseBegan()

    def _called(self, calls: list[Any]) -> Iterator[CodecEvent]:
        """Yield calls; the response is over for us, while the vendor's turn goes on."""
        if calls:
            yield from self._began()
            yield from self._hearing.complete()
            yield from map(self._calls.begun, calls)
            self._responding = False
            yield ResponseOver()

    def _turn_over(self, refused: str) -> Iterator[CodecEvent]:
        wanted = (self._asked and not self._dropped) or (self._hearing.waiting and not self._cut)
        owed, self._dropped = wanted and not self._works, False
        if self._responding or owed:
            silent, cut = not self._responding, self._cut or self._user.open
            yield from self._began()
            self._responding = False
            status = "cancelled" if cut else "incomplete" if silent or refused else "completed"
            yield ResponseOver(status, refused)
        self._cut = False
        if kept := tuple(self._user.release()):
            yield MessagesToSend(kept)

    def closed(self, code: int, reason: str) -> TheyErred | None:
        return messages.close_error(code, reason)
