"""The websocket transport over a wire in memory: audio in its time, nothing stale, nothing twice."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon import Agent, Tap
from antiphon.clock import LoopClock
from antiphon.errors import ConfigurationError
from antiphon.frames import UserAudio
from antiphon.processor import Processor, on
from antiphon.services.ports import Speech, Word
from antiphon.session import Session
from antiphon.stage import Stage
from antiphon.testing import WireClient, loud, run_virtual
from antiphon.testing.assertions import no_task_left, services
from antiphon.testing.scripted import ScriptedTTS
from antiphon.transports.framing import Json, Protobuf, tag, varint
from antiphon.transports.websocket import Websocket

Act = Callable[[WireClient, Session], Awaitable[None]]

wait = LoopClock().sleep
LONG = "Well, that depends. There are many things to say, and I shall say them all, one after another."


class Ear(Processor):
    """Keeps the audio that comes in."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, UserAudio]] = []

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.heard.append((self.session.now, frame))


def listen(act: Act, client: WireClient | None = None, **settings: Any) -> list[tuple[float, UserAudio]]:
    """What a session hears of its client."""
    client, ear = client or WireClient(), Ear()

    async def hold() -> None:
        transport = Websocket(client, **settings)
        session = Session([transport.input, ear, transport.output], observers=transport.observers)
        client.ready()
        async with session:
            await act(client, session)
        await wait(0.01)
        no_task_left()

    run_virtual(hold())
    return ear.heard


def talk(
    act: Act, hears: Any = (), says: Any = (), client: WireClient | None = None, **settings: Any
) -> WireClient:
    """A conversation; gives its client."""
    client = client or WireClient()

    async def hold() -> None:
        transport = Websocket(client)
        session = Agent("x", **{**services(hears, says), **settings}).session(transport)
        client.ready()
        async with session:
            await act(client, session)
        await wait(0.01)
        no_task_left()

    run_virtual(hold())
    return client


def pcm(client: WireClient) -> bytes:
    return b"".join(sound.pcm for _, sound in client.heard)


# In --------------------------------------------------------------------------------------------------


def test_audio_comes_at_its_place() -> None:
    heard = listen(lambda client, _: client.talk(loud(1.0)))
    assert [frame.at for _, frame in heard] == list(range(0, 16000, 320))
    assert {frame.sample_rate for _, frame in heard} == {16000}
    assert all(abs(now - (frame.at + 320) / 16000) < 1e-3 for now, frame in heard)


def test_what_was_recorded_before_the_session_does_not_delay_what_follows() -> None:
    """Public clients send at once what they have recorded while they connected."""

    async def burst(client: WireClient, session: Session) -> None:
        await wait(0.5)
        for _ in range(300):
            client.sound(bytes(512), 16000)
        await client.talk(loud(0.2))

    heard = listen(burst)
    ends = [(frame.at + len(frame.pcm) // 2) / 16000 - now for now, frame in heard]
    assert max(ends[-10:]) <= 0.041, "a little more than nothing is ahead of its time"
    assert ends[-1] > -0.001
    assert sum(len(frame.pcm) for _, frame in heard) < 1.5 * 32000, "of 4.8 seconds, those that may be"


@pytest.mark.parametrize("rate", [8000, 24000, 44100, 48000])
def test_other_rates_are_resampled(rate: int) -> None:
    heard = listen(lambda client, _: client.talk(loud(1.0, rate), rate))
    samples = sum(len(frame.pcm) // 2 for _, frame in heard)
    assert samples == pytest.approx(16000, abs=100)
    assert {frame.sample_rate for _, frame in heard} == {16000}


def stereo(pcm: bytes, rate: int, channels: int) -> bytes:
    audio = tag(3, 2) + varint(len(pcm)) + pcm + tag(4, 0) + varint(rate) + tag(5, 0) + varint(channels)
    return tag(2, 2) + varint(len(audio)) + audio


def test_two_channels_become_one() -> None:
    async def both(client: WireClient, session: Session) -> None:
        client.put(stereo(b"\x00\x10\x00\x30" * 320, 16000, 2))
        await wait(0.1)

    ((_, frame),) = listen(both)
    assert frame.pcm == b"\x00\x20" * 320


@pytest.mark.parametrize(
    ("pcm", "rate", "channels"),
    [(b"\0" * 641, 16000, 1), (b"\0" * 640, 0, 1), (b"\0" * 640, 16000, 0), (b"\0" * 640, 16001, 1),
     (b"\0" * 640, 2**32 - 1, 1), (b"\0" * 640, 16000, 2**31), (b"\0" * 642, 16000, 2)],
)  # fmt: skip
def test_audio_that_is_none_is_not_heard(pcm: bytes, rate: int, channels: int) -> None:
    async def send(client: WireClient, session: Session) -> None:
        client.put(stereo(pcm, rate, channels))
        await wait(0.1)
        assert session.parts[0].malformed == 1  # type: ignore[attr-defined]
        client.sound(bytes(640))
        await wait(0.1)

    assert len(listen(send)) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=60) | st.text(max_size=60), max_size=10))
