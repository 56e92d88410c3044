"""SIP packet by packet, in the server's event loop: transfers, holding, codecs, refusals, registrations."""

import asyncio
import importlib.util
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from antiphon import Agent
from antiphon.audio.levels import rms
from antiphon.errors import ConfigurationError, UnavailableError, UsageError
from antiphon.frames import AgentKeys, Failed, SessionEnded, Transfer, UserAudio, UserKey
from antiphon.processor import Processor, on
from antiphon.server.run import run as run_loop
from antiphon.session import Session
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.testing.softphone import Dialog, SipPacket, Softphone, free_port, sdp, softphone
from antiphon.transports.sip import Endpoint, SIPSettings, transport

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(importlib.util.find_spec("baresip") is None, reason='needs "antiphon[sip]"'),
]

REPLACES = {"Supported": "replaces"}
OVER = "terminated;reason=noresource"
CHALLENGE = 'Digest realm="pbx", nonce="abc", algorithm=MD5, qop="auth"'


class Ear(Processor):
    """What came in of keys and of audio."""

    def __init__(self) -> None:
        self.keys = ""
        self.loud = 0.0  # seconds

    @on(UserKey)
    def key(self, frame: UserKey) -> None:
        self.keys += frame.key

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        if rms(frame.pcm) > -40:
            self.loud += len(frame.pcm) / 2 / frame.sample_rate
        self.push(frame)


@dataclass
class House:
    """An endpoint, and two telephones: a caller's, and one at a desk."""

    endpoint: Endpoint
    where: str
    caller: Softphone
    desk: Softphone
    told: list[str] = field(default_factory=list[str])
    """What failed in the session, and how it ended."""
    ear: Ear = field(default_factory=Ear)

    async def talk(self, body: str | None = None, **headers: str) -> tuple[Dialog, Session]:
        """A call of the caller's that has been answered."""
        calling = asyncio.create_task(self.caller.call(self.where, body=body, **(REPLACES | headers)))
        session = await self.answer()
        return await calling, session

    async def answer(self) -> Session:
        """Take the next call."""
        line = await (await anext(self.endpoint.calls())).answer()
        first, *rest = agent().pipeline(line)
        session = Session([first, self.ear, *rest])
        session.on(Failed, lambda failed: self.told.append(failed.message))
        session.on(SessionEnded, lambda ended: self.told.append(ended.reason))
        await session.start()
        return session

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for it."""
        async with asyncio.timeout(4):
            while not true():
                await asyncio.sleep(0.02)


def agent() -> Agent:
    return Agent(
        "You are brief.",
        stt=ScriptedSTT([]),
        llm=ScriptedLLM([]),
        tts=ScriptedTTS(),
        vad=None,
        eot=None,
        greeting="Hello.",
    )


@asynccontextmanager
async def house(**settings: Any) -> AsyncGenerator[House]:
    where = f"127.0.0.1:{free_port()}"
    chosen: dict[str, Any] = {"listen": where, "codecs": ("g722/16000/1", "pcmu")} | settings
    async with (
        asyncio.timeout(30),
        Endpoint(SIPSettings(**chosen)) as endpoint,
        softphone() as caller,
        softphone("desk") as desk,
    ):
        yield House(endpoint, where, caller, desk)


def run(play: Callable[[House], Awaitable[None]], **settings: Any) -> None:
    async def main() -> None:
        async with house(**settings) as here:
            await play(here)

    run_loop(main())


async def notify(call: Dialog, status: str, state: str = "active;expires=60") -> None:
    """The caller's telephone tells what has become of the transfer."""
    call.ask(
        *("NOTIFY", f"SIP/2.0 {status}\r\n"),
        **{"Event": "refer", "Subscription-State": state, "Content-Type": "message/sipfrag;version=2.0"},
    )
    await call.phone.expect("200 NOTIFY")


async def goes_on(call: Dialog) -> None:
    """The caller still hears us: some 50 packets in a second."""
    begun = len(call.media.heard)
    await asyncio.sleep(0.5)
    assert len(call.media.heard) - begun > 15


def whats(packets: list[SipPacket]) -> list[str]:
    return [packet.what for packet in packets]


# Cold transfers --------------------------------------------------------------------------------------


