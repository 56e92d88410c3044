"""A browser's stand-in over loopback, against each engine: voice, pictures, messages, restarts, the end."""

import asyncio
import gc
import json
import socket
import subprocess
import threading
import time
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiortc
import numpy as np
import pytest
from aiortc.exceptions import InvalidStateError
from av import VideoFrame

from antiphon.errors import ConfigurationError, UnavailableError, UsageError
from antiphon.frames import (
    AgentAudio,
    AgentVideo,
    Frame,
    Interrupted,
    SessionEnded,
    Signal,
    UserAudio,
    UserVideo,
)
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, SessionPort, on
from antiphon.session import Session
from antiphon.testing.browser import Browser, BrowserCamera
from antiphon.transports.webrtc import IceServer, TurnServer, WebRTC, WebRTCSettings
from antiphon.transports.webrtc.aiortc import CONNECTING, watch_connecting

pytestmark = pytest.mark.e2e

Engines = pytest.mark.parametrize("engine", ["aiortc", "wrtc"])
UPLINK = (
    0.045  # seconds from a sample at the microphone to the pipeline, where nothing else takes the processor
)


def tone(hz: float, seconds: float, rate: int, level: float = 0.3) -> bytes:
    return (
        (np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate) * level * 32767)
        .astype("<i2")
        .tobytes()
    )


def pitch(pcm: bytes, rate: int) -> float:
    sound = np.frombuffer(pcm, "<i2").astype(float)
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return float(np.argmax(spectrum) * rate / len(sound))


def loud(pcm: bytes) -> bool:
    return bool(len(pcm)) and bool(np.abs(np.frombuffer(pcm, "<i2").astype(int)).max() > 3000)


class Ears(Processor):
    """Keeps what the user says, and when it arrived."""

    def __init__(self) -> None:
        self.pcm = bytearray()
        self.frames: list[UserAudio] = []
        self.onsets: list[float] = []
        self._loud = False

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.frames.append(frame)
        self.pcm += frame.pcm
        is_loud = loud(frame.pcm)
        if is_loud and not self._loud:
            self.onsets.append(self.session.clock.now())
        self._loud = is_loud


class Eyes(Processor):
    """Keeps what the user shows."""

    def __init__(self) -> None:
        self.pictures: list[UserVideo] = []

    @on(UserVideo)
    def video(self, frame: UserVideo) -> None:
        self.pictures.append(frame)


class Mouth(Processor):
    """Says `pcm` at 24 kHz in each reply."""

    def speak(self, pcm: bytes) -> None:
        from antiphon.frames import AudioEnded

        def begin(reply: Any) -> None:
            self.push(AgentAudio(reply.number, pcm, 24000))
            self.push(AudioEnded(reply.number))

        self.session.new_reply(begin)


class Protocol:
    """A client protocol that repeats what it is told."""

    media = False

    def __init__(self) -> None:
        self.send: Callable[[str], None] = print
        self.session: SessionPort | None = None
        self.texts: list[str] = []

    def bind(self, session: SessionPort) -> None:
        self.session = session

    def received(self, text: str) -> None:
        self.texts.append(text)
        self.send(json.dumps({"echo": len(text)}))

    def saw(
        self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool
    ) -> None: ...

    def close(self) -> None: ...


class Room:
    """An agent's side: a transport in a session that runs, and what it heard."""

    def __init__(self, engine: str, *, watches: bool = False, **settings: Any) -> None:
        self.protocol = Protocol()
        self.line = WebRTC(WebRTCSettings(engine=engine, **settings), self.protocol)  # pyright: ignore[reportArgumentType]
        self.ears, self.eyes, self.mouth = Ears(), Eyes(), Mouth()
        playout = Playout(self.line.sample_rate, lead=self.line.lead)
        eyes = [self.eyes] if watches else []
        self.session = Session([self.line.input, self.ears, *eyes, self.mouth, playout, self.line.output])
        self.ended: list[str] = []
        self.session.on(SessionEnded, lambda signal: self.ended.append(signal.reason))
        self.running = asyncio.create_task(self.session.run())

    def browser(self, **options: Any) -> Browser:
        return Browser(self.line.offer, self.line.candidates, **options)

    async def close(self) -> None:
        await self.session.cancel("done")
        await self.running