def test_nothing_that_comes_in_ends_the_session(messages: list[bytes | str]) -> None:
    async def send(client: WireClient, session: Session) -> None:
        for message in messages:
            client.put(message)
            client.put(Protobuf().encode_message(str(message)))
        await wait(0.1)
        assert session.state == "running"
        client.sound(bytes(640))
        await wait(0.1)

    assert listen(send)


# Out -------------------------------------------------------------------------------------------------


def test_the_voice_comes_at_most_its_lead_ahead() -> None:
    client = talk(to_the_end, greeting=LONG)
    began, sent = client.heard[0][0], 0.0
    for at, sound in client.heard:
        assert sound.sample_rate == 24000 and sound.channels == 1
        assert sent <= at - began + 0.1 + 1e-6, "no more than 100 ms ahead"
        assert sent >= at - began - 1e-6, "and never late"
        sent += len(sound.pcm) / 48000
    assert client.heard[4][0] == began, "the client's player is filled at once"


def test_after_an_interruption_nothing_more_of_it_comes() -> None:
    async def stop(client: WireClient, session: Session) -> None:
        await wait(1.0)
        session.interrupt("enough")
        assert session.reply is None
        count = len(client.heard)
        await wait(2.0)
        assert len(client.heard) == count

    client = talk(stop, greeting=LONG)
    assert client.heard[-1][0] <= 1.001


async def to_the_end(client: WireClient, session: Session) -> None:
    await wait(9.0)


