"""Microphone and loudspeaker, over a stand-in for the module sounddevice whose callbacks the test calls."""

import asyncio
import importlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from antiphon import Playout, Session, Tap
from antiphon.errors import ConfigurationError
from antiphon.frames import AgentAudio, AudioEnded, Failed, UserAudio
from antiphon.processor import Processor
from antiphon.reply import Reply
from antiphon.testing import virtual
from antiphon.transports.terminal import Terminal, sound_device


class PortAudioError(Exception):
    """As sounddevice has one."""


class Stream:
    def __init__(self, settings: dict[str, Any], broken: str | None) -> None:
        self.settings = settings
        self.broken = broken
        self.did: list[str] = []

    def start(self) -> None:
        if self.broken:
            raise PortAudioError(self.broken)
        self.did.append("start")

    def abort(self) -> None:
        self.did.append("abort")

    def close(self) -> None:
        self.did.append("close")

    def hear(self, pcm: bytes) -> None:
        self.settings["callback"](pcm, len(pcm) // 2, None, 0)

    def play(self) -> bytes:
        wanted = bytearray(self.settings["blocksize"] * 2)
        self.settings["callback"](wanted, self.settings["blocksize"], None, 0)
        return bytes(wanted)


class Sound:
    """Two devices that can do `rates`, or none at all."""

    PortAudioError = PortAudioError

    def __init__(
        self, rates: tuple[int, ...] = (16000, 24000), *, devices: bool = True, broken: str | None = None
    ) -> None:
        self.rates = rates
        self.devices = devices
        self.streams: dict[str, Stream] = {}
        self.RawInputStream = self._opener("input", broken)
        self.RawOutputStream = self._opener("output", None)

    def _opener(self, kind: str, broken: str | None) -> Callable[..., Stream]:
        def open_stream(**settings: Any) -> Stream:
            self.streams[kind] = Stream(settings, broken)
            return self.streams[kind]

        return open_stream

    def query_devices(self, device: int | str | None, kind: str) -> dict[str, Any]:
        if not self.devices:
            raise PortAudioError("Error querying device -1")
        return {"name": kind, "default_samplerate": 48000.0}

    def check_input_settings(self, **settings: Any) -> None:
        if settings["samplerate"] not in self.rates:
            raise PortAudioError("Invalid sample rate")

    check_output_settings = check_input_settings

    @property
    def microphone(self) -> Stream:
        return self.streams["input"]

    @property
    def loudspeaker(self) -> Stream:
        return self.streams["output"]


class Speaker(Processor):
    """Gives playout what it is told to."""

    def speak(self, seconds: float) -> None:
        def begin(reply: Reply) -> None:
            self.push(AgentAudio(reply.number, b"\x01\x02" * round(24000 * seconds), 24000))
            self.push(AudioEnded(reply.number))

        self.session.new_reply(begin)


class Room:
    """A session over a terminal, and what comes through it."""

    def __init__(
        self, sound: Sound, *, rests: bool = False, hear: Callable[[UserAudio], object] | None = None
    ) -> None:
        self.sound = sound
        self.heard: list[UserAudio] = []
        self.terminal = Terminal(rests=rests, sounddevice=sound)
        self.speaker = Speaker()
        self.session = Session(
            [
                self.terminal.input,
                Tap(hear or self.heard.append, UserAudio),
                self.speaker,
                Playout(self.terminal.sample_rate, lead=self.terminal.lead),
                self.terminal.output,
            ]
        )

    async def hear(self, *pieces: bytes, after: float = 0.02) -> None:
        for piece in pieces:
            await self.session.clock.sleep(after)
            self.sound.microphone.hear(piece)
        await self.session.clock.sleep(0)
        await self.session.clock.sleep(0)


PIECE = b"\x07\x00" * 320


def test_the_rates_of_the_models_are_used_where_a_device_has_them() -> None:
    assert Terminal(sounddevice=Sound()).sample_rate == 24000
    assert Terminal(sounddevice=Sound()).input.rate == 16000
    poor = Terminal(sounddevice=Sound(rates=(48000,)))
    assert (poor.input.rate, poor.sample_rate) == (48000, 48000)


@virtual
async def test_what_is_heard_lies_on_the_time_of_the_session() -> None:
    room = Room(Sound())
    async with room.session:
        await room.hear(PIECE, PIECE, PIECE)
        await room.hear(PIECE, after=0.05)  # late, but within what a thread may be late
        assert [frame.at for frame in room.heard] == [0, 320, 640, 960]
        await room.hear(PIECE, after=0.5)  # something was lost
        now = room.session.now
    assert room.heard[-1] == UserAudio(PIECE, 16000, round(now * 16000) - 320)


@virtual
async def test_what_comes_before_the_start_and_after_the_end_is_nobodys() -> None:
    room = Room(Sound())
    async with room.session:
        microphone = room.sound.microphone
    microphone.hear(PIECE)
    await room.session.clock.sleep(0.1)
    assert room.heard == []
    assert microphone.did == ["start", "abort", "close"]
    assert room.sound.loudspeaker.did == ["start", "abort", "close"]


@virtual
async def test_the_loudspeaker_has_a_lead_and_then_silence() -> None:
    room = Room(Sound())
    async with room.session:
        assert room.sound.loudspeaker.play() == bytes(960)
        room.speaker.speak(0.2)
        for _ in range(10):
            assert room.sound.loudspeaker.play() == b"\x01\x02" * 480
            await room.session.clock.sleep(0.02)
        assert room.sound.loudspeaker.play() == bytes(960)


@virtual
async def test_the_lead_is_no_more_than_was_asked_for() -> None:
    room = Room(Sound())
    async with room.session:
        room.speaker.speak(1.0)
        await room.session.clock.sleep(0)
        played = 0
        while room.sound.loudspeaker.play() != bytes(960):
            played += 1
        assert 0.04 <= played * 0.02 <= 0.08


@virtual
async def test_an_interruption_empties_it() -> None:
    room = Room(Sound())
    async with room.session:
        room.speaker.speak(1.0)
        await room.session.clock.sleep(0.1)
        room.session.interrupt()
        faded = room.sound.loudspeaker.play()
        assert faded[-2:] == bytes(2) != faded[:2], "it falls silent in 20 ms, without a click"
        assert room.sound.loudspeaker.play() == bytes(960)


@virtual
async def test_a_loudspeaker_that_does_not_play_holds_no_more_than_half_a_second() -> None:
    room = Room(Sound())
    async with room.session:
        room.speaker.speak(3.0)
        await room.session.clock.sleep(2.0)
        played = 0
        while room.sound.loudspeaker.play() != bytes(960):
            played += 1
        assert played == 25


@virtual
async def test_a_microphone_that_rests_hears_nothing_while_the_agent_speaks() -> None:
    room = Room(Sound(), rests=True)
    async with room.session:
        await room.hear(PIECE)
        room.speaker.speak(1.0)
        await room.hear(PIECE)
        room.session.interrupt()
        room.sound.loudspeaker.play()
        await room.hear(PIECE)
    assert [frame.pcm for frame in room.heard] == [PIECE, bytes(640), PIECE]


@virtual
async def test_a_device_that_stops_by_itself_is_named() -> None:
    room = Room(Sound())
    failures: list[Failed] = []
    async with room.session:
        room.session.on(Failed, failures.append)
        room.sound.microphone.settings["finished_callback"]()
        await room.session.clock.sleep(0.01)
    assert [(failed.part, failed.error) for failed in failures] == [("Microphone", "UnavailableError")]


@virtual
async def test_a_device_that_cannot_be_opened_ends_the_start_and_closes_the_other() -> None:
    room = Room(Sound(broken="Device unavailable"))
    with pytest.raises(ConfigurationError, match=r"microphone cannot be used \(Device unavailable\).*--text"):
        await room.session.start()
    assert room.sound.loudspeaker.did[-1] == "close"


def test_without_devices_it_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match=r"No microphone was found here.*--text"):
        Terminal(sounddevice=Sound(devices=False))