def test_a_cold_transfer_ends_the_call_when_the_other_side_has_answered() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        session.send(Transfer(here.desk.uri))
        refer = await here.caller.expect("REFER")
        assert refer["Refer-To"].strip("<>") == here.desk.uri
        here.caller.answer(refer, "202 Accepted")
        await notify(call, "100 Trying")
        await notify(call, "180 Ringing")
        assert session.state == "running", "until then the agent goes on"
        await notify(call, "200 OK", OVER)
        here.caller.answer(await here.caller.expect("BYE"), "200 OK")
        await session.wait()
        assert here.told == [f"transferred to {here.desk.uri}"]

    run(play)


@pytest.mark.parametrize(
    ("answer", "notes"),
    [
        ("403 Forbidden", []),
        ("603 Decline", []),
        ("202 Accepted", ["486 Busy Here"]),
        ("202 Accepted", ["100 Trying", "180 Ringing", "503 Service Unavailable"]),
    ],
)
def test_a_cold_transfer_that_is_refused_leaves_the_call_as_it_was(answer: str, notes: list[str]) -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        for again in (1, 2):  # a second one is possible
            session.send(Transfer(here.desk.uri))
            here.caller.answer(await here.caller.expect("REFER"), answer)
            for status in notes:
                await notify(call, status, OVER if status is notes[-1] else "active;expires=60")
            await here.until(lambda again=again: len(here.told) == again)
            assert (notes or [answer])[-1] in here.told[-1]
            await goes_on(call)
        await call.hang_up()
        await session.wait()
        assert here.told[2:] == ["the caller hung up"]

    run(play)


def test_a_cold_transfer_of_which_nothing_is_heard_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "OUTCOME_WITHIN", 0.5)

    async def play(here: House) -> None:
        call, session = await here.talk()
        session.send(Transfer(here.desk.uri))
        here.caller.answer(await here.caller.expect("REFER"), "202 Accepted")
        await notify(call, "100 Trying")
        await here.until(lambda: here.told)
        assert "no transfer outcome within 0.5 s" in here.told[0]
        await goes_on(call)
        await call.hang_up()
        await session.wait()

    run(play)


def test_who_hangs_up_in_the_middle_of_a_transfer_has_hung_up() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        session.send(Transfer(here.desk.uri))
        here.caller.answer(await here.caller.expect("REFER"), "202 Accepted")
        await notify(call, "100 Trying")
        await call.hang_up()
        await session.wait()
        assert here.told == ["the caller hung up"], "and nothing has failed"

    run(play)


def test_numbers_are_called_where_the_caller_is() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        session.send(Transfer("+49 30 123-4"))
        refer = await here.caller.expect("REFER")
        assert refer["Refer-To"].strip("<>") == f"sip:+49301234@127.0.0.1:{here.caller.port}"
        here.caller.answer(refer, "403 Forbidden")
        session.send(Transfer("the workshop"))
        await here.until(lambda: len(here.told) == 2)
        assert "write a number, or sip:name@host" in here.told[1]
        await call.hang_up()
        await session.wait()

    run(play)


# Warm transfers --------------------------------------------------------------------------------------


def test_a_warm_transfer_announces_and_then_connects_the_two() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        session.send(Transfer(here.desk.uri, warm=True, announcement="A customer asks for a repair."))
        invite = await here.desk.expect("INVITE")
        here.desk.answer(invite, "180 Ringing")
        await goes_on(call)
        desk = await here.desk.accept(invite, **REPLACES)
        refer = await here.caller.expect("REFER", 8)
        loud = sum(0.02 for _, _, pcm in desk.media.heard if rms(pcm) > -40)
        assert loud == pytest.approx(29 / 15, abs=0.15), "the announcement was heard, all of it"
        assert f"Replaces={desk.call_id}%3B" in refer["Refer-To"]
        assert refer["Refer-To"].startswith(f"<{here.desk.uri}")
        here.caller.answer(refer, "202 Accepted")
        await notify(call, "200 OK", OVER)
        here.caller.answer(await here.caller.expect("BYE"), "200 OK")
        here.desk.answer(await here.desk.expect("BYE"), "200 OK")
        await session.wait()
        assert here.told == [f"transferred to {here.desk.uri}"]
        assert "a=sendonly" in _offers(here.caller)[-1], "the caller was put on hold for it"

    run(play)


