"""Whole conversations as a client sees them, over a wire in memory and in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from antiphon import Agent, Listening
from antiphon.client import Client
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid
from antiphon.conversation.conversation import Conversation
from antiphon.conversation.scope import Scope
from antiphon.conversation.tools import tool
from antiphon.frames import ClientMessage, ServerMessage, ToolCall, Transcript, UserKey
from antiphon.processor import Processor, on
from antiphon.rtvi import RTVI, Typed, client_tool, job_group, ui_command
from antiphon.rtvi.messages import LARGEST, TYPES
from antiphon.rtvi.reporting import FAILED, LONGEST
from antiphon.services.ports import Recognized
from antiphon.services.tts import TTS
from antiphon.session import Session
from antiphon.testing import StreamingSTT, WireClient, loud, run_virtual
from antiphon.testing.assertions import no_task_left, services
from antiphon.testing.scripted import Answer
from antiphon.transports.websocket import Websocket

Act = Callable[[WireClient, Session], Awaitable[None]]
CALL = ToolCall("c1", "where", '{"exact": true}')
WHERE = client_tool(
    "where", "Where the user is.", {"type": "object", "properties": {"exact": {"type": "boolean"}}}
)
LONG = "Well, that depends. There are many things to say, and I shall say them all, one after another."


wait = LoopClock().sleep
"""Virtual time."""


def talk(
    act: Act,
    hears: Sequence[str] = (),
    says: Sequence[Sequence[Answer] | str] = (),
    *,
    rtvi: RTVI | None = None,
    version: str = "2.1.0",
    parts: Sequence[Processor] = (),
    without: type | None = None,
    **more: Any,
) -> WireClient:
    """Hold a conversation; gives its client, with all that it was told."""
    client = WireClient()

    async def hold() -> None:
        transport = Websocket(client, rtvi=rtvi)
        agent = Agent("Be brief.", **{**services(hears, says), **more})
        first, *rest = agent.pipeline(transport)
        rest = [part for part in rest if without is None or not isinstance(part, without)]
        session = Session([first, *parts, *rest], observers=transport.observers)
        client.ready(version)
        async with session:
            await act(client, session)
        await wait(0.01)
        no_task_left()

    run_virtual(hold())
    return client


async def say(client: WireClient, seconds: float = 0.8, after: float = 3.0) -> None:
    """Speak, and be quiet for a while."""
    await client.talk(loud(seconds) + bytes(round(after * 16000) * 2))


def kinds(client: WireClient, *but: str) -> list[str]:
    """The types of what the client was told, without these and without repetitions in a row."""
    told = [item.type for item in client.told if item.type not in but]
    return [kind for before, kind in zip(["", *told], told, strict=False) if kind != before]


# Beginning -------------------------------------------------------------------------------------------


async def nothing(client: WireClient, session: Session) -> None:
    await wait(0.3)


def test_bot_ready_answers_client_ready_first_of_all() -> None:
    client = talk(nothing, greeting="Hello!", rtvi=RTVI(agent="shop"))
    first = client.told[0]
    assert (first.type, first.id) == ("bot-ready", "ready")
    assert first.data["version"] == "2.2.0"
    assert first.data["about"]["library"] == "antiphon" and first.data["about"]["agent"] == "shop"
    assert first.data["capabilities"]["audio_in"] is True
    assert "bot-started-speaking" in kinds(client), "and what happens is told after it"


def test_a_client_of_protocol_1_gets_its_own_version() -> None:
    client = talk(nothing, version="1.4.0")
    assert client.told[0].data["version"] == "1.4.0"


@pytest.mark.parametrize("version", ["0.3.0", "3.0.0", "two", "", "x" * 5000])
def test_another_version_is_warned_and_served(version: str) -> None:
    client = talk(nothing, version=version)
    assert [told.type for told in client.told[:2]] == ["error-response", "bot-ready"]
    assert {told.id for told in client.told[:2]} == {"ready"}
    assert client.told[1].data["version"] == "2.2.0"


def test_one_who_is_ready_late_is_told_what_was_missed() -> None:
    async def late(client: WireClient, session: Session) -> None:
        await wait(0.5)
        assert not client.told
        rtvi = session.client
        assert rtvi is not None
        client.ready()
        await wait(2.5)

    client = WireClient()

    async def hold() -> None:
        transport = Websocket(client, framing="protobuf")
        session = Agent("x", **services(), greeting="Hello there.").session(transport)
        client.put(b"")  # a first message that is nothing
        async with session:
            await late(client, session)

    run_virtual(hold())
    assert client.told[0].type == "bot-ready"
    assert "bot-started-speaking" in kinds(client)


def test_client_ready_again_is_answered_again() -> None:
    async def again(client: WireClient, session: Session) -> None:
        client.say("client-ready", {"version": "2.1.0"}, "again")
        await wait(0.1)

    assert talk(again).answer("again").type == "bot-ready"


# A turn ----------------------------------------------------------------------------------------------


def test_a_turn_and_its_answer() -> None:
    client = talk(lambda client, _: say(client, after=4), ["what is new"], ["Nothing is new."])
    assert kinds(client, "metrics") == [
        "bot-ready",
        "user-started-speaking",
        "user-transcription",
        "user-stopped-speaking",
        "user-llm-text",
        "bot-llm-started",
        "bot-llm-text",
        "bot-llm-stopped",
        "bot-tts-started",
        "bot-output",
        "bot-started-speaking",
        "bot-tts-stopped",
        *["bot-output", "bot-tts-text"] * 3,
        "bot-stopped-speaking",
    ]
    transcript = client.all("user-transcription")[-1]
    assert transcript["text"] == "what is new" and transcript["final"] is True
    assert transcript["timestamp"].endswith("Z") and transcript["user_id"] == ""
    assert client.all("user-llm-text") == [{"text": "what is new"}]
    assert "".join(item["text"] for item in client.all("bot-llm-text")) == "Nothing is new."
    assert " ".join(item["text"] for item in client.all("bot-tts-text")) == "Nothing is new."
    assert [item["spoken_status"] for item in client.all("bot-output")] == [
        "new", "in-progress", "in-progress", "completed",
    ]  # fmt: skip


def test_progress_is_what_is_heard_at_that_time() -> None:
    """The scripted voice speaks 15 characters a second."""
    client = talk(lambda client, _: say(client, after=8), ["hello"], [LONG])
    began = client.heard[0][0]
    spoken: dict[int, int] = {}
    for told in client.told:
        if told.type == "bot-output" and told.data["spoken_status"] != "new":
            spoken[told.data["segment_id"]] = len(told.data["spoken_progress"]["accumulated_text"])
            behind = (told.at - began) - sum(spoken.values()) / 15
            assert -0.001 < behind < 0.12, told
    assert sum(spoken.values()) == len(LONG) - 2, "all of it but the spaces between segments"


def test_a_guess_that_is_dropped_is_never_told() -> None:
    stt = StreamingSTT(
        [
            (0.9, Recognized("one", False)),
            (1.5, Recognized("one two", False)),
            (2.3, Recognized("one two", True)),
        ]
    )

    async def pause(client: WireClient, session: Session) -> None:
        await client.talk(loud(0.8) + bytes(32000 * 5 // 10) + loud(0.8) + bytes(32000 * 4))

    client = talk(pause, [], ["To one.", "To two."], stt=stt)
    assert client.all("user-llm-text") == [{"text": "one two"}]
    assert kinds(client).count("bot-llm-started") == 1
    assert "One" not in str(client.all("bot-llm-text"))


def test_noise_that_took_the_floor_gives_it_back() -> None:
    client = talk(lambda client, _: say(client, after=5), [""], ["never said"])
    told = [told.type for told in client.told if told.type.startswith("user-")]
    assert told == ["user-started-speaking", "user-stopped-speaking"]


def test_text_that_nobody_speaks_is_told_as_such() -> None:
    client = talk(ask, [], ["You are here."], without=TTS)
    (output,) = client.all("bot-output")
    assert (output["text"], output["will_be_spoken"]) == ("You are here.", False)
    assert "spoken_status" not in output


# Interruptions ---------------------------------------------------------------------------------------


async def interrupt(client: WireClient, session: Session) -> None:
    await client.talk(loud(0.8) + bytes(32000 * 3))
    await client.talk(loud(1.5) + bytes(32000 * 2))


def test_an_interruption_leaves_what_was_heard() -> None:
    client = talk(interrupt, ["tell me", "stop please"], [LONG, "Yes?"])
    at = next(index for index, told in enumerate(client.told) if told.type == "bot-interrupted")
    before = [told.data for told in client.told[:at] if told.type == "bot-output"]
    last = [item for item in before if item["spoken_status"] == "in-progress"][-1]
    after = [told for told in client.told[at:] if told.type == "bot-output"]
    segments = {item["segment_id"] for item in before}
    assert not [told for told in after if told.data["segment_id"] in segments], "nothing more of it"
    assert last["spoken_progress"]["remaining_text"], "it was cut off"
    completed = [item["text"] for item in before if item["spoken_status"] == "completed"]
    heard = " ".join([*completed, last["spoken_progress"]["accumulated_text"]]).strip()
    assert heard and LONG.startswith(heard)
    entries = client.all("user-llm-text")
    assert entries == [{"text": "tell me"}, {"text": "stop please"}]


def test_what_was_heard_is_what_the_model_reads() -> None:
    held: list[Session] = []

    async def keep(client: WireClient, session: Session) -> None:
        held.append(session)
        await interrupt(client, session)

    client = talk(keep, ["tell me", "stop please"], [LONG, "Yes?"])
    conversation = next(part for part in held[0].parts if isinstance(part, Conversation))
    cut = next(entry for entry in conversation.history.entries if isinstance(entry, AgentSaid))
    shown: dict[int, str] = {}
    for item in client.all("bot-output"):
        shown[item["segment_id"]] = item["spoken_progress"]["accumulated_text"]
    first_reply = [text for text in shown.values() if text and text != "Yes?"]
    assert cut.interrupted and cut.text == " ".join(text.strip() for text in first_reply)


def test_an_agent_that_was_not_interrupted_has_not_stopped() -> None:
    """A sound without words over its voice: the voice is held, and goes on."""

    async def cough(client: WireClient, session: Session) -> None:
        await client.talk(loud(0.8) + bytes(32000 * 3))
        await client.talk(loud(0.2) + bytes(32000 * 7))

    client = talk(cough, ["tell me", ""], [LONG])
    assert "bot-interrupted" not in kinds(client)
    assert kinds(client).count("bot-started-speaking") == kinds(client).count("bot-stopped-speaking") == 1
    assert kinds(client).count("user-started-speaking") == 1
    assert client.all("bot-output")[-1]["spoken_status"] == "completed"


# What the client says --------------------------------------------------------------------------------


def test_typed_words_interrupt_and_are_answered() -> None:
    async def typing(client: WireClient, session: Session) -> None:
        await wait(1.0)
        client.say("send-text", {"content": "stop that"})
        await wait(2.0)

    client = talk(typing, [], ["Stopped."], greeting=LONG)
    assert "bot-interrupted" in kinds(client)
    assert client.all("user-llm-text") == [{"text": "stop that"}]
    assert client.all("bot-output")[-1]["text"] == "Stopped."


def test_typed_words_may_wait_for_the_next_turn() -> None:
    async def typing(client: WireClient, session: Session) -> None:
        client.say("send-text", {"content": "my name is Ada", "options": {"run_immediately": False}})
        await wait(1.0)
        assert "bot-llm-started" not in kinds(client)
        client.say("send-text", {"content": "who am I"})
        await wait(2.0)

    good = services([], ["You are Ada."])
    talk(typing, **good)
    assert [entry.text for entry in good["llm"].contexts[-1].entries] == ["my name is Ada", "who am I"]


def test_an_answer_may_be_read_instead_of_heard() -> None:
    async def typing(client: WireClient, session: Session) -> None:
        client.say("send-text", {"content": "quietly", "options": {"audio_response": False}})
        await wait(2.0)
        assert not client.heard
        assert session.reply is None, "it is over once it is written"
        client.say("send-text", {"content": "aloud"})
        await wait(2.0)

    good = services([], [LONG, "Loud."])
    client = talk(typing, **good)
    first, *_, last = client.all("bot-output")
    assert (first["text"], first["will_be_spoken"]) == (LONG, False)
    assert (last["text"], last["spoken_status"]) == ("Loud.", "completed")
    assert client.heard, "the next one is spoken again"
    said = [entry.text for entry in good["llm"].contexts[-1].entries]
    assert said == ["quietly", LONG, "aloud"], "and the model knows that it was read"


def test_nobody_speaks_what_is_to_be_read_however_long_it_takes() -> None:
    async def typing(client: WireClient, session: Session) -> None:
        client.say("send-text", {"content": "quietly", "options": {"audio_response": False}})
        await wait(20.0)
        assert session.reply is None

    good = services([], [LONG * 2])
    good["llm"].each = 0.5
    client = talk(typing, **good)
    assert not client.all("error") and not client.heard
    assert len(good["tts"].spoken) <= 1, "the voice has nothing to do"


def test_a_silent_answer_is_silent_behind_one_that_cannot_be_interrupted() -> None:
    async def typing(client: WireClient, session: Session) -> None:
        session.say("Please listen to this.", interruptible=False)
        await wait(0.5)
        client.say("send-text", {"content": "quietly", "options": {"audio_response": False}})
        await wait(4.0)

    client = talk(typing, [], [LONG])
    assert sum(len(sound.pcm) for _, sound in client.heard) / 48000 == pytest.approx(21 / 15, abs=0.01)
    assert client.all("bot-output")[-1] == {
        "text": LONG, "aggregated_by": "sentence", "segment_id": 3, "will_be_spoken": False,
    }  # fmt: skip


class Keys(Processor):
    """Keeps what passes."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    @on(UserKey, ClientMessage, Transcript)
    def keep(self, frame: Any) -> None:
        self.seen.append(frame)
        self.push(frame)


