"""One call, with every provider: answer, greet, barge-in, keys, marks, transfer, and either side hangs up."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from antiphon.audio.dtmf import DtmfDetector
from antiphon.errors import BadResponseError, ServiceTimeoutError, UnavailableError
from antiphon.frames import AgentKeys, Transfer, UserAudio
from antiphon.processor import on
from antiphon.stage import Stage
from antiphon.testing import virtual
from antiphon.transports.telephony.port import Document
from antiphon.transports.telephony.providers import provider
from antiphon.transports.telephony.rest import Rest
from antiphon.transports.telephony.transport import greet
from antiphon.transports.wire import READS_TOO_SLOWLY

Answered = Callable[..., Any]

VOICE = b"\xfc\x10"  # a sample that mu-law keeps as it is


def told(kinds: list[tuple[str, Any]]) -> list[str]:
    return [kind for kind, _ in kinds]


@virtual
async def test_the_handshake_tells_the_call(far: Any, answered: Answered) -> None:
    call = await answered(far)
    assert call.telephone.call == far.call
    assert call.telephone.sample_rate == far.rate
    assert [kind for kind in told(call.sent) if kind != "opened"] == []


@virtual
async def test_the_caller_is_heard_in_the_time_of_the_session(far: Any, answered: Answered) -> None:
    call = await answered(far)
    said = VOICE * (far.rate // 2)
    async with call.session:
        await call.wait(1.0)
        await call.talk(said)
        await call.wait(0.05)
    assert b"".join(frame.pcm for frame in call.audio) == said
    assert {frame.sample_rate for frame in call.audio} == {far.rate}
    assert [frame.at for frame in call.audio] == [
        far.rate + index * far.rate // 50 for index in range(len(call.audio))
    ]
    assert call.failures == []


@virtual
async def test_a_line_that_falls_silent_is_heard_in_the_present_and_a_stall_in_the_past(
    far: Any, answered: Answered
) -> None:
    call = await answered(far)
    async with call.session:
        await call.talk(VOICE * far.rate)
        await call.wait(3.0)
        begun = call.session.elapsed()
        await call.talk(VOICE * far.rate)
        new = [frame for frame in call.audio if frame.at > far.rate * 1.5]
        assert sum(len(frame.pcm) // 2 for frame in new) == far.rate, "no sample is lost"
        assert new[0].at == pytest.approx(begun * far.rate, abs=0.021 * far.rate)
        await call.wait(2.0)
        heard = len(call.audio)
        for number in range(100):
            call.wire.put(far.says(VOICE * (far.rate // 50), number))
        await call.wait(0.01)
        late = call.audio[heard:]
        assert late[0].at == new[-1].at + len(new[-1].pcm) // 2
        assert sum(len(frame.pcm) // 2 for frame in late) == 2 * far.rate
    assert call.failures == []


class Slow(Stage):
    """Works on the first frame that it gets, and never finishes."""

    @on(UserAudio)
    async def audio(self, frame: UserAudio) -> None:
        await asyncio.Event().wait()


@virtual
async def test_a_slow_part_never_holds_the_reader(fars: Any, answered: Answered) -> None:
    call = await answered(fars["twilio"](), parts=[Slow()])
    async with call.session:
        await call.talk(VOICE * int(8000 * 2 * Slow.inbox_seconds))
        await call.wait(0.05)
        assert len(call.audio) == 2 * Slow.inbox_seconds / 0.02


@virtual
async def test_the_agent_is_heard_and_no_more_than_the_lead_ahead(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.speaker.speak(VOICE * far.rate, far.rate)
        await call.wait(0.5)
        ahead = len(call.heard) / 2 / far.rate - 0.5
        assert 0 <= ahead <= call.telephone.lead + 0.021
        await call.wait(1.0)
    assert call.heard.rstrip(b"\0") == VOICE * far.rate
    assert len(call.heard) - 2 * far.rate < 0.2 * 2 * far.rate, "filled up to a packet at most"
    assert call.times("audio")[0] == 0.0, "the first words go out at once"
    assert call.times("clear") == []


@virtual
async def test_barge_in_clears_what_the_far_end_holds(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.speaker.speak(VOICE * far.rate * 3, far.rate)
        await call.wait(0.51)
        held = len(call.sent)
        call.session.interrupt()
        await call.wait(1.0)
        assert told(call.sent[held:]) == ["clear"] * far.clears
        call.speaker.speak(VOICE * far.rate, far.rate)
        await call.wait(0.2)
        assert set(told(call.sent[held + far.clears :])) <= {"audio", "mark"}
        call.session.playout.pause()
        await call.wait(1.0)
        assert len(call.times("clear")) == 2 * far.clears
        heard = len(call.heard)
        call.session.interrupt()
        await call.wait(0.5)
        assert len(call.times("clear")) == 2 * far.clears, "it holds nothing any more"
        assert len(call.heard) == heard


@virtual
async def test_marks_say_how_far_the_caller_has_heard(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.speaker.speak(VOICE * far.rate, far.rate)
        await call.wait(1.3)
        marks = [name for kind, name in call.sent if kind == "mark"]
        if far.plays is None:
            assert marks == []
            return
        assert len(marks) >= 4
        for name in marks:
            call.wire.put(far.plays(name))
        await call.wait(0.05)
        assert call.played == sorted(call.played)
        assert call.played[-1] == far.rate, "the place on the output timeline where the reply has ended"
        call.wire.put(far.plays(marks[0]))
        await call.wait(0.05)
        assert len(call.played) <= len(marks), "a mark that comes twice is no news"


@virtual
async def test_marks_of_what_was_cleared_are_no_news(far: Any, answered: Answered) -> None:
    if far.plays is None or not far.clears:
        pytest.skip("it has no marks")
    call = await answered(far)
    async with call.session:
        call.speaker.speak(VOICE * far.rate, far.rate)
        await call.wait(0.5)
        marks = [name for kind, name in call.sent if kind == "mark"]
        call.session.interrupt()
        for name in marks:
            call.wire.put(far.plays(name))
        await call.wait(0.1)
        assert call.played == []


@virtual
async def test_keys_are_heard(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        for key in "1*#" if far.presses else "":
            call.wire.put(far.presses(key))
        await call.wait(0.05)
    assert call.keys == (["1", "*", "#"] if far.presses else [])
    assert call.failures == []


@virtual
async def test_keys_are_pressed(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.session.send(AgentKeys("12#"))
        await call.wait(1.0)
    if far.pressing:
        assert call.sent == [("keys", "12#")]
    else:
        detector = DtmfDetector(far.rate)
        assert detector(call.heard) == "12#"
    assert call.failures == []


@virtual
async def test_the_caller_hangs_up(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.speaker.speak(VOICE * far.rate, far.rate)
        await call.wait(0.2)
        call.leave()
        async with asyncio.timeout(1.0):
            await call.session.wait()
    assert call.ended == ["the caller hung up"]
    assert call.wire.closed
    assert "goodbye" not in told(call.sent)


@virtual
async def test_a_lost_connection_is_a_call_that_is_over(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.wire.put(None)
        async with asyncio.timeout(1.0):
            await call.session.wait()
    assert call.ended == ["the caller hung up"]


@virtual
async def test_the_agent_hangs_up_when_its_last_words_were_heard(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.speaker.speak(VOICE * (far.rate // 2), far.rate)
        ending = asyncio.create_task(call.session.end("done"))
        await call.wait(0.7)
        if far.plays is not None:
            assert not call.wire.closed
            assert "goodbye" not in told(call.sent), "the far end has not played the last words yet"
            for name in [name for kind, name in call.sent if kind == "mark"]:
                call.wire.put(far.plays(name))
        await call.wait(0.1)
        call.wire.put(None)
        await ending
    await call.telephone.close()
    assert call.wire.closed
    assert told(call.sent).count("goodbye") == bool(far.goodbye)
    assert call.ended == ["done"]


@virtual
async def test_a_far_end_that_never_answers_does_not_hold_up_the_end(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.speaker.speak(VOICE * (far.rate // 2), far.rate)
        await call.session.end("done")
    async with asyncio.timeout(5.0):
        await call.telephone.close()
    assert call.wire.closed


@virtual
async def test_rubbish_is_reported_and_too_much_of_it_ends_the_call(far: Any, answered: Answered) -> None:
    call = await answered(far)
    rubbish = "{" if far.name not in ("audiosocket", "genesys", "asterisk") else "{]"
    async with call.session:
        call.wire.put(rubbish)
        await call.talk(VOICE * (far.rate // 50))
        await call.wait(0.05)
        assert [failure.error for failure in call.failures] == ["BadResponseError"]
        assert call.audio, "the call goes on"
        for _ in range(30):
            call.wire.put(rubbish)
        async with asyncio.timeout(10.0):
            await call.session.wait()
    assert call.ended == ["the provider could not be understood"]


@virtual
async def test_a_slow_reader_is_not_said_to_have_hung_up(
    far: Any, answered: Answered, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def receive() -> None:
        raise UnavailableError(READS_TOO_SLOWLY)

    call = await answered(far)
    monkeypatch.setattr(call.wire, "receive", receive)
    async with call.session:
        await call.wait(0.1)
    await call.telephone.close()
    assert call.ended == [READS_TOO_SLOWLY]


@virtual
async def test_a_line_that_is_bad_now_and_then_goes_on(fars: Any, answered: Answered) -> None:
    call = await answered(fars["twilio"]())
    async with call.session:
        for _ in range(40):
            call.wire.put("{")
            await call.talk(VOICE * 8000)
        assert call.ended == []
        assert len(call.failures) == 40


@virtual
async def test_a_handshake_that_does_not_come_is_given_up(far: Any) -> None:
    codec, wire = provider(far.name).codec(), _Silent()
    with pytest.raises(ServiceTimeoutError):
        await greet(codec, wire, within=3.0)
    assert asyncio.get_running_loop().time() == pytest.approx(3.0)
    wire.over.set()
    with pytest.raises(UnavailableError):
        await greet(codec, wire)


class _Silent:
    def __init__(self) -> None:
        self.over = asyncio.Event()

    async def receive(self) -> bytes | str | None:
        await self.over.wait()
        return None

    def send(self, message: bytes | str) -> None: ...

    async def close(self, code: int = 1000, reason: str = "") -> None: ...


# Requests to providers -------------------------------------------------------------------------------

CREDENTIALS = {
    "twilio": {"sid": "AC123", "token": "t", "number": "+49302"},
    "signalwire": {"space": "x.signalwire.com", "project": "P", "token": "t", "number": "+49302"},
    "telnyx": {"key": "k", "connection": "c", "number": "+49302"},
    "plivo": {"id": "A1", "token": "t", "number": "+49302"},
    "bandwidth": {"account": "A1", "client_id": "i", "client_secret": "s", "application": "p"},
    "asterisk": {"url": "http://pbx:8088/ari", "ari_user": "u", "ari_password": "p"},
}


def published(document: Document) -> str:
    return "https://us/1"


class Web:
    """A provider on the web, which answers as it is told and remembers what it was asked."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, str]] = []
        self.rest = Rest(httpx.AsyncClient(transport=httpx.MockTransport(self._answer)))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append((request.method, str(request.url), request.content.decode()))
        status, data = self.answers.pop(0) if self.answers else (200, {"access_token": "x"})
        return httpx.Response(status, content=json.dumps(data))