@pytest.mark.parametrize("answer", ["403 Forbidden", "202 Accepted"])
def test_a_warm_transfer_that_the_callers_side_refuses_takes_the_caller_back(answer: str) -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        session.send(Transfer(here.desk.uri, warm=True))
        await here.desk.accept(await here.desk.expect("INVITE"), **REPLACES)
        here.caller.answer(await here.caller.expect("REFER"), answer)
        if answer.startswith("202"):
            await notify(call, "503 Service Unavailable", OVER)
        here.desk.answer(await here.desk.expect("BYE"), "200 OK")
        await here.until(lambda: here.told)
        assert "could not be transferred" in here.told[0]
        await here.until(lambda: "a=sendrecv" in _offers(here.caller)[-1])
        await asyncio.sleep(0.2)
        await goes_on(call)
        await call.hang_up()
        await session.wait()

    run(play)


def test_without_replaces_the_caller_is_taken_back() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk(Supported="timer")
        session.send(Transfer(here.desk.uri, warm=True))
        await here.desk.accept(await here.desk.expect("INVITE"))
        here.desk.answer(await here.desk.expect("BYE"), "200 OK")
        await here.until(lambda: here.told)
        assert "does not support the Replaces header" in here.told[0]
        await here.until(lambda: "a=sendrecv" in _offers(here.caller)[-1])
        await call.hang_up()
        await session.wait()

    run(play)


def test_a_desk_that_is_busy_or_does_not_answer_leaves_the_caller_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transport, "RING", 0.7)

    async def play(here: House) -> None:
        call, session = await here.talk()
        session.send(Transfer(here.desk.uri, warm=True))
        here.desk.answer(await here.desk.expect("INVITE"), "486 Busy Here")
        await here.until(lambda: len(here.told) == 1)
        assert "486 Busy Here" in here.told[0]
        session.send(Transfer(here.desk.uri, warm=True))
        here.desk.answer(await here.desk.expect("INVITE"), "180 Ringing")
        await here.desk.expect("CANCEL")
        await here.until(lambda: len(here.told) == 2)
        assert "not established within 0.7 s" in here.told[1]
        await goes_on(call)
        assert "REFER" not in whats(here.caller.seen)
        await call.hang_up()
        await session.wait()

    run(play)


def test_a_desk_that_hangs_up_during_the_announcement_gets_no_caller() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        session.send(Transfer(here.desk.uri, warm=True, announcement="Somebody with a long story."))
        desk = await here.desk.accept(await here.desk.expect("INVITE"), **REPLACES)
        await asyncio.sleep(0.5)
        await desk.hang_up()
        await here.until(lambda: here.told)
        assert "left during the announcement" in here.told[0]
        await goes_on(call)
        assert "REFER" not in whats(here.caller.seen)
        await call.hang_up()
        await session.wait()

    run(play)


@pytest.mark.parametrize("answered", [False, True])
def test_a_caller_who_leaves_takes_the_call_to_the_desk_along(answered: bool) -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        session.send(Transfer(here.desk.uri, warm=True, announcement="Somebody with a long story."))
        invite = await here.desk.expect("INVITE")
        if answered:
            await here.desk.accept(invite, **REPLACES)
            await asyncio.sleep(0.3)
        else:
            here.desk.answer(invite, "180 Ringing")
            await asyncio.sleep(0.1)
        await call.hang_up()
        await here.desk.expect("BYE" if answered else "CANCEL")
        await session.wait()
        assert here.told == ["the caller hung up"]

    run(play)


def _offers(phone: Softphone) -> list[str]:
    return [packet.body for packet in phone.seen if packet.what == "INVITE"] or [""]


# What a telephone does with a call --------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_a_caller_may_hold_the_call_and_take_it_up(direction: str) -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        call.media.speaks = True  # music, that is nobody's speech
        await here.until(lambda: here.ear.loud > 0.1)
        held = await call.invite(sdp(call.media.port, direction=direction))
        assert {"sendonly": "a=recvonly", "inactive": "a=inactive"}[direction] in held.body
        call.media.sends = direction == "sendonly"
        await asyncio.sleep(0.2)
        loud, packets = here.ear.loud, len(call.media.heard)
        session.say("Nobody hears this.")
        await asyncio.sleep(3.0)  # longer than a caller may be silent who does not hold
        assert session.state == "running"
        assert len(call.media.heard) == packets
        assert here.ear.loud == loud
        call.media.sends, call.media.speaks = True, False
        assert "a=sendrecv" in (await call.invite(sdp(call.media.port))).body
        await asyncio.sleep(0.3)
        packets = len(call.media.heard)
        session.say("Here I am.")
        await asyncio.sleep(1.2)
        loud = sum(0.02 for _, _, pcm in call.media.heard[packets:] if rms(pcm) > -40)
        assert loud == pytest.approx(10 / 15, abs=0.1), "what was said meanwhile does not follow"
        await call.hang_up()
        await session.wait()

    run(play, vanished_after=2)