def test_keys_come_one_by_one() -> None:
    async def press(client: WireClient, session: Session) -> None:
        client.say("dtmf", {"buttons": ["1", "2"]})
        client.say("dtmf", {"button": "#"}, "9")
        client.say("dtmf", {}, "10")
        await wait(0.5)

    keys = Keys()
    client = talk(press, [], ["Thanks."], parts=[keys])
    assert [frame.key for frame in keys.seen] == ["1", "2", "#"]
    assert client.answer("10").type == "error-response"


class Shop(Processor):
    """Answers the client's program."""

    @on(ClientMessage)
    def message(self, frame: ClientMessage) -> None:
        match frame.type:
            case "cart":
                self.push(ServerMessage({"items": 3}, answers=frame.id))
            case "bad":
                self.push(ServerMessage("there is no such thing", answers=frame.id, failed=True))
            case "object":
                self.push(ServerMessage(object(), answers=frame.id))
            case "toast":
                self.push(ui_command("toast", {"title": "Hi"}))
                self.push(job_group("group_started", "j1", 5.0, workers=["a"], cancellable=True))
                self.push(job_group("job_update", "j1", 6.0, worker="a", data=1))
                self.push(job_group("group_completed", "j1", 7.0))
                self.push(ServerMessage(Typed("bot-llm-search-response", {"origins": []})))
            case _:
                self.push(ServerMessage({"got": frame.type, "data": frame.data}))