@virtual
async def test_the_agent_hangs_up_by_a_request(far: Any, answered: Answered) -> None:
    if far.name not in CREDENTIALS or far.goodbye:
        pytest.skip("it takes no request")
    web = Web()
    call = await answered(far, rest=web.rest, credentials=CREDENTIALS[far.name])
    async with call.session:
        await call.wait(0.1)
        await call.session.end("done")
    await call.telephone.close()
    method, url, _ = web.asked[-1]
    assert far.call.call.replace(":", "%3A") in url
    assert method in ("POST", "DELETE")
    assert call.wire.closed


@virtual
async def test_a_hang_up_that_fails_is_no_trouble(far: Any, answered: Answered) -> None:
    if far.name not in CREDENTIALS or far.goodbye:
        pytest.skip("it takes no request")
    web = Web((500, {}), (500, {}))
    call = await answered(far, rest=web.rest, credentials=CREDENTIALS[far.name])
    async with call.session:
        await call.session.end("done")
    await call.telephone.close()
    assert web.asked
    assert call.wire.closed


@virtual
async def test_a_caller_who_has_left_is_not_hung_up(far: Any, answered: Answered) -> None:
    web = Web()
    call = await answered(far, rest=web.rest, credentials=CREDENTIALS.get(far.name, {}))
    async with call.session:
        call.leave()
        await call.session.wait()
    await call.telephone.close()
    assert web.asked == []


