import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest

from antiphon.errors import ServiceTimeoutError, UsageError
from antiphon.frames import (
    AgentAudio,
    AgentVideo,
    AudioEnded,
    Failed,
    Interrupted,
    SessionEnded,
    UserAudio,
    UserVideo,
)
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.session import Session
from antiphon.testing import VirtualLoop, virtual
from antiphon.transports.webrtc import WebRTC, WebRTCSettings
from antiphon.transports.webrtc.engine import EngineListener, IceCandidate

SDP = "v=0\r\nm=audio 9 X 0\r\na=mid:0\r\n"
OFFER: dict[str, Any] = {"sdp": SDP, "type": "offer", "pc_id": None, "restart_pc": False}
PIECE = b"\1\0" * 320


class Engine:
    """An engine that does nothing but remember."""

    def __init__(self, settings: WebRTCSettings, listener: EngineListener) -> None:
        self.listener = listener
        self.packets = 0
        self.unsent = 0
        self.offers: list[str] = []
        self.tried: list[IceCandidate] = []
        self.said: list[bytes | None] = []
        self.shown: list[bytes] = []
        self.told: list[str] = []
        self.is_closed = False
        self.refuses = False
        self.hangs = False

    async def answer(self, offer: str) -> str:
        if self.hangs:
            await asyncio.Event().wait()
        if self.refuses:
            raise UsageError("no")
        self.offers.append(offer)
        return "v=0 answer"

    async def add_candidate(self, candidate: IceCandidate) -> None:
        self.tried.append(candidate)

    def send_audio(self, pcm: bytes | None) -> None:
        self.said.append(pcm)

    def send_picture(self, pixels: bytes, width: int, height: int, at: float) -> None:
        self.shown.append(pixels)

    def send_message(self, text: str) -> None:
        self.told.append(text)

    async def close(self) -> None:
        self.is_closed = True

    def hear(self) -> None:
        self.packets += 1
        self.listener.on_audio(PIECE)


class Ears(Processor):
    def __init__(self) -> None:
        self.frames: list[UserAudio] = []

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.frames.append(frame)


class Eyes(Processor):
    def __init__(self) -> None:
        self.frames: list[UserVideo] = []

    @on(UserVideo)
    def video(self, frame: UserVideo) -> None:
        self.frames.append(frame)


class Talker(Processor):
    def talk(self, seconds: float) -> None:
        def begin(reply: Any) -> None:
            self.push(AgentAudio(reply.number, b"\x10\x27" * int(24000 * seconds), 24000))
            self.push(AudioEnded(reply.number))

        self.session.new_reply(begin)