def test_messages_of_the_program_and_their_answers() -> None:
    async def ask(client: WireClient, session: Session) -> None:
        client.say("client-message", {"t": "cart", "d": {"a": 1}}, "a")
        client.say("client-message", {"t": "bad"}, "b")
        client.say("client-message", {"t": "object"}, "c")
        client.say("client-message", {"t": "note", "d": [1]}, "d")
        await wait(0.1)

    client = talk(ask, parts=[Shop()])
    assert client.answer("a").type == "server-response"
    assert client.answer("a").data == {"t": "cart", "d": {"items": 3}}
    assert (client.answer("b").type, client.answer("b").data) == (
        "error-response",
        {"error": "there is no such thing"},
    )
    assert client.answer("c").type == "error-response", "what is no JSON is no answer"
    assert client.all("server-message") == [{"got": "note", "data": [1]}]


def test_the_user_interface_is_the_program_s() -> None:
    async def use(client: WireClient, session: Session) -> None:
        client.say("client-message", {"t": "toast"})
        client.say("ui-event", {"event": "click", "payload": {"x": 1}})
        client.say("ui-snapshot", {"tree": {"root": {}}})
        client.say("ui-cancel-job-group", {"job_id": "j1"})
        client.say("send-file", {"content": "see", "file": {"name": "a.png"}})
        await wait(0.1)

    client = talk(use, parts=[Shop()])
    assert client.all("ui-command") == [{"command": "toast", "payload": {"title": "Hi"}}]
    assert [item["kind"] for item in client.all("ui-job-group")] == [
        "group_started", "job_update", "group_completed",
    ]  # fmt: skip
    assert client.all("ui-job-group")[0]["workers"] == ["a"]
    assert client.all("ui-job-group")[1]["worker_name"] == "a"
    assert client.all("bot-llm-search-response") == [{"origins": []}]
    assert [item["got"] for item in client.all("server-message")] == [
        "ui-event", "ui-snapshot", "ui-cancel-job-group", "send-file",
    ]  # fmt: skip