@virtual
async def test_a_cold_transfer_ends_the_session(far: Any, answered: Answered) -> None:
    web, credentials = Web(), CREDENTIALS.get(far.name, {})
    call = await answered(far, rest=web.rest, credentials=credentials, publish=published)
    able = provider(far.name).transfer is not None and far.name in CREDENTIALS
    async with call.session:
        call.session.send(Transfer("+49303"))
        await call.wait(0.5)
        if far.name == "genesys":
            assert call.sent[-1] == ("transfer", "+49303")
            call.wire.put(far.leaves)
        elif not able or not (far.name != "asterisk" or far.call.parameters):
            assert [failure.part for failure in call.failures] == ["TelephoneOutput"]
            assert call.ended == [], "the call goes on"
            return
        else:
            assert web.asked
        await call.session.wait()
    await call.telephone.close()
    assert call.ended == ["transferred to +49303"]
    assert "goodbye" not in told(call.sent), "the call is not ours any more"
    assert not any("hangup" in url or "completed" in body for _, url, body in web.asked)


@virtual
async def test_a_transfer_that_fails_is_told_and_the_call_goes_on(answered: Answered, fars: Any) -> None:
    web = Web((400, {"message": "no such number"}))
    call = await answered(fars["twilio"](), rest=web.rest, credentials=CREDENTIALS["twilio"])
    async with call.session:
        call.session.send(Transfer("+49303"))
        await call.wait(0.5)
        assert ["no such number" in failure.message for failure in call.failures] == [True]
        await call.talk(VOICE * 160)
        await call.wait(0.1)
        assert call.audio
        call.leave()
        await call.session.wait()
    assert call.ended == ["the caller hung up"]