def test_another_codec_may_be_agreed_on_in_the_middle_of_a_call() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        await here.until(lambda: call.media.heard)
        answer = await call.invite(sdp(call.media.port, (9, 101)))
        assert "a=rtpmap:9 G722/8000" in answer.body and "PCMU" not in answer.body
        call.media.kind = 9  # twice the samples a second
        await asyncio.sleep(0.3)
        here.ear.loud, call.media.speaks = 0.0, True
        session.say("Nine to five.")
        begun = len(call.media.heard)
        await asyncio.sleep(1.0)
        call.media.speaks = False
        await asyncio.sleep(0.5)
        assert call.media.kinds == [0, 9]
        assert here.ear.loud == pytest.approx(1.0, abs=0.25), "heard at the right speed"
        spoken = [len(pcm) / 2 / 16000 for _, _, pcm in call.media.heard[begun:] if rms(pcm) > -40]
        assert sum(spoken) == pytest.approx(13 / 15, abs=0.2), "and spoken at it"
        await call.hang_up()
        await session.wait()

    run(play)


@pytest.mark.parametrize("more", ["", "m=video 40010 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=sendrecv\r\n"])
def test_the_media_are_agreed_on_once(more: str) -> None:
    """The stack sends no re-INVITE by itself: to a caller who ignores it, it would hang up after 32 s."""

    async def play(here: House) -> None:
        dialling = asyncio.create_task(here.endpoint.dial(here.desk.uri))
        ours = await here.desk.accept(await here.desk.expect("INVITE"))
        line = await dialling
        call, session = await here.talk(sdp(ours.media.port) + more if more else None)
        await asyncio.sleep(0.4)  # it would come within 150 ms
        assert whats(here.caller.seen) == ["180 INVITE", "200 INVITE"]
        assert whats(here.desk.seen) == ["INVITE", "ACK"]
        await call.hang_up()
        await session.wait()
        await line.close()

    run(play)


@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_calls_come_over_udp_and_over_tcp(protocol: str) -> None:
    """A caller over TCP gets the answer over it, whatever protocol our own calls and registrations use."""

    async def play(here: House) -> None:
        await here.talk()
        host, port = here.where.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body, us = sdp(free_port()), "{}:{}".format(*writer.get_extra_info("sockname"))
        invite = [
            f"INVITE sip:agent@{here.where} SIP/2.0",
            f"Via: SIP/2.0/TCP {us};branch=z9hG4bK1;rport",
            f"From: <sip:caller@{us}>;tag=1",
            f"To: <sip:agent@{here.where}>",
            "Call-ID: over-tcp",
            "CSeq: 1 INVITE",
            f"Contact: <sip:caller@{us};transport=tcp>",
            "Content-Type: application/sdp",
            f"Content-Length: {len(body)}",
        ]
        writer.write("\r\n".join([*invite, "", body]).encode())
        ringing = await anext(here.endpoint.calls())
        answering = asyncio.create_task(ringing.answer())
        for status in ("180 Ringing", "200 Answering"):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            assert head.startswith(f"SIP/2.0 {status}"), head
            size = next(line for line in head.splitlines() if line.startswith("Content-Length"))
            await reader.readexactly(int(size.split()[1]))
        to = next(line for line in head.splitlines() if line.startswith("To:"))
        ack = [invite[0].replace("INVITE", "ACK"), *invite[1:3], to, invite[4], "CSeq: 1 ACK"]
        writer.write("\r\n".join([*ack, "Content-Length: 0", "", ""]).encode())
        await (await answering).close()
        writer.close()

    run(play, protocol=protocol)