def test_the_client_can_end_it() -> None:
    async def leave(client: WireClient, session: Session) -> None:
        await wait(1.0)
        client.say("disconnect-bot", {})
        client.say("disconnect-bot", {})
        await session.wait()

    client = talk(leave, greeting=LONG)
    assert client.closed == 1000
    assert client.heard[-1][0] < 1.2, "at once"


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", '{"label":"rtvi-ai"}', '{"label":"rtvi-ai","type":"nonsense","id":"x"}',
     '{"label":"rtvi-ai","type":"send-text","id":"x","data":{"content":"  "}}',
     '{"label":"rtvi-ai","type":"raw-audio","id":"x","data":{"base64Audio":"%"}}',
     '{"label":"rtvi-ai","type":"append-to-context","id":"x","data":{"role":"user","content":"hi"}}',
     '{"label":"rtvi-ai","type":"llm-function-call-result","id":"x","data":{"tool_call_id":"none","result":1}}'],
)  # fmt: skip
def test_nonsense_changes_nothing(text: str) -> None:
    async def send(client: WireClient, session: Session) -> None:
        client.put(client.framing.encode_message(text))
        client.put(b"\xff\xff")
        client.put("text on a binary wire")
        await wait(0.1)
        assert session.state == "running"
        client.say("client-message", {"t": "cart"}, "after")
        await wait(0.1)

    client = talk(send, parts=[Shop()])
    assert client.answer("after").type == "server-response"
    if '"id":"x"' in text:
        assert client.answer("x").type == "error-response"


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-1, 3)
    | st.sampled_from(["", "1", "c1", "where", "hello", "user", "AAA="]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["t", "d"]), inner, max_size=2)
    ),
    max_leaves=6,
)
FIELDS = sorted({field for kind in TYPES.values() for field in kind.__struct_encode_fields__})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted({*TYPES} - {"disconnect-bot"})),
            st.dictionaries(st.sampled_from(FIELDS), ANY),
        ),
        max_size=12,
    )
)
def test_whatever_a_client_says_the_conversation_goes_on(said: list[tuple[str, Any]]) -> None:
    async def send(client: WireClient, session: Session) -> None:
        for number, (kind, data) in enumerate(said):
            client.say(kind, data, f"x{number}")
            await wait(0.2)
        client.say("client-message", {"t": "cart"}, "after")
        await wait(0.1)
        assert session.state == "running"

    client = talk(
        send, [], [[CALL], "In Berlin.", "Yes."], tools=[WHERE], parts=[Shop()], rtvi=RTVI(observe=True)
    )
    assert client.answer("after").type == "server-response"