@virtual
async def test_a_warm_transfer_waits_for_the_answer(answered: Answered, fars: Any) -> None:
    web = Web(
        (201, {"sid": "CA2"}), (200, {"status": "ringing"}), (200, {"status": "in-progress"}), (200, {})
    )
    call = await answered(fars["twilio"](), rest=web.rest, credentials=CREDENTIALS["twilio"])
    async with call.session:
        call.session.send(Transfer("+49303", warm=True, announcement="A & B"))
        await call.wait(1.5)
        assert call.ended == [], "the caller is still with the agent"
        await call.session.wait()
    place, look, _, join = web.asked
    assert "A+%26amp%3B+B" in place[2]
    assert look[:2] == ("GET", "https://api.twilio.com/2010-04-01/Accounts/AC123/Calls/CA2.json")
    assert join[1].endswith("/Calls/CA123.json")
    assert "Conference" in join[2]
    assert call.ended == ["transferred to +49303"]


@virtual
async def test_a_caller_who_leaves_takes_the_warm_transfer_along(answered: Answered, fars: Any) -> None:
    web = Web((201, {"sid": "CA2"}), *[(200, {"status": "ringing"})] * 10)
    call = await answered(fars["twilio"](), rest=web.rest, credentials=CREDENTIALS["twilio"])
    async with call.session:
        call.session.send(Transfer("+49303", warm=True))
        await call.wait(2.5)
        call.leave()
        await call.session.wait()
        await call.wait(0.1)
    assert web.asked[-1][1:] == (
        "https://api.twilio.com/2010-04-01/Accounts/AC123/Calls/CA2.json",
        "Status=completed",
    ), "nobody is left ringing"


@virtual
async def test_a_probe_of_the_connection_is_no_call(fars: Any) -> None:
    far = fars["genesys"]()
    nobody = "00000000-0000-0000-0000-000000000000"
    codec = provider("genesys").codec()
    events = codec.feed(far.hello[0].replace("090eaa2f-72fa-480a-83e0-8667ff89c0ec", nobody))
    assert [type(event).__name__ for event in events] == ["SendBack"]
    assert [type(event).__name__ for event in codec.feed(far.leaves)] == ["SendBack", "CallStopped"]


def test_what_is_no_handshake_is_refused(far: Any) -> None:
    codec = provider(far.name).codec()
    with pytest.raises(BadResponseError):
        codec.feed("{" if far.name not in ("asterisk", "audiosocket") else "{]")


@virtual
async def test_what_is_said_behind_keys_is_not_late(far: Any, answered: Answered) -> None:
    call = await answered(far)
    rate = far.rate
    async with call.session:
        call.speaker.speak(VOICE * rate * 3, rate)
        await call.wait(0.5)
        call.session.send(AgentKeys("123456"))
        for tick in range(25):
            await call.wait(0.1)
            ahead = len(call.heard) / 2 / rate - 0.6 - tick / 10
            assert ahead <= max(call.telephone.lead, 0.1) + 0.25, (
                "a packet, and the rest of one, more at most"
            )
        await call.wait(1.0)
    assert call.failures == []
    if not far.pressing:
        assert DtmfDetector(rate)(call.heard) == "123456"
        assert call.heard.rstrip(b"\0").endswith(VOICE * (rate // 2)), "the voice is there again"


@virtual
async def test_keys_are_not_forgotten_when_the_caller_speaks(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.speaker.speak(VOICE * far.rate * 3, far.rate)
        await call.wait(0.5)
        call.session.send(AgentKeys("123"))
        await call.wait(0.1)
        call.session.interrupt()
        await call.wait(1.0)
    assert len(call.times("clear")) == (far.clears and far.pressing)
    if not far.pressing:
        assert DtmfDetector(far.rate)(call.heard) == "123"


@virtual
async def test_marks_that_never_come_back_are_forgotten(far: Any, answered: Answered) -> None:
    call = await answered(far)
    async with call.session:
        call.speaker.speak(VOICE * far.rate * 60, far.rate)
        await call.wait(61)
        marks = [name for kind, name in call.sent if kind == "mark"]
        if far.plays is None:
            return
        assert len(marks) > 200
        for name in marks:
            call.wire.put(far.plays(name))
        await call.wait(0.1)
        assert 90 <= len(call.played) <= 101