def test_the_last_words_go_out_before_the_call_is_hung_up() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        await asyncio.sleep(0.5)
        begun = len(call.media.heard)
        session.say("A last word.")
        await session.end("done")
        here.caller.answer(await here.caller.expect("BYE"), "200 OK")
        await asyncio.sleep(0.3)  # what came before the BYE may be read after it
        loud = sum(0.02 for _, _, pcm in call.media.heard[begun:] if rms(pcm) > -40)
        assert loud == pytest.approx(12 / 15, abs=0.06)

    run(play)


def test_a_caller_who_vanishes_is_given_up() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        call.media.sends = False
        await session.wait()
        await here.caller.expect("BYE")
        assert here.told == ["the caller vanished"]

    run(play, vanished_after=1)


def test_with_the_endpoint_its_calls_are_over() -> None:
    async def main() -> None:
        async with house() as here:
            _, session = await here.talk()
        await session.wait()
        assert here.told == ["the line was closed"]
        assert [ringing async for ringing in here.endpoint.calls()] == []
        with pytest.raises(UsageError, match="open the endpoint first"):
            await here.endpoint.dial("sip:a@127.0.0.1")

    run_loop(main())


def test_keys_may_come_as_messages() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        call.ask("INFO", "Signal=5\r\nDuration=160\r\n", Content_Type="application/dtmf-relay")
        await here.caller.expect("200 INFO")
        await here.until(lambda: here.ear.keys == "5")
        call.media.keys = [11, 1]
        await here.until(lambda: here.ear.keys == "5#1")
        session.send(AgentKeys("0#"))
        await here.until(lambda: call.media.pressed == [0, 11])
        session.send(AgentKeys("x"))
        await here.until(lambda: here.told)
        assert "'x' cannot be pressed" in here.told[0]
        await call.hang_up()
        await session.wait()

    run(play)


def test_who_gives_up_before_we_answer_is_let_go() -> None:
    async def play(here: House) -> None:
        call = await here.caller.ring(here.where)
        await here.caller.expect("180 INVITE")
        call.ask("CANCEL")
        await here.caller.expect("200 CANCEL")
        await here.caller.expect("487 INVITE")
        ringing = await anext(here.endpoint.calls())
        with pytest.raises(UnavailableError, match="could not be answered"):
            await ringing.answer()
        await ringing.decline()  # and nothing more

    run(play)


def test_who_is_declined_hears_that_it_is_busy() -> None:
    async def play(here: House) -> None:
        await here.caller.ring(here.where, "+4930123")
        ringing = await anext(here.endpoint.calls())
        assert ringing.called == "+4930123"
        assert ringing.caller == here.caller.uri
        await ringing.decline()
        await here.caller.expect("486 INVITE")

    run(play)


def test_a_call_may_come_without_an_offer() -> None:
    async def play(here: House) -> None:
        call = await here.caller.ring(here.where, body="")
        answering = asyncio.create_task(here.answer())
        answer = await here.caller.expect("200 INVITE")
        assert 21000 <= int(answer.body.partition("m=audio ")[2].split()[0]) <= 21100
        call.remote, call.target = answer["To"], answer["Contact"].strip("<>")
        call.ask("ACK", sdp(call.media.port), Content_Type="application/sdp")
        session = await answering
        await goes_on(call)
        await call.hang_up()
        await session.wait()

    run(play, ports="21000-21100")


def test_requests_that_are_none_of_a_call() -> None:
    async def play(here: House) -> None:
        call, session = await here.talk()
        call.ask("OPTIONS")
        alive = await here.caller.expect("200 OPTIONS")
        assert "REFER" in alive["Allow"]
        call.ask("REFER", **{"Refer-To": "<sip:+900@127.0.0.1:9>"})  # nobody makes us call somewhere
        await here.caller.expect("202 REFER")
        note = await here.caller.expect("NOTIFY")
        while "100 Trying" in note.body or not note.body:
            here.caller.answer(note, "200 OK")
            note = await here.caller.expect("NOTIFY")
        assert "603" in note.body
        here.caller.answer(note, "200 OK")
        await goes_on(call)
        await call.hang_up()
        await session.wait()

    run(play)