def test_a_flood_is_refused_and_forgotten() -> None:
    async def flood(client: WireClient, session: Session) -> None:
        for number in range(300):
            client.say("client-message", {"t": "cart"}, f"f{number}")
        await wait(5.0)
        client.say("client-message", {"t": "cart"}, "after")
        await wait(0.1)

    client = talk(flood, parts=[Shop()])
    answers = [told.type for told in client.told if told.id.startswith("f")]
    assert answers == ["server-response"] * 100 + ["error-response"] * 200
    assert client.answer("after").type == "server-response"


def test_protocol_1_may_still_append_to_the_context() -> None:
    async def append(client: WireClient, session: Session) -> None:
        client.say("append-to-context", {"role": "user", "content": "I am Ada"}, "a")
        client.say("append-to-context", {"role": "assistant", "content": "no"}, "b")
        client.say("append-to-context", {"role": "user", "content": "who", "run_immediately": True}, "c")
        await wait(2.0)

    good = services([], ["Ada."])
    client = talk(append, version="1.4.0", **good)
    assert [entry.text for entry in good["llm"].contexts[-1].entries] == ["I am Ada", "who"]
    assert client.answer("b").type == "error-response"


def test_protocol_1_is_told_in_its_own_way() -> None:
    client = talk(
        lambda client, _: say(client, after=4), ["what is new"], ["Nothing is new."], version="1.1.0"
    )
    outputs = client.all("bot-output")
    assert [item["spoken"] for item in outputs] == [False, True, True, True]
    assert [item["text"] for item in outputs] == ["Nothing is new.", "Nothing", "is", "new."]
    assert not any("segment_id" in item for item in outputs)
    assert client.all("bot-transcription") == [{"text": "Nothing is new."}]