@asynccontextmanager
async def talking(engine: str, **options: Any) -> AsyncGenerator[tuple[Room, Browser]]:
    """A room and a browser that are connected."""
    theirs = {
        name: options.pop(name) for name in ("screen", "trickle", "servers", "codec") if name in options
    }
    relay = {"relay_only": True} if options.get("relay_only") else {}
    room = Room(engine, **options)
    browser = room.browser(**theirs, **relay)
    try:
        await browser.connect()
        await until(lambda: room.session.state == "running")
        yield room, browser
    finally:
        await browser.close()
        await room.close()


async def until(true: Callable[[], object], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)


CLOSED = (InvalidStateError, ConnectionError)
"""What tasks of aiortc's say, to nobody in particular, when they find their connection closed."""


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run, with every error that would only be logged a failure, and nothing left behind."""
    complaints: list[dict[str, Any]] = []
    files, threads = open_files(), set(threading.enumerate())

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, about: complaints.append(about))
        await main
        for _ in range(100):
            if asyncio.all_tasks() == {asyncio.current_task()}:
                break
            await asyncio.sleep(0.01)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(watched())
    assert [about for about in complaints if not isinstance(about.get("exception"), CLOSED)] == []
    assert set(threading.enumerate()) <= threads
    assert open_files() <= files + 4  # libwebrtc keeps its own few


@Engines
def test_the_agent_hears_the_user_and_the_user_the_agent(engine: str) -> None:
    async def main() -> None:
        async with talking(engine) as (room, browser):
            browser.microphone.say(tone(440, 1.0, 48000))
            room.mouth.speak(tone(880, 1.0, 24000))
            await until(lambda: len(room.ears.pcm) > 32000 * 1.6 and len(browser.heard) > 32000 * 1.6)
            assert pitch(bytes(room.ears.pcm), 16000) == pytest.approx(440, abs=4)
            assert pitch(bytes(browser.heard), 16000) == pytest.approx(880, abs=4)
            assert {frame.sample_rate for frame in room.ears.frames} == {16000}

    run(main())


@Engines
@pytest.mark.parametrize("codec", ["G722", "PCMU", "PCMA"])
def test_a_client_may_speak_a_telephones_codec(engine: str, codec: str) -> None:
    async def main() -> None:
        async with talking(engine, codec=codec) as (room, browser):
            assert codec in browser.answer and "opus" not in browser.answer
            browser.microphone.say(tone(440, 1.0, 48000))
            room.mouth.speak(tone(880, 1.0, 24000))
            await until(lambda: len(room.ears.pcm) > 32000 * 1.6 and len(browser.heard) > 32000 * 1.6)
            assert pitch(bytes(room.ears.pcm), 16000) == pytest.approx(440, abs=4)
            assert pitch(bytes(browser.heard), 16000) == pytest.approx(880, abs=4)
            spoken = sum(len(frame.pcm) / 32000 for frame in room.ears.frames if loud(frame.pcm))
            assert spoken == pytest.approx(1.0, abs=0.1)

    run(main())


def test_what_a_loop_is_too_late_for_is_dropped_and_counted() -> None:
    async def main() -> None:
        async with talking("wrtc") as (room, _):
            engine: Any = room.line._link._connection.engine  # pyright: ignore
            assert engine.dropped == 0
            time.sleep(2.5)  # noqa: ASYNC251  the loop stands still
            await until(lambda: engine.dropped)

    run(main())


@Engines
def test_the_places_of_the_users_samples_have_no_gap(engine: str) -> None:
    async def main() -> None:
        async with talking(engine) as (room, _):
            await until(lambda: len(room.ears.frames) > 60)
            frames = room.ears.frames[20:]
            assert all(b.at == a.at + len(a.pcm) // 2 for a, b in pairwise(frames))
            assert abs(frames[-1].at / 16000 - room.session.now) < 0.3

    run(main())


def test_a_word_is_in_the_pipeline_45_ms_after_it_was_spoken() -> None:
    async def main() -> None:
        async with talking("aiortc") as (room, browser):
            for _ in range(5):
                browser.microphone.say(tone(440, 0.1, 48000))
                heard = len(room.ears.onsets)
                await until(lambda heard=heard: len(room.ears.onsets) > heard)
                await asyncio.sleep(0.2)
            delays = [b - a for a, b in zip(browser.microphone.spoken, room.ears.onsets, strict=True)]
            assert min(delays) < UPLINK

    run(main())


@Engines
def test_the_answer_keeps_the_order_of_the_media_and_their_directions(engine: str) -> None:
    async def main() -> None:
        async with talking(engine, screen=True) as (_, browser):
            sections = ["m=" + section for section in browser.answer.split("\nm=")[1:]]
            assert [section.split()[0] for section in sections] == [
                "m=audio",
                "m=video",
                "m=video",
                "m=application",
            ]
            directions = [
                next((line for line in section.splitlines() if line in DIRECTIONS), None)
                for section in sections
            ]
            assert directions[:3] == ["a=sendrecv", "a=sendrecv", "a=recvonly"]

    run(main())


DIRECTIONS = ("a=sendrecv", "a=recvonly", "a=sendonly", "a=inactive")


@Engines
def test_messages_go_both_ways_and_pings_stay_here(engine: str) -> None:
    async def main() -> None:
        room = Room(engine)
        room.protocol.send('{"early":true}')
        browser = room.browser()
        await browser.connect()
        await until(lambda: room.session.state == "running")
        browser.send("ping: 1")
        browser.send(
            {"type": "signalling", "message": {"type": "trackStatus", "receiver_index": 1, "enabled": 7}}
        )
        browser.send("no json at all {")
        browser.send({"label": "rtvi-ai", "text": "ö" * 20000})
        await until(lambda: len(browser.messages) >= 3)
        assert browser.messages[0] == '{"early":true}'
        assert len(room.protocol.texts) == 2
        assert room.protocol.session is room.session
        room.line.renegotiate()
        await until(lambda: len(browser.messages) >= 4)
        assert json.loads(browser.messages[3]) == {"type": "signalling", "message": {"type": "renegotiate"}}
        await room.close()
        await until(lambda: len(browser.messages) >= 5)
        assert json.loads(browser.messages[4]) == {"type": "signalling", "message": {"type": "peerLeft"}}
        await browser.close()

    run(main())


@Engines
def test_a_message_that_is_too_long_harms_nobody(engine: str) -> None:
    async def main() -> None:
        async with talking(engine) as (room, browser):
            room.protocol.send("x" * 3_000_000)
            room.protocol.send('{"after":1}')
            await until(lambda: browser.messages)
            assert browser.messages == ['{"after":1}']
            assert room.session.state == "running"

    run(main())


def picture(level: int) -> VideoFrame:
    planes = np.full((180 * 3 // 2, 320), 128, np.uint8)
    planes[:180] = level
    return VideoFrame.from_ndarray(planes, "yuv420p")


async def show(camera: BrowserCamera, level: int, until_seen: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not until_seen():
            camera.show(picture(level))
            await asyncio.sleep(0.05)


@Engines
def test_pictures_go_both_ways(engine: str) -> None:
    async def main() -> None:
        async with talking(engine, watches=True) as (room, browser):
            await show(browser.camera, 200, lambda: room.eyes.pictures)
            seen = room.eyes.pictures[-1]
            assert (seen.width, seen.height, seen.source) == (320, 180, "camera")
            assert len(seen.pixels) == 320 * 180 * 3 // 2
            assert abs(int(np.frombuffer(seen.pixels, np.uint8)[: 320 * 180].mean()) - 200) < 6
            pixels = bytes([90]) * (160 * 120) + bytes([128]) * (160 * 120 // 2)
            async with asyncio.timeout(10):
                while not browser.seen:
                    room.session.send(AgentVideo(pixels, 160, 120, room.session.clock.now()))
                    await asyncio.sleep(0.05)
            shown = browser.seen[-1]
            assert (shown.width, shown.height) == (160, 120)
            assert abs(int(shown.to_ndarray()[:120].mean()) - 90) < 6

    run(main())


@Engines
def test_the_screen_is_no_camera(engine: str) -> None:
    async def main() -> None:
        async with talking(engine, watches=True, screen=True) as (room, browser):
            assert browser.screen is not None
            await show(browser.screen, 150, lambda: room.eyes.pictures)
            assert {seen.source for seen in room.eyes.pictures} == {"screen"}

    run(main())


@Engines
def test_a_camera_that_is_switched_off_shows_nothing(engine: str) -> None:
    async def main() -> None:
        async with talking(engine, watches=True) as (room, browser):
            await show(browser.camera, 200, lambda: room.eyes.pictures)
            about = {"type": "trackStatus", "receiver_index": 1, "enabled": False}
            browser.send({"type": "signalling", "message": about})
            browser.send("sentinel")
            await until(lambda: room.protocol.texts)
            seen = len(room.eyes.pictures)
            for _ in range(10):
                browser.camera.show(picture(10))
                await asyncio.sleep(0.02)
            assert len(room.eyes.pictures) == seen

    run(main())


@Engines
def test_a_second_offer_changes_the_connection_and_a_restart_replaces_it(engine: str) -> None:
    async def main() -> None:
        async with talking(engine) as (room, browser):
            pc_id = browser.pc_id
            await browser.negotiate()
            assert browser.pc_id == pc_id
            heard = len(room.ears.frames)
            await until(lambda: len(room.ears.frames) > heard + 20)

            await browser.restart()
            assert browser.pc_id == pc_id
            browser.microphone.say(tone(440, 1.0, 48000))
            room.ears.pcm.clear()
            browser.heard.clear()
            room.mouth.speak(tone(880, 1.0, 24000))
            await until(lambda: len(room.ears.pcm) > 32000 * 1.5 and len(browser.heard) > 32000 * 1.5)
            assert pitch(bytes(room.ears.pcm), 16000) == pytest.approx(440, abs=4)
            assert pitch(bytes(browser.heard), 16000) == pytest.approx(880, abs=4)
            browser.send("again")
            await until(lambda: room.protocol.texts == ["again"])
            assert not room.ended

    run(main())


@Engines
def test_a_client_that_vanishes_is_noticed_and_then_given_up(engine: str) -> None:
    async def main() -> None:
        async with talking(engine, vanished_after=1.0, restart_within=1.0) as (room, browser):
            interrupted: list[str] = []
            room.session.on(Interrupted, lambda signal: interrupted.append(signal.reason))
            room.mouth.speak(tone(880, 30.0, 24000))
            await until(lambda: loud(bytes(browser.heard)))
            loop = asyncio.get_running_loop()
            browser.vanish()
            begun = loop.time()
            await until(lambda: interrupted)
            assert 0.7 < loop.time() - begun < 3.0
            assert interrupted == ["the client vanished"]
            assert not room.ended
            await until(lambda: room.ended)
            assert 1.6 < loop.time() - begun < 5.0
            assert room.ended == ["the client vanished"]

    run(main())


@Engines
def test_a_client_that_comes_back_in_time_finds_the_conversation(engine: str) -> None:
    async def main() -> None:
        async with talking(engine, vanished_after=0.5, restart_within=10.0) as (room, browser):
            browser.vanish()
            await asyncio.sleep(1.5)
            await browser.restart()
            heard = len(room.ears.frames)
            await until(lambda: len(room.ears.frames) > heard + 50)
            assert not room.ended

    run(main())


@Engines
def test_the_session_ends_soon_after_the_client_has_left(engine: str) -> None:
    async def main() -> None:
        room = Room(engine, vanished_after=1.0, restart_within=60.0)
        browser = room.browser()
        await browser.connect()
        await until(lambda: room.session.state == "running")
        await browser.close()
        await until(lambda: room.ended, within=5)
        assert room.ended == ["the client left"]
        await room.running

    run(main())


def test_messages_that_a_client_has_not_taken_when_it_hangs_up_are_given_up() -> None:
    async def main() -> None:
        async with talking("aiortc") as (room, browser):
            line: Any = room.line
            messenger = line._link._connection.engine._pc.sctp
            await browser.close()
            await until(lambda: messenger.transport.state == "closed")
            await messenger._send(0, 51, b"late")

    run(main())


@Engines
def test_a_client_that_never_comes_is_not_waited_for(engine: str) -> None:
    async def main() -> None:
        room = Room(engine, connect_within=0.3)
        await until(lambda: room.ended, within=5)
        assert room.ended == ["the client never connected"]
        await room.running

    run(main())


def malformed(good: str) -> list[dict[str, Any]]:
    """What a stranger might send instead of an offer."""
    offer: dict[str, Any] = {"sdp": good, "type": "offer", "pc_id": None, "restart_pc": False}
    lines = good.splitlines(keepends=True)
    cut = [offer | {"sdp": "".join(lines[:at])} for at in range(1, len(lines), 7)]
    without = [
        offer | {"sdp": "".join([line for line in lines if not line.startswith(start)])}
        for start in ("a=ice-ufrag", "a=ice-pwd", "a=fingerprint", "a=mid", "a=rtpmap", "a=setup", "a=group")
    ]
    return [
        {},
        {"sdp": None, "type": "offer"},
        {"sdp": 5, "type": "offer"},
        offer | {"type": "answer"},
        offer | {"pc_id": "somebody else's"},
        offer | {"pc_id": 7},
        offer | {"sdp": ""},
        offer | {"sdp": "v=0\r\n"},
        offer | {"sdp": "v=0\r\n" + "m=audio 9 RTP/AVP 0\r\n" * 100},
        offer | {"sdp": "v=0\r\nm=audio\r\n"},
        offer | {"sdp": "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"},
        offer | {"sdp": good + "a=" + "x" * 200_000},
        offer | {"sdp": good.replace("m=audio", "m=nonsense")},
        offer | {"sdp": good.replace("opus/48000/2", "opus/abc/def")},
        offer | {"sdp": good.replace("a=ice-ufrag:", "a=ice-ufrag:\x00\ud800")},
        *cut,
        *without,
    ]


@Engines
def test_what_is_no_offer_is_refused_with_a_sentence_and_a_good_one_then_taken(engine: str) -> None:
    async def main() -> None:
        room = Room(engine)
        good = room.browser().pc
        await good.setLocalDescription(await good.createOffer())
        for request in malformed(good.localDescription.sdp):
            try:
                await room.line.offer(request)
            except UsageError as error:
                assert len(str(error)) > 10
            else:
                room.line.pc_id = None
        await good.close()
        await room.close()

    run(main())


BAD_CANDIDATES: list[Any] = [
    None,
    "candidate:1 1 udp 1 10.0.0.1 1 typ host",
    [7],
    [{}],
    [{"candidate": 7, "sdp_mid": "0"}],
    [{"candidate": "candidate:nonsense", "sdp_mid": "0"}],
    [{"candidate": "candidate:1 1 udp x 10.0.0.1 y typ host", "sdp_mid": "0"}],
    [{"candidate": "candidate:1 1 udp 1 10.0.0.1 1 typ host", "sdp_mid": 0}],
    [{"candidate": "candidate:1 1 udp 1 10.0.0.1 1 typ host", "sdp_mid": None, "sdp_mline_index": None}],
    [{"candidate": "candidate:1 1 udp 1 10.0.0.1 1 typ host", "sdp_mid": None, "sdp_mline_index": "0"}],
    [{"candidate": "x" * 10_000, "sdp_mid": "0"}],
    [{"candidate": "", "sdp_mid": "0"}] * 1000,
]


@Engines
@pytest.mark.parametrize("bad", BAD_CANDIDATES, ids=range(len(BAD_CANDIDATES)))
def test_what_is_no_candidate_is_refused_and_the_call_goes_on(engine: str, bad: Any) -> None:
    async def main() -> None:
        async with talking(engine) as (room, browser):
            with pytest.raises(UsageError):
                await room.line.candidates({"pc_id": browser.pc_id, "candidates": bad})
            heard = len(room.ears.frames)
            await until(lambda: len(room.ears.frames) > heard + 5)

    run(main())


@Engines
def test_candidates_that_lead_nowhere_are_tried_in_peace(engine: str) -> None:
    async def main() -> None:
        async with talking(engine) as (room, browser):
            odd = [
                "candidate:1 1 udp 2122260223 no-such-host.local 50000 typ host",
                "candidate:2 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
                "candidate:3 1 udp 1677729535 192.0.2.9 50000 typ srflx raddr 0.0.0.0 rport 0",
                "",
            ]
            several = [{"candidate": one, "sdp_mid": "0", "sdp_mline_index": 0} for one in odd]
            await room.line.candidates({"pc_id": browser.pc_id, "candidates": several})
            with pytest.raises(UsageError, match="pc_id"):
                await room.line.candidates({"pc_id": "another", "candidates": []})
            heard = len(room.ears.frames)
            await until(lambda: len(room.ears.frames) > heard + 5)

    run(main())


@Engines
@pytest.mark.parametrize("wait", [0.0, 0.01, 0.02, 0.03, 0.05, 0.08])
def test_a_session_that_ends_while_its_client_connects_leaves_nothing(engine: str, wait: float) -> None:
    async def main() -> None:
        room = Room(engine)
        browser = room.browser()
        await browser.negotiate()
        await asyncio.sleep(wait)
        await room.close()
        with pytest.raises(UsageError, match="over"):
            await room.line.offer(
                {"sdp": "v=0\r\nm=audio 9 X 0\r\na=mid:0", "type": "offer", "restart_pc": True}
            )
        await browser.close()

    run(main())


@pytest.mark.parametrize("connects", [True, False])
def test_a_connection_that_is_closed_leaves_nothing_to_the_garbage_collector(connects: bool) -> None:
    """Which would stop everybody to look for it: for a second, after a flood of offers."""

    async def main() -> None:
        room = Room("aiortc")
        browser = room.browser()
        await (browser.connect() if connects else browser.negotiate())
        connection = room.line._link._connection  # pyright: ignore[reportPrivateUsage]
        assert connection is not None
        engine = weakref.ref(connection.engine)
        pc = weakref.ref(engine()._pc)  # pyright: ignore
        del connection
        gc.disable()
        try:
            await room.close()
            await browser.close()
            await until(lambda: engine() is None and pc() is None, within=2)
        finally:
            gc.enable()

    run(main())


def test_a_connection_that_is_closed_while_it_is_made_complains_to_nobody() -> None:
    async def main() -> None:
        closed = aiortc.RTCPeerConnection()
        setattr(closed, CONNECTING, raising(InvalidStateError("RTCIceTransport is closed")))
        told: list[Exception] = []
        watch_connecting(closed, told.append)
        await getattr(closed, CONNECTING)()
        assert told == []
        await closed.close()

    def raising(error: Exception) -> Callable[[], Coroutine[Any, Any, None]]:
        async def connect() -> None:
            raise error

        return connect

    run(main())


STRANGE = [b"", b"\x80", b"\x16", b"\x16\xfe\xfd" + b"\xff" * 200, bytes([200, 200]), bytes(20), b"\xbf" * 40]


@Engines
def test_what_strangers_send_to_its_ports_does_no_harm(engine: str) -> None:
    async def main() -> None:
        async with talking(engine) as (room, browser):
            found = [
                line.split() for line in browser.answer.splitlines() if "udp" in line and "typ host" in line
            ]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for words in found:
                    for datagram in STRANGE if ":" not in words[4] else ():
                        stranger.sendto(datagram, (words[4], int(words[5])))
            heard = len(room.ears.frames)
            await until(lambda: len(room.ears.frames) > heard + 20)
            browser.send("still here")
            await until(lambda: room.protocol.texts == ["still here"])

    run(main())


# STUN and TURN -----------------------------------------------------------------------------------------


@contextmanager
def turnserver(folder: Path) -> Any:
    """coturn on loopback, with a secret that it shares with us. Gives its address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    address = _address()
    command = [
        "turnserver",
        "-n",
        "--use-auth-secret",
        "--static-auth-secret=tell-nobody",
        "--realm=antiphon",
    ]
    command += [f"--listening-port={port}", f"--listening-ip={address}", f"--relay-ip={address}"]
    command += ["--no-tls", "--no-dtls", "--no-cli", "--log-file=stdout", f"--pidfile={folder / 'turn.pid'}"]
    command += [f"--userdb={folder / 'turn.db'}", "--min-port=50000", "--max-port=50100"]
    log = folder / "turn.log"
    with log.open("w") as written:
        server = subprocess.Popen(command, stdout=written, stderr=written)
    try:
        for _ in range(200):
            if "SQLite DB connection success" in log.read_text():
                break
            time.sleep(0.05)
        yield f"{address}:{port}"
    finally:
        server.kill()
        server.wait()


