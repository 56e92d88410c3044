"""Sessions in one event loop: opened, bounded, reported, ended, and none troubles another."""

import asyncio
import gc
import json
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.errors import ConfigurationError
from antiphon.server.host import LoopHost
from antiphon.server.port import (
    Candidates,
    Offer,
    Opening,
    PhoneOpening,
    Refused,
    SessionBegan,
    SessionOver,
    SessionReport,
    TurnAnswered,
    WebRTCOpening,
    WebsocketOpening,
)
from antiphon.server.settings import ServerSettings
from antiphon.testing.scripted import LoudVAD, ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.testing.virtual import virtual


class Pipe:
    """A wire whose other end is the test."""

    def __init__(self) -> None:
        self.sent: list[bytes | str] = []
        self.closed: int | None = None
        self._came: asyncio.Queue[bytes | str | None] = asyncio.Queue()

    async def receive(self) -> bytes | str | None:
        return await self._came.get()

    def send(self, message: bytes | str) -> None:
        self.sent.append(message)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = code
        self._came.put_nowait(None)

    def say(self, kind: str, **data: Any) -> None:
        """What the client sends."""
        self._came.put_nowait(json.dumps({"label": "rtvi-ai", "type": kind, "id": "1", "data": data}))

    def put(self, message: dict[str, Any]) -> None:
        """What a provider sends."""
        self._came.put_nowait(json.dumps(message))

    def leave(self) -> None:
        self._came.put_nowait(None)

    def told(self, kind: str) -> bool:
        """Whether the client has been sent a message of this type."""
        return any(isinstance(message, str) and f'"type":"{kind}"' in message for message in self.sent)


def agent(**changed: Any) -> Agent:
    services: dict[str, Any] = {
        "stt": ScriptedSTT(["Hello."] * 9),
        "llm": ScriptedLLM(["Good day."] * 9),
        "tts": ScriptedTTS(),
        "vad": LoudVAD(),
        "eot": None,
    }
    return Agent("Be brief.", **(services | changed))


def opening(name: str = "agent", session: str = "s1") -> Opening:
    return WebsocketOpening(session, name, {"name": "Ada"}, framing="json")


def ready(pipe: Pipe) -> None:
    pipe.say("client-ready", version="2.1.0", about={"library": "test"})


@virtual
async def test_a_session_is_opened_talks_and_ends() -> None:
    reports: list[SessionReport] = []
    host = LoopHost({"agent": agent()}, on_report=reports.append)
    await host.start()
    pipe = Pipe()
    hosted = await host.open(opening(), pipe)
    ready(pipe)
    pipe.say("send-text", content="Hello?", options={})
    await LoopClock().sleep(5)
    assert (host.running, host.room) == (1, 99)
    assert pipe.told("bot-ready")
    assert pipe.told("bot-output")
    pipe.leave()
    reason = await hosted.wait()
    assert (host.running, host.room, hosted.session) == (0, 100, "s1")
    began, *turns, over = reports
    assert began == SessionBegan("s1", "agent", "websocket")
    assert isinstance(turns[0], TurnAnswered) and isinstance(over, SessionOver)
    assert turns[0].number == 1
    assert (turns[0].voice_to_voice or 0) > 0
    assert over.reason == reason
    assert over.seconds >= 0


@virtual
async def test_there_is_no_more_room_than_is_set() -> None:
    host = LoopHost({"agent": agent()}, ServerSettings(capacity=2))
    for number in range(2):
        await host.open(opening(session=f"s{number}"), Pipe())
    with pytest.raises(Refused) as refused:
        await host.open(opening(session="s3"), Pipe())
    assert (refused.value.status, refused.value.retry_after) == (429, 5)
    await host.close()
    assert (host.running, host.room) == (0, 2)


@virtual
async def test_an_agent_is_made_for_the_opening() -> None:
    seen: list[Opening] = []

    def make(opening: Opening) -> Agent:
        seen.append(opening)
        return agent()

    async def make_slowly(opening: Opening) -> Agent:
        await LoopClock().sleep(1)
        return make(opening)

    host = LoopHost({"quick": make, "slow": make_slowly})
    for name in ("quick", "slow"):
        await host.open(opening(name, session=name), Pipe())
    assert [(one.agent, one.body) for one in seen] == [("quick", {"name": "Ada"}), ("slow", {"name": "Ada"})]
    await host.close()


@virtual
async def test_what_cannot_be_opened_leaves_room(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: Opening) -> Agent:
        raise RuntimeError("the password is swordfish")

    def not_set_up(_: Opening) -> Agent:
        return Agent("")

    def leaving(_: Opening) -> Agent:
        raise SystemExit("the password is swordfish")  # it would end the server with all its calls

    host = LoopHost({"broken": broken, "not set up": not_set_up, "leaving": leaving})
    for name, status in (("nobody", 404), ("broken", 500), ("not set up", 500), ("leaving", 500)):
        with pytest.raises(Refused) as refused:
            await host.open(opening(name), Pipe())
        assert refused.value.status == status
        assert "swordfish" not in refused.value.detail
        assert host.running == 0
    assert "swordfish" in caplog.text  # for us