def test_without_the_package_or_its_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    def without_library(name: str) -> Any:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigurationError, match=r'pip install "antiphon\[terminal\]"'):
        sound_device()
    monkeypatch.setattr(importlib, "import_module", without_library)
    with pytest.raises(ConfigurationError, match="apt-get install libportaudio2"):
        sound_device()


def test_what_a_thread_of_portaudio_hears_enters_in_the_loop() -> None:
    async def main() -> int:
        came: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        room = Room(Sound(), hear=lambda frame: came.set_result(threading.get_ident()))
        async with room.session:
            thread = threading.Thread(target=room.sound.microphone.hear, args=(PIECE,))
            thread.start()
            entered = await asyncio.wait_for(came, 5)
            thread.join()
        return entered

    assert asyncio.run(main()) == threading.get_ident()


@virtual
async def test_a_loop_that_stalls_hears_the_newest_seconds_of_the_microphone() -> None:
    room = Room(Sound())
    async with room.session:
        await room.hear(PIECE)
        for number in range(500):  # ten seconds of callbacks, in which the loop does nothing
            room.sound.microphone.hear(bytes([number % 251, 0]) * 320)
        await room.session.clock.sleep(0.01)
        captured = room.terminal.input.captured
        assert captured is not None
        assert captured.dropped == 250
    assert [frame.pcm[0] for frame in room.heard[1:]] == [number % 251 for number in range(250, 500)]