# Tools -----------------------------------------------------------------------------------------------


@tool
async def where(exact: bool) -> str:
    """Where the user is."""
    return "in Berlin"


async def ask(client: WireClient, session: Session) -> None:
    client.say("send-text", {"content": "where am I"})
    await wait(3.0)


LEVELS: list[tuple[Any, str]] = [
    ("none", ""),
    ("name", "name"),
    ({"*": "none", "where": "arguments"}, "name, arguments"),
    ({"*": "full", "other": "none"}, "name, arguments, result"),
    ("full", "name, arguments, result"),
]


@pytest.mark.parametrize(("level", "told"), LEVELS)
def test_a_tool_is_told_as_far_as_it_may(level: Any, told: str) -> None:
    client = talk(ask, [], [[CALL], "In Berlin."], tools=[where], rtvi=RTVI(report=level))
    name = {"function_name": "where"} if "name" in told else {}
    arguments = {"arguments": {"exact": True}} if "arguments" in told else {}
    result = {"result": "in Berlin"} if "result" in told else {}
    assert client.all("llm-function-call-started") == [name]
    assert client.all("llm-function-call-in-progress") == [{"tool_call_id": "c1", **name, **arguments}]
    assert client.all("llm-function-call-stopped") == [
        {"tool_call_id": "c1", "cancelled": False, **name, **result}
    ]


@pytest.mark.parametrize("level", ["full", "arguments", "name"])
def test_the_text_of_an_exception_is_told_to_nobody(level: Any) -> None:
    @tool
    async def where() -> str:
        """Where the user is."""
        raise RuntimeError("password is hunter2")

    client = talk(
        ask, [], [[ToolCall("c1", "where", "{}")], "I do not know."], tools=[where], rtvi=RTVI(report=level)
    )
    (stopped,) = client.all("llm-function-call-stopped")
    assert stopped.get("result") == (FAILED if level == "full" else None)
    assert "hunter2" not in str(client.told)