@virtual
async def test_a_session_that_fails_is_the_only_one() -> None:
    host = LoopHost({"agent": agent(), "broken": agent(llm=ScriptedLLM([[RuntimeError("boom")]]))})
    pipes = Pipe(), Pipe()
    sessions = [
        await host.open(opening(name, session=name), pipe)
        for name, pipe in zip(("agent", "broken"), pipes, strict=True)
    ]
    for pipe in pipes:
        ready(pipe)
        pipe.say("send-text", content="Hello?", options={})
    await LoopClock().sleep(10)
    assert pipes[0].told("bot-started-speaking")
    pipes[0].leave()
    await sessions[0].wait()
    await host.close()
    assert host.running == 0


@virtual
async def test_a_report_that_is_not_taken_ends_nothing() -> None:
    def broken(_: SessionReport) -> None:
        raise RuntimeError("no disk")

    host = LoopHost({"agent": agent()}, on_report=broken)
    pipe = Pipe()
    hosted = await host.open(opening(), pipe)
    ready(pipe)
    await LoopClock().sleep(1)
    assert host.running == 1
    await hosted.end("enough")
    assert await hosted.wait() == "enough"


@virtual
async def test_a_session_says_what_it_has_begun_to_say_before_it_is_ended() -> None:
    host = LoopHost({"agent": agent(greeting="Good day to you.")})
    pipe = Pipe()
    hosted = await host.open(opening(), pipe)
    ready(pipe)
    await LoopClock().sleep(0.5)
    assert not pipe.told("bot-stopped-speaking")
    await hosted.end("closing time")
    assert pipe.told("bot-stopped-speaking")
    assert host.running == 0


@virtual
async def test_a_websocket_has_no_offers() -> None:
    host = LoopHost({"agent": agent()})
    hosted = await host.open(opening(), Pipe())
    with pytest.raises(Refused) as refused:
        await hosted.offer(Offer("v=0"))
    assert refused.value.status == 400
    with pytest.raises(Refused) as refused:
        await hosted.add_candidates(Candidates("pc", ()))
    assert refused.value.status == 400
    await host.close()


@virtual
async def test_a_session_that_nobody_comes_to_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from antiphon.server import session_transport
    from antiphon.telemetry.latency import Latency
    from antiphon.transports.loopback import Loopback

    async def never() -> None:
        await asyncio.Event().wait()

    async def made(opening: Opening, *_: object) -> session_transport.SessionTransport:
        transport = Loopback()
        opened: Callable[[], Awaitable[None]] = never

        class Slow(type(transport.input)):
            async def open(self) -> None:
                await opened()

        transport.input = Slow()
        return session_transport.SessionTransport(transport, opening, Latency())

    monkeypatch.setattr(session_transport, "make", made)
    host = LoopHost({"agent": agent()}, ServerSettings(connect_within=20))
    hosted = await host.open(WebRTCOpening("s", "agent"), None)
    await LoopClock().sleep(19)
    assert host.running == 1
    assert await hosted.wait() == "nobody came"
    assert host.running == 0
    assert asyncio.get_running_loop().time() < 22


TWILIO = {
    "event": "start",
    "streamSid": "MZ1",
    "start": {
        "streamSid": "MZ1",
        "accountSid": "AC1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "customParameters": {"from": "+4930111"},
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
    },
}


@virtual
async def test_a_call_is_greeted_before_its_agent_is_made() -> None:
    seen: list[Any] = []

    def make(opening: Opening) -> Agent:
        seen.append(opening.call and opening.call.caller)
        return agent(greeting="Good day.")

    host = LoopHost({"agent": make})
    pipe = Pipe()
    pipe.put({"event": "connected", "protocol": "Call", "version": "1.0.0"})
    pipe.put(TWILIO)
    hosted = await host.open(PhoneOpening("s", "agent", provider="twilio"), pipe)
    await LoopClock().sleep(2)
    assert seen == ["+4930111"]
    assert any('"event":"media"' in str(message) for message in pipe.sent)
    pipe.put({"event": "stop", "streamSid": "MZ1"})
    await hosted.wait()
    assert host.running == 0


@virtual
async def test_a_call_that_we_made_has_the_name_that_its_provider_gave_it() -> None:
    seen: list[str | None] = []

    def make(opening: Opening) -> Agent:
        seen.append(opening.call and opening.call.call)
        return agent()

    host = LoopHost({"agent": make})
    for placed in ("", "u-1"):
        pipe = Pipe()
        pipe.put({"event": "websocket:connected", "content-type": "audio/l16;rate=16000"})
        await host.open(PhoneOpening("s", "agent", provider="vonage", placed=placed), pipe)
        await host.close()
    assert seen == ["", "u-1"]