def test_session_timers_are_the_other_sides_affair() -> None:
    """RFC 4028 is not the stack's: it takes refreshes, makes none, and refuses who requires it."""

    async def play(here: House) -> None:
        timer = {"Session-Expires": "90;refresher=uac", "Min-SE": "90"}
        call, session = await here.talk(**(timer | {"Supported": "timer"}))
        answer = next(packet for packet in here.caller.seen if packet.what == "200 INVITE")
        assert not answer["Session-Expires"], "it does not promise what it does not do"
        call.ask("UPDATE", **timer)
        await here.caller.expect("200 UPDATE")
        await call.invite(sdp(call.media.port))
        await goes_on(call)
        await call.hang_up()
        await session.wait()
        await here.caller.ring(here.where, Require="timer", **timer)
        assert (await here.caller.expect("420 INVITE"))["Unsupported"] == "timer"

    run(play)


# Calls that we make, and who we are -------------------------------------------------------------------


def test_a_call_that_nobody_takes() -> None:
    async def play(here: House) -> None:
        async def dial() -> None:
            with pytest.raises(UnavailableError) as caught:
                await here.endpoint.dial(here.desk.uri, within=0.7)
            here.told.append(str(caught.value))

        dialling = asyncio.create_task(dial())
        here.desk.answer(
            await here.desk.expect("INVITE"), "401 Unauthorized", **{"WWW-Authenticate": CHALLENGE}
        )
        second = await here.desk.expect("INVITE")
        assert 'username="shop"' in second["Authorization"]
        here.desk.answer(second, "403 Forbidden")
        await dialling
        for status in ("486 Busy Here", "603 Decline", "404 Not Found"):
            dialling = asyncio.create_task(dial())
            here.desk.answer(await here.desk.expect("INVITE"), status)
            await dialling
        dialling = asyncio.create_task(dial())
        here.desk.answer(await here.desk.expect("INVITE"), "180 Ringing")
        await here.desk.expect("CANCEL")
        await dialling
        for status, said in zip(("403", "486", "603", "404", "within 0.7 s"), here.told, strict=True):
            assert status in said

    async def main() -> None:
        async with softphone("registrar") as registrar:
            registering = asyncio.create_task(_register(registrar, "200 OK"))
            async with house(user="shop", password="secret", domain=f"127.0.0.1:{registrar.port}") as here:
                await registering
                await play(here)
                leaving = asyncio.create_task(_register(registrar, "200 OK"))
            await leaving
            assert "expires=0" in registrar.seen[-1]["Contact"], "it does not stay registered"

    run_loop(main())


async def _register(registrar: Softphone, status: str) -> None:
    first = await registrar.expect("REGISTER")
    if not first["Authorization"]:
        registrar.answer(first, "401 Unauthorized", **{"WWW-Authenticate": CHALLENGE})
        first = await registrar.expect("REGISTER")
        assert 'username="shop"' in first["Authorization"]
    registrar.answer(first, status, Expires="600")


def test_a_call_that_we_make_is_a_session_like_others() -> None:
    async def play(here: House) -> None:
        dialling = asyncio.create_task(here.endpoint.dial(here.desk.uri))
        call = await here.desk.accept(await here.desk.expect("INVITE"))
        session = agent().session(await dialling)
        await session.start()
        await goes_on(call)
        await session.end("done")
        here.desk.answer(await here.desk.expect("BYE"), "200 OK")

    run(play)


def test_a_wrong_password_is_told() -> None:
    async def main() -> None:
        async with softphone("registrar") as registrar:
            registering = asyncio.create_task(_register(registrar, "403 Forbidden"))
            with pytest.raises(ConfigurationError, match="403 Forbidden"):
                async with house(user="shop", password="wrong", domain=f"127.0.0.1:{registrar.port}"):
                    pass
            await registering

    run_loop(main())


def test_an_address_that_is_taken_or_not_ours_is_told() -> None:
    async def main() -> None:
        async with softphone() as other:
            for where in (f"127.0.0.1:{other.port}", "203.0.113.9:5060", "nowhere.invalid:5060"):
                with pytest.raises(ConfigurationError, match=f"cannot listen on {where}"):
                    async with house(listen=where):
                        pass

    run_loop(main())


def test_what_would_bring_the_stack_down_is_not_given_to_it() -> None:
    async def play(here: House) -> None:
        for to in ("+4930123", "", "nobody", "sip:", "tel:+4930", "sips:a@127.0.0.1", "http://x", "a b@c"):
            with pytest.raises(UsageError, match="cannot be called"):
                await here.endpoint.dial(to)

    run(play)