class Room:
    def __init__(self, *more: Processor, **settings: Any) -> None:
        self.engines: list[Engine] = []
        self.line = WebRTC(WebRTCSettings(**settings), engine=self.make)
        self.ears, self.talker = Ears(), Talker()
        playout = Playout(self.line.sample_rate, lead=self.line.lead)
        self.session = Session([self.line.input, self.ears, self.talker, *more, playout, self.line.output])
        self.ended: list[tuple[float, str]] = []
        self.failed: list[str] = []
        self.interrupted: list[float] = []
        self.session.on(SessionEnded, lambda signal: self.ended.append((self.session.now, signal.reason)))
        self.session.on(Failed, lambda signal: self.failed.append(signal.error))
        self.session.on(Interrupted, lambda signal: self.interrupted.append(self.session.now))

    def make(self, settings: WebRTCSettings, listener: EngineListener) -> Engine:
        self.engines.append(Engine(settings, listener))
        return self.engines[-1]

    async def hear(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            await self.session.clock.sleep(0.02)
            self.engines[-1].hear()

    async def connect(self) -> str:
        answer = await self.line.offer(OFFER)
        self.engines[-1].listener.on_connected()
        return answer["pc_id"]


@asynccontextmanager
async def room(*more: Processor, **settings: Any) -> AsyncGenerator[Room]:
    """A room whose client has connected."""
    made = Room(*more, **settings)
    running = asyncio.create_task(made.session.run())
    await asyncio.sleep(0)
    await made.connect()
    while made.session.state != "running":
        await asyncio.sleep(0)
    yield made
    await made.session.cancel("done")
    await running
    assert all(engine.is_closed for engine in made.engines)


@virtual
async def test_the_session_starts_when_the_client_has_connected() -> None:
    made = Room()
    running = asyncio.create_task(made.session.run())
    await made.session.clock.sleep(5)
    assert made.session.state == "starting"
    await made.connect()
    await made.session.clock.sleep(0.01)
    assert made.session.state == "running"
    await made.session.cancel("done")
    await running


@virtual
async def test_a_client_that_does_not_connect_is_not_waited_for() -> None:
    made = Room(connect_within=7)
    await made.session.run()
    assert made.ended == [(0.0, "the client never connected")]
    assert made.failed == ["ServiceTimeoutError"]
    assert asyncio.get_running_loop().time() == pytest.approx(7)


@virtual
async def test_what_is_heard_has_its_place_and_what_is_not_is_silence() -> None:
    async with room() as made:
        await made.hear(2.0)
        await made.session.clock.sleep(2.0)
        await made.hear(1.0)
        frames = made.ears.frames
        assert all(b.at == a.at + len(a.pcm) // 2 for a, b in pairwise(frames))
        assert abs(frames[-1].at / 16000 - made.session.now) <= 0.3
        assert any(not any(frame.pcm) for frame in frames)


@virtual
async def test_the_agent_is_heard_and_silence_where_it_says_nothing() -> None:
    async with room() as made:
        said = made.engines[-1].said
        await made.hear(1.0)
        assert len(said) in (50, 49)
        assert set(said) == {None}
        made.talker.talk(0.5)
        assert sum(pcm is not None for pcm in said) == 1, "the first piece goes out at once"
        await made.hear(1.0)
        voice = [pcm for pcm in said if pcm is not None]
        assert b"".join(voice) == b"\x10\x27" * 12000
        assert len(said) in (99, 100)


@virtual
async def test_an_interruption_fades_within_20_ms() -> None:
    async with room() as made:
        said = made.engines[-1].said
        made.talker.talk(5.0)
        await made.hear(1.0)
        count = len(said)
        made.session.interrupt()
        await made.hear(0.2)
        last, *rest = said[count:]
        assert last is not None
        assert last.endswith(b"\0\0")
        assert set(rest) == {None}


@virtual
async def test_pictures_are_decoded_only_where_somebody_looks() -> None:
    async with room() as made:
        assert not made.engines[-1].listener.wants_video
    eyes = Eyes()
    async with room(eyes) as made:
        assert made.engines[-1].listener.wants_video
        await made.hear(1.0)
        made.engines[-1].listener.on_picture(b"abcdef", 2, 2, "screen")
        frame = eyes.frames[0]
        assert (frame.pixels, frame.width, frame.height, frame.source) == (b"abcdef", 2, 2, "screen")
        assert frame.at == pytest.approx(1.0)
        made.session.send(AgentVideo(b"ghijkl", 2, 2))
        assert made.engines[-1].shown == [b"ghijkl"]


@virtual
async def test_a_client_that_vanishes_silences_the_agent_after_3_s_and_ends_the_session_after_10() -> None:
    async with room() as made:
        await made.hear(1.0)
        made.talker.talk(60)
        await made.session.wait()
        assert made.interrupted[0] == pytest.approx(4.0, abs=0.3)
        assert made.failed == ["UnavailableError"]
        assert made.ended[0] == (pytest.approx(11.0, abs=0.3), "the client vanished")


@virtual
async def test_a_machine_that_stood_still_takes_nobody_for_gone() -> None:
    async with room() as made:
        await made.hear(1.0)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.jump(30.0)
        await made.session.clock.sleep(0)
        await made.session.clock.sleep(0.01)
        await made.hear(2.0)
        assert made.ended == made.interrupted == []


@virtual
async def test_a_client_that_sends_nothing_but_pings_is_there() -> None:
    async with room() as made:
        for _ in range(20):
            await made.session.clock.sleep(1.0)
            made.engines[-1].packets += 1
            made.engines[-1].listener.on_message("ping: 1")
        assert made.ended == []


@virtual
async def test_a_client_that_does_not_read_is_given_up() -> None:
    async with room() as made:
        await made.hear(1.0)
        made.engines[-1].unsent = 2_000_000
        await made.hear(1.0)
        assert [reason for _, reason in made.ended] == ["the client does not read its messages"]


@virtual
async def test_a_client_that_left_is_given_3_s_to_come_back() -> None:
    async with room() as made:
        await made.hear(1.0)
        made.engines[-1].listener.on_disconnected("the connection is closed")
        await made.session.wait()
        assert made.ended[0] == (pytest.approx(4.0, abs=0.3), "the client left")


@virtual
async def test_a_restart_goes_on_with_another_connection() -> None:
    async with room() as made:
        first, pc_id = made.engines[0], made.line.pc_id
        await made.hear(1.0)
        first.listener.on_disconnected("the connection is failed")
        await made.session.clock.sleep(2.0)
        answer = await made.line.offer(OFFER | {"pc_id": pc_id, "restart_pc": True})
        assert answer["pc_id"] == pc_id
        assert first.is_closed
        second = made.engines[1]
        said = len(second.said)
        await made.session.clock.sleep(0.5)
        assert len(second.said) == said, "nothing is sent before it is connected"
        second.listener.on_connected()
        heard = len(made.ears.frames)
        first.listener.on_audio(PIECE)
        first.listener.on_disconnected("again")
        assert len(made.ears.frames) == heard, "the old one counts no more"
        await made.hear(5.0)
        assert len(second.said) > 200
        assert made.ended == []


@virtual
async def test_a_retry_that_never_saw_the_answer_begins_anew() -> None:
    async with room() as made:
        answer = await made.line.offer(OFFER | {"restart_pc": True})
        assert answer["pc_id"] == made.line.pc_id
        assert len(made.engines) == 2


@virtual
async def test_a_second_offer_is_for_the_connection_that_there_is() -> None:
    async with room() as made:
        await made.line.offer(OFFER | {"pc_id": made.line.pc_id})
        assert made.engines[0].offers == [SDP, SDP]
        made.line.renegotiate()
        made.engines[0].listener.on_channel_open()
        assert made.engines[0].told == ['{"type": "signalling", "message": {"type": "renegotiate"}}']


@virtual
async def test_offers_that_are_none_of_ours_are_refused() -> None:
    async with room() as made:
        for wrong in ({"pc_id": "another"}, {"pc_id": None}):
            with pytest.raises(UsageError):
                await made.line.offer(OFFER | wrong)
        made.engines[0].refuses = True
        with pytest.raises(UsageError, match="no"):
            await made.line.offer(OFFER | {"pc_id": made.line.pc_id})
        await made.hear(1.0)
        assert made.ears.frames


@virtual
async def test_a_restart_that_cannot_be_answered_leaves_the_connection_as_it_was() -> None:
    async with room() as made:
        make = made.make

        def refusing(settings: WebRTCSettings, listener: EngineListener) -> Engine:
            engine = make(settings, listener)
            engine.refuses = True
            return engine

        made.line._link._make = refusing  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(UsageError):
            await made.line.offer(OFFER | {"pc_id": made.line.pc_id, "restart_pc": True})
        assert [engine.is_closed for engine in made.engines] == [False, True]
        made.engines[0].hear()
        assert made.ears.frames


@virtual
async def test_an_answer_that_takes_too_long_is_an_error() -> None:
    async with room() as made:
        made.engines[0].hangs = True
        with pytest.raises(ServiceTimeoutError):
            await made.line.offer(OFFER | {"pc_id": made.line.pc_id})


@virtual
async def test_candidates_go_to_the_connection_and_are_not_without_number() -> None:
    async with room() as made:
        several = [{"candidate": "candidate:1", "sdp_mid": "0"}] * 30
        request = {"pc_id": made.line.pc_id, "candidates": several}
        assert await made.line.candidates(request) == {"status": "success"}
        assert made.engines[0].tried == [IceCandidate("candidate:1", "0", None)] * 30
        with pytest.raises(UsageError, match="pc_id"):
            await made.line.candidates(request | {"pc_id": "another"})
        with pytest.raises(UsageError, match="over 100"):
            for _ in range(4):
                await made.line.candidates(request)


@virtual
async def test_host_names_of_candidates_are_ignored_and_so_is_their_end() -> None:
    async with room() as made:
        texts = ["candidate:1 1 udp 1 a.local 1 typ host", "candidate:2 1 udp 1 10.0.0.1 1 typ host", ""]
        several = [{"candidate": text, "sdp_mid": "0"} for text in texts]
        await made.line.candidates({"pc_id": made.line.pc_id, "candidates": several})
        await made.line.candidates({"pc_id": made.line.pc_id, "candidates": several[2:]})
        assert made.engines[0].tried == [IceCandidate(texts[1], "0", None)]


@virtual
async def test_offers_of_one_connection_share_its_candidates() -> None:
    def with_candidates(first: int) -> dict[str, Any]:
        lines = [f"a=candidate:1 1 udp 1 10.0.0.{first + n} 1 typ host\r\n" for n in range(50)]
        return OFFER | {"pc_id": made.line.pc_id, "sdp": OFFER["sdp"] + "".join(lines)}

    async with room() as made:
        for _ in range(5):  # the same ones
            await made.line.offer(with_candidates(0))
        await made.line.offer(with_candidates(50))
        with pytest.raises(UsageError, match="over 100"):
            await made.line.offer(with_candidates(100))


@virtual
async def test_candidates_before_an_offer_are_refused() -> None:
    with pytest.raises(UsageError, match="pc_id"):
        await Room().line.candidates({"pc_id": None, "candidates": []})


@virtual
async def test_after_the_end_nothing_is_answered() -> None:
    async with room() as made:
        pc_id = made.line.pc_id
        made.engines[0].listener.on_channel_open()
    assert made.engines[0].told == ['{"type": "signalling", "message": {"type": "peerLeft"}}']
    with pytest.raises(UsageError, match="over"):
        await made.line.offer(OFFER | {"pc_id": pc_id, "restart_pc": True})
    await made.line.close()