class Counting(ScriptedTTS):
    """A voice in which every sample is different from its neighbours."""

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
        at = 0
        async for item in super().speak(text):
            if isinstance(item, Speech):
                samples = range(at, at + len(item.pcm) // 2)
                at += len(samples)
                item = Speech(
                    b"".join((value % 30000).to_bytes(2, "little") for value in samples), item.piece
                )
            yield item


def test_a_voice_that_was_held_goes_on_where_the_client_is() -> None:
    """The client has played what it was sent: nothing comes twice, and nothing is missing."""

    async def cough(client: WireClient, session: Session) -> None:
        await wait(1.0)
        assert session.playout is not None
        session.inputs.call("pause", None, session.playout.pause)
        count = len(client.heard)
        await wait(1.0)
        assert len(client.heard) == count
        session.inputs.call("resume", None, session.playout.resume)
        await wait(8.0)

    assert pcm(talk(cough, greeting=LONG, tts=Counting())) == pcm(
        talk(to_the_end, greeting=LONG, tts=Counting())
    )


def test_two_holds_in_a_row_repeat_nothing_either() -> None:
    async def coughs(client: WireClient, session: Session) -> None:
        assert session.playout is not None
        for pause in (0.7, 0.03, 0.2, 0.01):
            await wait(pause)
            session.inputs.call("pause", None, session.playout.pause)
            await wait(0.3)
            session.inputs.call("resume", None, session.playout.resume)
        await wait(8.0)

    assert pcm(talk(coughs, greeting=LONG, tts=Counting())) == pcm(
        talk(to_the_end, greeting=LONG, tts=Counting())
    )


# The wire --------------------------------------------------------------------------------------------


def test_the_session_begins_with_the_client_s_first_word() -> None:
    client = WireClient()

    async def hold() -> None:
        session = Agent("x", **services(), greeting="Hello there.").session(Websocket(client))
        starting = asyncio.create_task(session.start())
        await wait(3.0)
        assert session.state == "starting"
        client.ready()
        await starting
        await wait(1.0)
        await session.cancel()

    run_virtual(hold())
    assert client.told[0].type == "bot-ready" and client.told[0].at == pytest.approx(3.0)
    assert client.heard[0][0] > 3.0


def test_one_who_never_says_anything_does_not_hold_it_up_for_ever() -> None:
    async def hold() -> None:
        client = WireClient()
        session = Agent("x", **services()).session(Websocket(client))
        await session.start()
        assert LoopClock().now() == pytest.approx(10.0)
        await session.cancel()
        assert client.closed == 1000

    run_virtual(hold())


@pytest.mark.parametrize("early", [True, False])
def test_a_client_that_leaves_ends_it(early: bool) -> None:
    async def hold() -> None:
        client = WireClient()
        session = Agent("x", **services(), greeting=LONG).session(Websocket(client))
        if early:
            client.leave()
        else:
            client.ready()
        async with asyncio.timeout(5):
            await session.start()
            if not early:
                await wait(1.0)
                client.leave()
            await session.wait()
        no_task_left()

    run_virtual(hold())


def test_a_wire_that_breaks_ends_it() -> None:
    class Broken(WireClient):
        async def receive(self) -> bytes | str | None:
            if self.told:
                raise OSError("gone")
            return await super().receive()

    async def hold() -> None:
        client = Broken()
        session = Agent("x", **services()).session(Websocket(client))
        client.ready()
        async with asyncio.timeout(5):
            await session.run()

    run_virtual(hold())


def test_json_carries_both() -> None:
    async def both(client: WireClient, session: Session) -> None:
        await client.talk(loud(0.8) + bytes(32000 * 3))

    client = talk(both, ["hello"], ["Good morning."], WireClient(Json()))
    assert client.all("user-llm-text") == [{"text": "hello"}]
    assert len(pcm(client)) / 48000 == pytest.approx(13 / 15, abs=0.05)
    assert {sound.sample_rate for _, sound in client.heard} == {24000}


def test_json_audio_in_a_batch() -> None:
    async def batch(client: WireClient, session: Session) -> None:
        await wait(0.2)
        piece = base64.b64encode(bytes(640)).decode()
        client.say(
            "raw-audio-batch", {"base64AudioBatch": [piece] * 3, "sampleRate": 16000, "numChannels": 1}
        )
        await wait(0.1)

    ((_, frame),) = listen(batch, WireClient(Json()))
    assert len(frame.pcm) == 1920


def test_nothing_is_said_before_it_is_known_how() -> None:
    client = WireClient(Json())

    async def hold() -> None:
        session = Agent("x", **services(), greeting=LONG).session(Websocket(client))
        async with session:  # after ten seconds of silence
            await wait(2.0)
            assert not client.told and not client.heard
            client.ready()
            await wait(1.0)

    run_virtual(hold())
    assert client.told[0].type == "bot-ready" and client.heard


def test_messages_are_what_the_framing_says() -> None:
    sent: list[bytes | str] = []

    class Raw(WireClient):
        def send(self, message: bytes | str) -> None:
            sent.append(message)

    async def hold() -> None:
        for client in (Raw(Protobuf()), Raw(Json())):
            session = Agent("x", **services()).session(Websocket(client))
            client.ready()
            async with session:
                await wait(0.1)

    run_virtual(hold())
    assert isinstance(sent[0], bytes) and isinstance(sent[-1], str)
    assert json.loads(sent[-1])["label"] == "rtvi-ai"


@pytest.mark.parametrize(
    "wrong", [{"framing": "xml"}, {"lead": 0.5}, {"lead": -1}, {"sample_rate": 7}, {"input_rate": 16001}]
)
def test_wrong_settings_are_named(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="websocket: "):
        Websocket(WireClient(), **wrong)


# A slow listener -------------------------------------------------------------------------------------


class Slow(Stage):
    """Works on the first frame that it gets, and never finishes."""

    @on(UserAudio)
    async def audio(self, frame: UserAudio) -> None:
        await asyncio.Event().wait()


def test_a_slow_part_never_holds_the_reader() -> None:
    """Not even when its inbox is full: what is not read now would be heard too late."""
    client, heard = WireClient(), list[UserAudio]()

    async def hold() -> None:
        transport = Websocket(client)
        parts = [transport.input, Tap(heard.append, UserAudio), Slow(), transport.output]
        session = Session(parts, observers=transport.observers)
        client.ready()
        async with session:
            await client.talk(loud(2 * Slow.inbox_seconds))
            await wait(0.05)
            assert len(heard) == 2 * Slow.inbox_seconds / 0.02

    run_virtual(hold())
