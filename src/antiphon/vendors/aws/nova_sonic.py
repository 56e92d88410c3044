"""The codec of AWS's Nova Sonic: what its events mean.

https://docs.aws.amazon.com/nova/latest/nova2-userguide/sonic-output-events.html
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from ...context import Context
from ...errors import BadResponseError
from ...services.aws_event_stream import AwsEventReader
from ...services.realtime_codec import CodecEvent, RealtimeCodec, RealtimeReady
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
from ...services.vendor_values import base64_bytes, string
from ...services.websocket_client import Message
from .nova_sonic_blocks import SonicBlock, consumed, is_last, told_by, tool_call
from .nova_sonic_events import GO_ON, VERBATIM, NovaSonicEvents

__all__ = ["NovaSonicCodec"]

UNANSWERED = 2.0  # seconds after a turn's last words until it has no answer
MORE_CALLS = 0.1  # seconds after a call in which others belong to the same response


class NovaSonicCodec(RealtimeCodec):
    """A connection."""

    lasts = 480.0
    keep_alive_every = 1.0  # a turn ends only by silence that it hears; 55 s without sound end all
    tells_within = 30.0

    def __init__(self, voice: str, options: Mapping[str, Any]) -> None:
        self._events = NovaSonicEvents(voice, options)
        self._reader = AwsEventReader()
        self._known: tuple[str, object] = ("", ())  # instructions and tools
        self._typed: list[str] = []  # for the next typed message
        self._sent = set[str]()  # typed messages, of which the model may send an echo
        self._blocks: dict[str, SonicBlock] = {}
        self._turn = 0
        self._heard: str | None = None  # words of the user's turn; None before it has any
        self._answered = ""  # words of the turn that is being answered
        self._unanswered = False  # whether the user's turn is over without an answer
        self._responding = self._muted = self._spoke = self._voiced = False
        self._cut = True  # whether the last response was interrupted

    def begin(self, context: Context) -> Iterable[Message]:
        self._known = context.instructions, context.tools
        return self._events.begin(context)

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserSound(pcm):
                return (self._events.sound(pcm),)
            case UserWords(text):
                self._typed.append(text)
            case Respond():
                typed, self._typed = self._typed, []
                return self._ask("\n".join(typed) or GO_ON)
            case Say(text):
                return self._ask(VERBATIM + json.dumps(text, ensure_ascii=False))
            case CutShort():
                self._muted = self._responding
            case ToolOutput(id, _, output):
                return self._events.result(id, output)
            case Remember(context) if (context.instructions, context.tools) != self._known:
                self.outdated = True
            case _:
                pass
        return ()

    def _ask(self, text: str) -> Iterable[Message]:
        self._sent.add(text)
        return self._events.text("USER", text, interactive=True)

    def keep_alive(self) -> Iterable[Message]:
        return (self._events.sound(bytes(32000)),)

    def settle(self) -> Iterable[CodecEvent]:
        if self._responding:
            yield from self._over("completed")  # with all calls that came together
        elif self._heard is not None and not self._unanswered:
            self._unanswered = True
            yield UserSpeaks(False)

    def end(self) -> Iterable[Message]:
        return self._events.end()

    # From the vendor

    def read(self, message: Message) -> Iterable[CodecEvent]:
        if isinstance(message, str):
            raise BadResponseError(f"aws: text where events should be: {message[:80]!r}")
        if not message:  # the request was accepted
            yield RealtimeReady()
        for event in self._reader.feed(message):
            for kind, values in told_by(event):
                yield from self._told(kind, values)

    def _told(self, kind: str, told: dict[str, Any]) -> Iterable[CodecEvent]:
        name = string(told.get("contentId"))
        match kind:
            case "contentStart":
                block = self._blocks[name] = SonicBlock.of(told)
                self.settles_after = None
                if block.kind in ("AUDIO", "TOOL") or block.planned:
                    yield from self._begin()
                    self._voiced = self._voiced or block.kind == "AUDIO"
            case "textOutput":
                yield from self._words(self._blocks.get(name), string(told.get("content")))
            case "audioOutput" if self._responding and not self._muted:
                pcm = base64_bytes(told.get("content"))
                yield Voice(pcm[: len(pcm) // 2 * 2])
            case "toolUse" if self._responding and not self._muted:
                yield tool_call(told)
            case "contentEnd":
                yield from self._ended(self._blocks.pop(name, None), string(told.get("stopReason")))
            case "completionEnd" if self._responding:
                yield from self._over("completed")
            case "usageEvent":
                yield from consumed(told)
            case _:
                pass

    def _words(self, block: SonicBlock | None, text: str) -> Iterable[CodecEvent]:
        if block is None or text.strip() in self._sent:
            self._sent.discard(text.strip())
        elif block.role == "USER" and self._responding and self._turn and not self._cut:
            self._answered = f"{self._answered} {text.strip()}".strip()
            yield UserHeard(self._turn - 1, self._answered, True)
        elif block.role == "USER":
            if self._unanswered:  # the user goes on: another turn
                yield UserHeard(self._turn, self._heard or "", True)
                self._turn, self._heard, self._unanswered = self._turn + 1, None, False
            if self._heard is None:
                yield UserSpeaks(True)
            self._heard = f"{self._heard or ''} {text.strip()}".strip()
            yield UserHeard(self._turn, self._heard, False)
        elif text.lstrip().startswith("{") and "interrupted" in text:
            yield from self._interrupted()
        elif block.planned and self._responding and not self._muted:
            yield AgentWords(f" {text.strip()}" if self._spoke else text.strip())
            self._spoke = True

    def _ended(self, block: SonicBlock | None, why: str) -> Iterable[CodecEvent]:
        if why == "INTERRUPTED":
            yield from self._interrupted()
        elif (
            block is not None
            and why == "END_TURN"
            and is_last(block, self._blocks.values(), voiced=self._voiced)
        ):
            yield from self._over("completed")
        elif block is not None and block.kind == "TOOL":
            self.settles_after = MORE_CALLS
        elif block is not None and block.role == "USER" and not self._responding:
            self.settles_after = UNANSWERED

    def _begin(self) -> Iterable[CodecEvent]:
        """Begin a response, unless one is in progress; the user's turn is over by then."""
        if self._responding:
            return
        if self._heard is not None:
            yield UserHeard(self._turn, self._heard, True)
            if not self._unanswered:
                yield UserSpeaks(False)
            self._answered, self._unanswered = self._heard, False
            self._turn, self._heard = self._turn + 1, None
        self._responding = True
        self._muted = self._spoke = self._cut = self._voiced = False
        yield ResponseBegan()

    def _interrupted(self) -> Iterable[CodecEvent]:
        """Stop the response, or the rest of its voice that still plays."""
        if not self._cut:
            self._cut = True
            yield UserCutIn()
        yield from self._over("cancelled")

    def _over(self, status: Literal["completed", "cancelled"]) -> Iterable[CodecEvent]:
        if self._responding:
            self._responding, self.settles_after = False, None
            yield ResponseOver("cancelled" if self._muted else status)
