"""Cleaning keeps every sample at its place, whatever the filter does, and never costs the user's voice."""

import threading

import numpy as np
import pytest

from antiphon.audio.levels import rms
from antiphon.audio.resample import resample
from antiphon.clock import LoopClock
from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.frames import AgentAudio, Failed, Interrupted, UserAudio
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.services.cleaning import Cleaning
from antiphon.services.ports import AudioFilter
from antiphon.session import Session
from antiphon.testing import virtual
from antiphon.transports.loopback import Loopback
from antiphon.vendors.webrtc_audio import Cleaner

sleep = LoopClock().sleep


class Late(AudioFilter):
    """Gives back what it was given, `delay` samples later, and remembers the far end."""

    echo = True

    def __init__(self, sample_rate: int = 16000, *, delay: int = 96, light: bool = True) -> None:
        self.sample_rate = sample_rate
        self.block = sample_rate // 100
        self.delay = delay
        self.light = light
        self.far = b""
        self.blocks: list[int] = []
        self.broken = 0
        self.resets = 0
        self._held = bytes(2 * delay)

    def process(self, near: bytes, far: bytes | None) -> bytes:
        if self.broken:
            self.broken -= 1
            raise ZeroDivisionError
        assert len(near) % (2 * self.block) == 0
        self.blocks.append(len(near) // 2)
        assert far is not None
        self.far += far
        self._held += near
        out, self._held = self._held[: len(near)], self._held[len(near) :]
        return out

    def reset(self) -> None:
        self.resets += 1
        self._held = bytes(2 * self.delay)


class Ear(Processor):
    """Behind the cleaning."""

    def __init__(self, *, passes: bool = False) -> None:
        self.heard: list[UserAudio] = []
        self._passes = passes

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.heard.append(frame)
        if self._passes:
            self.push(frame)


def ramp(samples: int, begin: int = 1) -> bytes:
    """Each sample says where it stood."""
    return (np.arange(begin, begin + samples) % 30000).astype("<i2").tobytes()


def by_place(heard: list[UserAudio]) -> dict[int, int]:
    """Every sample that was heard, by its position."""
    places: dict[int, int] = {}
    for frame in heard:
        for place, value in enumerate(np.frombuffer(frame.pcm, "<i2").tolist(), frame.at):
            assert place not in places, "a place was filled twice"
            places[place] = value
    return places


async def conversation(cleaning: Cleaning, ear: Ear, transport: Loopback) -> Session:
    playout = Playout(transport.sample_rate)
    session = Session([transport.input, cleaning, ear, playout, cleaning.far, transport.output])
    await session.start()
    return session


@pytest.mark.parametrize("light", [True, False])
@virtual
async def test_every_sample_keeps_its_place(light: bool) -> None:
    transport, ear = Loopback(), Ear()
    session = await conversation(Cleaning(Late(light=light)), ear, transport)
    await transport.speak(ramp(16000))
    await sleep(0.1)
    places = by_place(ear.heard)
    assert len(places) == 16000 - 96
    assert all(value == place + 1 for place, value in places.items())
    assert all(frame.sample_rate == 16000 for frame in ear.heard)
    await session.cancel()


@virtual
async def test_pieces_of_any_length_and_gaps() -> None:
    transport, ear = Loopback(), Ear()
    session = await conversation(Cleaning(Late(delay=0)), ear, transport)
    at = 0
    for size, gap in ((320, 0), (33, 0), (1000, 0), (7, 4000), (640, 0), (160, 20), (640, 0)):
        transport.input.push(UserAudio(ramp(size, at + 1), 16000, at))
        at += size + gap
    places = by_place(ear.heard)
    assert all(value == place + 1 for place, value in places.items())
    assert max(places) > 6000
    assert len(places) > 2800 - 3 * 160
    await session.cancel()


@virtual
async def test_another_rate_is_matched_and_the_places_with_it() -> None:
    transport, ear = Loopback(input_rate=8000), Ear()
    session = await conversation(Cleaning(Late()), ear, transport)
    pulse = np.zeros(8000, "<i2")
    pulse[4000] = 20000
    await transport.speak(pulse.tobytes())
    places = by_place(ear.heard)
    assert max(places, key=lambda place: places[place]) == 8000
    await session.cancel()


class Mute(Late):
    """Takes everything away."""

    def process(self, near: bytes, far: bytes | None) -> bytes:
        return bytes(len(super().process(near, far)))


@pytest.mark.parametrize("light", [True, False])
@virtual
async def test_the_microphone_is_given_back_as_it_was(light: bool) -> None:
    transport, clean, raw = Loopback(), Ear(passes=True), Ear()
    service = Mute(light=light)
    cleaning = Cleaning(service)
    session = Session([transport.input, cleaning, clean, cleaning.raw, raw, Playout(24000), cleaning.far])
    await session.start()
    await transport.speak(ramp(8000))
    service.broken = 1
    await transport.speak(ramp(16000, 8001))
    await sleep(0.1)
    assert set(by_place(clean.heard[:20]).values()) == {0}
    places = by_place(raw.heard)
    assert len(places) > 24000 - 5 * 320
    assert all(value == place + 1 for place, value in places.items())
    await session.cancel()


@virtual
async def test_the_far_end_is_what_was_played_at_that_time() -> None:
    transport, ear, service = Loopback(24000), Ear(), Late()
    session = await conversation(Cleaning(service), ear, transport)

    def play(seconds: float, pcm: bytes) -> None:
        (session.playout or transport.output).push(AgentAudio(1, pcm, 24000, round(seconds * 24000)))

    tone = np.full(2400, 8000, "<i2").tobytes()
    play(0.2, tone)
    play(0.3, tone)
    play(0.7, tone)
    await transport.speak(bytes(32000))
    far = np.frombuffer(service.far, "<i2")
    loud = np.flatnonzero(far > 4000) / 16000
    assert loud[0] == pytest.approx(0.2, abs=0.001)
    assert loud[(loud > 0.25) & (loud < 0.6)].max() == pytest.approx(0.4, abs=0.001)
    assert loud[loud > 0.6].min() == pytest.approx(0.7, abs=0.001)
    assert loud.max() == pytest.approx(0.8, abs=0.002)  # the resampler waits for what follows
    await session.cancel()


@virtual
async def test_a_known_delay_of_the_echo_is_taken_off() -> None:
    transport, ear, service = Loopback(16000), Ear(), Late()
    session = await conversation(Cleaning(service, echo_delay=0.5), ear, transport)
    (session.playout or transport.output).push(AgentAudio(1, ramp(1600), 16000, 1600))
    await transport.speak(bytes(32000))
    assert np.flatnonzero(np.frombuffer(service.far, "<i2"))[0] == 1600 + 8000
    await session.cancel()


@virtual
async def test_what_a_transport_forgot_was_not_played() -> None:
    transport, ear, service = Loopback(16000), Ear(), Late()
    transport.lead = 0.5
    cleaning = Cleaning(service)
    playout = Playout(16000, lead=0.5)
    session = Session([transport.input, cleaning, ear, playout, cleaning.far, transport.output])
    await session.start()
    playout.push(AgentAudio(1, ramp(16000), 16000, 0))
    await sleep(0.4)
    session.signals.tell(Interrupted(1, 0, "barge-in"), "test")
    await transport.speak(bytes(24000))
    far = np.frombuffer(service.far, "<i2")
    assert np.flatnonzero(far)[-1] == 6399
    await session.cancel()


@pytest.mark.parametrize("light", [True, False])
@virtual
async def test_a_filter_that_fails_is_passed_by_and_tried_again(light: bool) -> None:
    transport, ear, service = Loopback(), Ear(), Late(light=light)
    session = await conversation(Cleaning(service), ear, transport)
    failures: list[Failed] = []
    session.on(Failed, failures.append)
    await transport.speak(ramp(3200))
    service.broken = 1
    await transport.speak(ramp(32000, 3201))
    assert [failure.error for failure in failures] == ["ZeroDivisionError"]
    assert service.resets == 1
    places = by_place(ear.heard)
    lost = 3 * 320 + 2 * 96 + 320
    assert len(places) > 35200 - lost
    assert all(value == place % 30000 + 1 for place, value in places.items() if place < 29000)
    count = len(service.blocks)
    await transport.speak(ramp(320))
    await sleep(0.05)
    assert len(service.blocks) > count
    await session.cancel()


@virtual
async def test_a_filter_that_is_behind_is_passed_by() -> None:
    transport, ear, service = Loopback(), Ear(), Late(light=False)
    cleaning = Cleaning(service)
    session = await conversation(cleaning, ear, transport)
    for _ in range(25):  # half a second at once
        transport.hear(ramp(320))
    await sleep(0.1)
    assert 0.2 < cleaning.skipped < 0.3
    assert len(by_place(ear.heard)) == 8000 - 96
    await session.cancel()


@virtual
async def test_blocking_work_is_done_beside_the_loop() -> None:
    names: set[str] = set()

    class Heavy(Late):
        def process(self, near: bytes, far: bytes | None) -> bytes:
            names.add(threading.current_thread().name)
            return super().process(near, far)

    transport, ear = Loopback(), Ear()
    session = await conversation(Cleaning(Heavy(light=False)), ear, transport)
    await transport.speak(ramp(3200))
    await sleep(0.1)
    assert names and ear.heard
    await session.cancel()


@virtual
async def test_the_filter_is_loaded_and_closed_with_the_session() -> None:
    class Loaded(Late):
        state = "new"

        async def open(self) -> None:
            self.state = "loaded"

        async def close(self) -> None:
            self.state = "closed"

    service = Loaded()
    session = await conversation(Cleaning(service), Ear(), Loopback())
    assert service.state == "loaded"
    await session.cancel()
    assert service.state == "closed"


@virtual
async def test_a_filter_that_could_not_be_loaded_is_loaded_later() -> None:
    class Unreachable(Late):
        tries = 0

        async def open(self) -> None:
            self.tries += 1
            if self.tries < 3:
                raise UnavailableError("the model cannot be fetched")

    transport, ear, service = Loopback(), Ear(), Unreachable(light=False)
    session = await conversation(Cleaning(service), ear, transport)
    await transport.speak(ramp(16000))
    await sleep(0.1)
    assert service.tries == 3
    assert service.blocks
    assert len(by_place(ear.heard)) > 16000 - 2 * 320 - 96
    await session.cancel()


async def echo_taken_away(echo_delay: float) -> float:
    """dB, of an echo that comes 80 ms late through the loop of loudspeaker and microphone."""
    transport, ear = Loopback(24000), Ear()
    session = await conversation(Cleaning(Cleaner("echo"), echo_delay=echo_delay), ear, transport)
    random = np.random.default_rng(1)
    pitch = np.cumsum(np.repeat(random.uniform(90, 220, 30), 4800)) / 24000
    words = np.repeat(random.uniform(0, 1, 30) * (random.uniform(0, 1, 30) > 0.4), 4800)
    overtones = np.sum([np.sin(2 * np.pi * n * pitch) / n for n in range(1, 25)], axis=0)
    said = (2500 * words * overtones).astype("<i2")
    echo = np.concatenate((np.zeros(1920, "<i2"), (said * 0.3).astype("<i2")))
    heard = resample(echo.tobytes(), 24000, 16000)
    for piece in range(300):
        at = piece * 480
        frame = AgentAudio(1, said[at : at + 480].tobytes(), 24000, at)
        (session.playout or transport.output).push(frame)
        await sleep(0.02)
        transport.hear(heard[piece * 640 : piece * 640 + 640])
    await session.cancel()
    clean = b"".join(frame.pcm for frame in ear.heard)
    return rms(heard[3 * 32000 : 6 * 32000]) - rms(clean[3 * 32000 :])


@virtual
async def test_the_agents_echo_is_gone_from_what_is_heard() -> None:
    assert await echo_taken_away(0.0) > 30


@virtual
async def test_an_echo_that_comes_before_its_sound_is_none() -> None:
    """What proves that it is the place in time that matters."""
    assert await echo_taken_away(0.5) < 6


def test_an_impossible_delay_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="echo_delay"):
        Cleaning(Late(), echo_delay=3.0)