def _address() -> str:
    """An address of this machine that is not loopback's, or that where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("203.0.113.1", 9))
        except OSError:
            return "127.0.0.1"
        return probe.getsockname()[0]


@Engines
def test_a_call_goes_through_turn_alone_with_credentials_that_end(engine: str, tmp_path: Path) -> None:
    async def main(address: str) -> None:
        turn = TurnServer(f"turn:{address}?transport=udp", "tell-nobody", lifetime=60)
        servers = WebRTCSettings(turn=turn).ice_config()
        async with talking(engine, turn=turn, relay_only=True, servers=servers, trickle=False) as (
            room,
            browser,
        ):
            found = [line for line in browser.answer.splitlines() if line.startswith("a=candidate:")]
            assert found
            assert all("typ relay" in line for line in found)
            browser.microphone.say(tone(440, 0.5, 48000))
            await until(lambda: loud(bytes(room.ears.pcm)))

    with turnserver(tmp_path) as address:
        run(main(address))


@Engines
def test_wrong_credentials_give_no_relayed_address(engine: str, tmp_path: Path) -> None:
    async def main(address: str) -> None:
        room = Room(engine, turn=TurnServer(f"turn:{address}?transport=udp", "guessed"), relay_only=True)
        browser = room.browser()
        try:
            await browser.negotiate()
        except (UsageError, UnavailableError):
            pass
        else:
            assert "typ relay" not in browser.answer
        await browser.close()
        await room.close()

    with turnserver(tmp_path) as address:
        run(main(address))


@Engines
def test_stun_gives_an_address(engine: str, tmp_path: Path) -> None:
    async def main(address: str) -> None:
        async with talking(engine, ice_servers=(IceServer(f"stun:{address}"),)) as (room, browser):
            heard = len(room.ears.frames)
            await until(lambda: len(room.ears.frames) > heard + 5)
            assert "a=candidate:" in browser.answer

    with turnserver(tmp_path) as address:
        run(main(address))


def test_wrtc_keeps_to_a_range_of_ports() -> None:
    async def main() -> None:
        async with talking("wrtc", port_range=(42000, 42010)) as (_, browser):
            hosts = [
                line.split() for line in browser.answer.splitlines() if "udp" in line and "typ host" in line
            ]
            assert hosts
            assert all(42000 <= int(words[5]) <= 42010 for words in hosts)

    run(main())


def test_aiortc_says_that_it_cannot() -> None:
    with pytest.raises(ConfigurationError, match="wrtc"):
        WebRTCSettings(port_range=(42000, 42010))