@virtual
async def test_a_socket_on_which_no_call_begins_is_given_up() -> None:
    host = LoopHost({"agent": agent()})
    with pytest.raises(Refused) as refused:
        await host.open(PhoneOpening("s", "agent", provider="twilio"), Pipe())
    assert refused.value.status == 503
    assert (host.running, asyncio.get_running_loop().time()) == (0, 10)


@virtual
async def test_nothing_is_left_of_a_session() -> None:
    host = LoopHost({"agent": agent()})
    kept: list[weakref.ref[Any]] = []
    for number in range(3):
        pipe = Pipe()
        hosted = await host.open(opening(session=f"s{number}"), pipe)
        ready(pipe)
        pipe.say("send-text", content="Hello?", options={})
        await LoopClock().sleep(3)
        pipe.leave()
        await hosted.wait()
        kept += [weakref.ref(hosted), weakref.ref(pipe)]
        del hosted, pipe
    await LoopClock().sleep(1)
    gc.collect()
    assert [found() for found in kept] == [None] * 6


@virtual
async def test_the_log_does_not_tell_where_a_call_went(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    host = LoopHost({"agent": agent()})
    hosted = await host.open(opening(), pipe := Pipe())
    ready(pipe)
    await LoopClock().sleep(5)
    await hosted.end("transferred to +4930123456")
    assert "transferred to …456" in caplog.text
    assert "4930123456" not in caplog.text


class Counting(ScriptedLLM):
    """Counts how often it was opened and closed."""

    opened = closed = 0

    async def open(self) -> None:
        self.opened += 1

    async def close(self) -> None:
        self.closed += 1


@virtual
async def test_a_host_closes_what_its_agents_opened() -> None:
    llm = Counting([])
    host = LoopHost({"agent": agent(llm=llm)})
    await host.start()
    assert (llm.opened, llm.closed) == (1, 0)
    await host.close()
    assert llm.closed == 1


@virtual
async def test_an_agent_made_for_a_call_is_closed_after_its_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Counting] = []

    def create(port: str, spec: str) -> Counting:
        made.append(Counting([]))
        return made[-1]

    monkeypatch.setattr("antiphon.vendors.create", create)
    given = Counting([])
    shared = agent(llm="counting")
    host = LoopHost({"shared": lambda _: shared, "given": lambda _: agent(llm=given)})
    calls = [await host.open(opening("shared", session=name), Pipe()) for name in ("a", "b")]
    await calls[0].cancel("over")
    assert [llm.closed for llm in made] == [0], "another call uses it"
    await calls[1].cancel("over")
    assert [llm.closed for llm in made] == [1]
    calls = [await host.open(opening("given", session=name), Pipe()) for name in ("c", "d")]
    await calls[0].cancel("over")
    assert given.closed == 0, "another agent has it, too"
    await calls[1].cancel("over")
    assert given.closed == 1
    await host.close()


@virtual
async def test_services_that_agents_share_stay_open_until_the_last_call_is_over() -> None:
    shared = Counting([])
    base = agent(llm=shared)
    host = LoopHost({"agent": lambda _: base.with_services(stt=ScriptedSTT([]))})
    calls = [await host.open(opening(session=name), Pipe()) for name in ("a", "b")]
    await calls[0].cancel("over")
    assert shared.closed == 0
    await calls[1].cancel("over")
    assert shared.closed == 1
    await host.close()


@virtual
async def test_a_call_waits_for_a_service_that_is_being_closed() -> None:
    life: list[str] = []

    class Slow(ScriptedLLM):
        async def open(self) -> None:
            life.append("open")

        async def close(self) -> None:
            life.append("closing")
            await LoopClock().sleep(0.5)
            life.append("closed")

    one = agent(llm=Slow([]))
    host = LoopHost({"agent": lambda _: one})
    first = await host.open(opening(session="a"), Pipe())
    await LoopClock().sleep(0.1)
    ending = asyncio.create_task(first.cancel("over"))
    await LoopClock().sleep(0.2)
    second = await host.open(opening(session="b"), Pipe())
    await LoopClock().sleep(1)
    assert life == ["open", "closing", "closed", "open"]
    await ending
    await second.cancel("over")
    await host.close()


@virtual
async def test_a_host_that_cannot_start_closes_what_it_opened() -> None:
    class Keyless(ScriptedLLM):
        async def open(self) -> None:
            raise ConfigurationError("no key")

    good = Counting([])
    host = LoopHost({"good": agent(llm=good), "bad": agent(llm=Keyless([]))})
    with pytest.raises(ConfigurationError, match="no key"):
        await host.start()
    assert (good.opened, good.closed) == (1, 1)


@virtual
async def test_a_function_that_returns_no_agent_is_named(caplog: pytest.LogCaptureFixture) -> None:
    host = LoopHost({"agent": lambda _: None})  # type: ignore[dict-item]
    with pytest.raises(Refused):
        await host.open(opening(), Pipe())
    assert "the function for agent 'agent' returned None" in caplog.text
    assert host.room == host.settings.capacity
