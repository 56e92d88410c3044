"""All that a client does is an input of the session: a journal of the call replays to itself."""

import base64
from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.conversation.tools import tool
from antiphon.frames import (
    ClientMessage,
    ContextNote,
    ReplyEnded,
    ServerMessage,
    ToolCall,
    ToolEnded,
    UserAudio,
    UserKey,
    UserText,
)
from antiphon.journal import replay
from antiphon.pipeline import Part
from antiphon.processor import Processor, on
from antiphon.rtvi import RTVI, client_tool
from antiphon.rtvi.messages import TYPES
from antiphon.testing import WireClient, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, no_task_left, services
from antiphon.testing.scripted import Answer
from antiphon.transports.websocket import Websocket

wait = LoopClock().sleep
"""Virtual time."""

WHERE = client_tool("where", "Where the user is.", timeout=3.0)
LONG = "Well, that depends. There are many things to say, and I shall say them all, one after another."
CALL = ToolCall("c1", "where", "{}")
QUIET = base64.b64encode(bytes(640)).decode()
FORMAT = {"sampleRate": 16000, "numChannels": 1}


@tool(on_interrupt="cancel")
async def search() -> str:
    """Takes a while."""
    await wait(1.5)
    return "found"


class Program(Processor):
    """The agent's own part: it answers what the client asks."""

    @on(ClientMessage)
    def message(self, frame: ClientMessage) -> None:
        self.push(ServerMessage({"got": frame.type}, answers=frame.id))


Message = tuple[str, Any, float]
"""Type, data, and how long the client waits after it."""


class Call:
    """A call of which the client's side is a list of messages, recorded with media."""

    def __init__(
        self,
        messages: Sequence[Message],
        says: Sequence[Sequence[Answer] | str],
        hears: Sequence[str] = (),
        *,
        version: str = "2.1.0",
    ) -> None:
        self.client = WireClient()
        self._messages, self._says, self._hears, self._version = messages, says, hears, version

    def parts(self, transport: Websocket) -> list[Part]:
        agent = Agent(
            "Be brief.", **services(self._hears, self._says), greeting="Hello.", tools=[WHERE, search]
        )
        first, *rest = agent.pipeline(transport)
        return [first, Program(), *rest]

    async def hold(self) -> HeldCall:
        transport = Websocket(self.client, rtvi=RTVI(observe=True, also=("vad", "levels")))
        call = HeldCall(self.parts(transport), observers=transport.observers)
        self.client.ready(self._version)
        async with call:
            for number, (kind, data, seconds) in enumerate(self._messages):
                if kind == "speak":
                    await self.client.talk(loud(data) + bytes(round(seconds * 16000) * 2))
                else:
                    self.client.say(kind, data, f"m{number}")
                    await wait(seconds)
        await wait(0.01)
        no_task_left()
        return call

    def replayed(self) -> HeldCall:
        """Hold the call and check that its journal replays to itself; returns the call."""
        call = run_virtual(self.hold())
        check(call)
        again = replay(call.journal.lines, self.parts(Websocket(WireClient())))
        assert again == call.journal.lines
        return call


def text(content: str, **options: bool) -> dict[str, Any]:
    return {"content": content, "options": options} if options else {"content": content}


EVERY_MESSAGE: list[Message] = [
    ("client-message", {"t": "antiphon.observe"}, 0.1),
    ("client-message", {"t": "cart", "d": {"add": "bell"}}, 0.1),
    ("send-text", text("stop, where am I"), 0.5),  # over the greeting
    ("llm-function-call-result", {"tool_call_id": "c1", "result": {"city": "Berlin"}}, 2.5),
    ("send-text", text("my name is Ada", run_immediately=False), 0.2),
    ("send-text", text("tell me at length", audio_response=False), 3.0),
    ("send-text", text("once more, in writing", audio_response=False), 0.05),
    ("send-text", text("no, aloud"), 1.5),
    ("speak", 0.8, 3.0),
    ("dtmf", {"buttons": ["1", "#"]}, 0.2),
    ("dtmf", {"button": "5"}, 0.2),
    ("send-file", {"file": {"name": "a.png"}, "content": "see"}, 0.1),
    ("ui-event", {"event": "click", "payload": {"x": 1}}, 0.1),
    ("ui-snapshot", {"tree": {"root": {}}}, 0.1),
    ("ui-cancel-job-group", {"job_id": "j1"}, 0.1),
    ("raw-audio", {"base64Audio": QUIET, **FORMAT}, 0.1),
    ("raw-audio-batch", {"base64AudioBatch": [QUIET, QUIET], **FORMAT}, 0.1),
    ("append-to-context", {"role": "user", "content": "refused in protocol 2"}, 0.1),
    ("send-text", text("search for it"), 0.7),
    ("send-text", text("do not", audio_response=False), 2.0),
    ("send-text", text("one more"), 0.3),
    ("disconnect-bot", None, 1.0),
    ("send-text", text("too late"), 0.1),
]
ANSWERS: list[list[Answer] | str] = [
    [CALL],
    "You are in Berlin.",
    LONG,
    LONG,
    LONG,
    "Spoken, Ada.",
    [ToolCall("c2", "search", "{}")],
    LONG,
    LONG,
]