def test_what_a_client_is_told_of_a_call_is_bounded() -> None:
    @tool
    async def where(near: str) -> str:
        """Where the user is."""
        return "x" * 40_000

    call = ToolCall("c1", "where", '{"near": "%s"}' % ("y" * 40_000))
    client = talk(ask, [], [[call], "In Berlin."], tools=[where])
    (begun,), (stopped,) = (
        client.all("llm-function-call-in-progress"),
        client.all("llm-function-call-stopped"),
    )
    assert (begun["arguments"], begun["truncated"]) == ({}, True)
    assert (stopped["result"], stopped["truncated"]) == ("x" * LONGEST, True)


def test_a_message_over_the_limit_is_not_sent() -> None:
    async def tell(client: WireClient, session: Session) -> None:
        session.send(ServerMessage("x" * (LARGEST + 1)))
        session.send(ServerMessage("short"))
        await wait(0.1)

    client = talk(tell)
    assert client.all("server-message") == ["short"]


def test_a_tool_that_is_not_told() -> None:
    client = talk(ask, [], [[CALL], "In Berlin."], tools=[where], rtvi=RTVI(report={"where": "disabled"}))
    assert not [kind for kind in kinds(client) if "function" in kind]


def test_a_tool_that_an_interruption_cancels() -> None:
    @tool(on_interrupt="cancel")
    async def search() -> str:
        """Takes long."""
        await wait(5)
        return "found"

    async def stop(client: WireClient, session: Session) -> None:
        client.say("send-text", {"content": "search"})
        await wait(1.0)
        client.say("send-text", {"content": "never mind"})
        await wait(2.0)

    client = talk(stop, [], [[ToolCall("c1", "search", "{}")], "Fine."], tools=[search])
    assert client.all("llm-function-call-stopped") == [
        {"tool_call_id": "c1", "function_name": "search", "cancelled": True}
    ]


@pytest.mark.parametrize("level", ["full", "disabled"])
def test_a_function_of_the_client(level: Any) -> None:
    async def answer(client: WireClient, session: Session) -> None:
        client.say("send-text", {"content": "where am I"})
        await wait(0.5)
        (told,) = client.all("llm-function-call-in-progress")
        assert told == {"function_name": "where", "tool_call_id": "c1", "arguments": {"exact": True}}
        result = {**told, "result": {"city": "Berlin"}}
        client.say("llm-function-call-result", result, "r1")
        await wait(2.0)
        client.say("llm-function-call-result", result, "r2")
        await wait(0.1)

    good = services([], [[CALL], "In Berlin."])
    client = talk(answer, tools=[WHERE], rtvi=RTVI(report=level), **good)
    assert good["llm"].contexts[-1].entries[-1].result == '{"city":"Berlin"}'
    assert client.all("llm-function-call-stopped")[0]["result"] == {"city": "Berlin"}
    assert client.answer("r2").type == "error-response", "it is over"


def test_a_client_that_never_answers() -> None:
    late = client_tool("where", "Where the user is.", timeout=2.0)
    good = services([], [[ToolCall("c1", "where", "{}")], "I do not know."])

    async def wait_for_it(client: WireClient, session: Session) -> None:
        client.say("send-text", {"content": "where am I"})
        await wait(5.0)

    talk(wait_for_it, tools=[late], **good)
    assert "took longer than 2 seconds" in good["llm"].contexts[-1].entries[-1].result


def test_a_function_of_a_client_that_is_not_there() -> None:
    """On the phone there is none; one whose protocol has ended is gone."""

    async def call(client: Client | None) -> tuple[str, bool]:
        session = Session([])
        session.client = client
        return await WHERE.call(Scope(session, CALL, 1))

    async def leave() -> None:
        rtvi = RTVI()
        rtvi.bind(Session([]))
        waiting = asyncio.create_task(call(rtvi))
        await wait(0.1)
        rtvi.close()
        assert await waiting == gone
        assert await call(rtvi) == gone

    gone = ("where is done by the user's device, which is not connected.", True)
    assert run_virtual(call(None)) == gone
    run_virtual(leave())


def test_protocol_1_0_has_one_message_for_a_call() -> None:
    client = talk(ask, [], [[CALL], "In Berlin."], tools=[where], version="1.0.0")
    assert client.all("llm-function-call") == [
        {"function_name": "where", "tool_call_id": "c1", "args": {"exact": True}}
    ]
    assert not client.all("llm-function-call-in-progress")


# Figures, failures, and what is only told if it is wanted ---------------------------------------------


def test_figures() -> None:
    client = talk(lambda client, _: say(client, after=4), ["hello"], ["Good morning."])
    metrics = client.all("metrics")
    first = {item["processor"]: item["value"] for metric in metrics for item in metric.get("ttfb", ())}
    assert first["LLM"] == pytest.approx(0.15, abs=0.01)
    assert first["TTS"] == pytest.approx(0.05, abs=0.01)
    spoken = [item["value"] for metric in metrics for item in metric.get("characters", ())]
    assert sum(spoken) == len("Good morning.")


def test_a_failure_is_told_without_its_particulars() -> None:
    client = talk(ask, [], [[RuntimeError("secret://10.0.0.1")]])
    assert client.all("error") == [{"error": "LLM failed: RuntimeError", "fatal": False}]
    assert "secret" not in str(client.told)


def test_vad_and_levels_only_if_wanted() -> None:
    plain = talk(lambda client, _: say(client, after=4), ["hello"], ["Good morning."])
    wanted = talk(
        lambda client, _: say(client, after=4),
        ["hello"],
        ["Good morning."],
        rtvi=RTVI(also=("vad", "levels")),
    )
    more = set(kinds(wanted)) - set(kinds(plain))
    assert more == {
        "vad-user-started-speaking", "vad-user-stopped-speaking", "user-audio-level", "bot-audio-level",
    }  # fmt: skip
    levels = [item["value"] for item in wanted.all("user-audio-level")]
    assert 0.8 < max(levels) <= 1 and min(levels) == 0


def test_mute_is_told() -> None:
    client = talk(nothing, listening=Listening(mute=["greeting"]), greeting="Hello there.")
    assert "user-mute-started" in kinds(client)
    client = talk(lambda client, _: wait(2.0), listening=Listening(mute=["greeting"]))
    assert [kind for kind in kinds(client) if "mute" in kind] == ["user-mute-started", "user-mute-stopped"]


def test_long_texts_and_many_keys_count_for_more() -> None:
    async def flood(client: WireClient, session: Session) -> None:
        keys = Keys()
        session.on(UserKey, keys.pressed)
        for number in range(30):
            client.say(
                "send-text", {"content": "x" * 20_000, "options": {"run_immediately": False}}, f"t{number}"
            )
        await wait(10)
        for number in range(10):
            client.say("dtmf", {"buttons": ["1"] * 64}, f"k{number}")
        await wait(1)

    class Keys:
        def pressed(self, key: UserKey) -> None: ...

    client = talk(flood)
    refused = [told.id for told in client.told if told.type == "error-response"]
    assert [number for number in refused if number[0] == "t"] == [f"t{number}" for number in range(9, 30)]
    assert [number for number in refused if number[0] == "k"] == [f"k{number}" for number in range(1, 10)]


def test_nothing_is_begun_behind_a_goodbye() -> None:
    async def leave(client: WireClient, session: Session) -> None:
        client.say("disconnect-bot")
        client.say("disconnect-bot", number="2")
        for number in range(5):
            client.say("send-text", {"content": "one more thing"}, f"t{number}")
        await wait(0.5)
        assert session.state == "ended"

    client = talk(leave, says=[LONG] * 5)
    assert "bot-llm-started" not in kinds(client)
    refused = [told.id for told in client.told if told.type == "error-response"]
    assert refused == ["2", *(f"t{number}" for number in range(5))]