def test_a_call_with_every_client_message_replays() -> None:
    assert {kind for kind, _, _ in EVERY_MESSAGE} == {*TYPES, "speak"} - {"client-ready"}
    call = Call(EVERY_MESSAGE, ANSWERS, ["and you?"]).replayed()
    inputs = [seen.what for seen in call.seen if seen.is_input]
    typed = [what for what in inputs if isinstance(what, UserText)]
    assert [(frame.text, frame.aloud) for frame in typed] == [
        ("stop, where am I", True),
        ("tell me at length", False),
        ("once more, in writing", False),
        ("no, aloud", True),
        ("search for it", True),
        ("do not", False),
        ("one more", True),
    ]
    assert [what for what in inputs if isinstance(what, ContextNote)] == [ContextNote("my name is Ada")]
    assert [what.key for what in inputs if isinstance(what, UserKey)] == ["1", "#", "5"]
    assert [what.type for what in inputs if isinstance(what, ClientMessage)] == [
        "cart", "send-file", "ui-event", "ui-snapshot", "ui-cancel-job-group",
    ]  # fmt: skip
    assert [what.result for what in inputs if isinstance(what, ToolEnded)] == ['{"city":"Berlin"}']
    assert any(isinstance(what, UserAudio) for what in inputs)
    calls = [what for what in inputs if isinstance(what, tuple) and what[0] in ("interrupt", "end")]
    assert calls[-2:] == [
        ("interrupt", ("the client is leaving", True)),
        ("end", "the client disconnected the agent"),
    ]


def test_a_call_of_a_client_of_protocol_1_replays() -> None:
    messages: list[Message] = [
        ("append-to-context", {"role": "user", "content": "I am Ada"}, 1.0),
        ("append-to-context", {"role": "user", "content": "who am I", "run_immediately": True}, 2.0),
        ("append-to-context", {"role": "assistant", "content": "no"}, 0.1),
        ("send-text", text("and where"), 0.5),
        (
            "llm-function-call-result",
            {"tool_call_id": "c1", "result": "Berlin", "function_name": "where"},
            2.0,
        ),
        ("disconnect-bot", None, 0.5),
    ]
    call = Call(messages, ["Ada.", [CALL], "In Berlin."], version="1.1.0").replayed()
    assert call.all(ContextNote) == [ContextNote("I am Ada")]
    assert [frame.text for frame in call.all(UserText)] == ["who am I", "and where"]


def test_what_is_to_be_read_is_not_spoken() -> None:
    call = Call([("send-text", text("quietly", audio_response=False), 3.0)], [LONG]).replayed()
    (ended,) = [ended for ended in call.all(ReplyEnded) if ended.text == LONG]
    assert ended.heard == LONG and not ended.interrupted
    assert call.pcm(ended.reply) == b""


MESSAGES = st.sampled_from([message for message in EVERY_MESSAGE if message[0] != "speak"])
GAPS = st.sampled_from([0.0, 0.0, 0.05, 0.3, 1.0, 2.5])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(MESSAGES, GAPS), max_size=12),
    st.lists(st.sampled_from(["Yes.", LONG, [CALL], [ToolCall("c2", "search", "{}")]]), max_size=6),
    st.sampled_from(["2.1.0", "1.4.0"]),
)
def test_whatever_a_client_does_replays(
    drawn: list[tuple[Message, float]], says: list[list[Answer] | str], version: str
) -> None:
    messages = [(kind, data, gap) for (kind, data, _), gap in drawn]
    Call(messages, says, version=version).replayed()
