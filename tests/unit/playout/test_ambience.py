"""The output never falls silent, is never late, and the voice is in it."""

import numpy as np
import pytest

from antiphon.audio.levels import rms
from antiphon.clock import LoopClock
from antiphon.errors import ConfigurationError
from antiphon.frames import (
    AgentAudio,
    AudioEnded,
    PlayoutPaused,
    SegmentEnded,
    SegmentStarted,
    Text,
    TextEnded,
)
from antiphon.playout.ambience import Ambience, AmbienceSettings
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.session import Session
from antiphon.testing import virtual
from antiphon.transports.loopback import Loopback

sleep = LoopClock().sleep
RATE = 24000


class Voice(Processor):
    """Speaks what `say` says, each character for 20 ms, after `late` seconds."""

    late = 0.0

    @on(Text)
    def text(self, frame: Text) -> None:
        def speak() -> None:
            pcm = np.full(480 * len(frame.text), 8000, "<i2").tobytes()
            self.push(SegmentStarted(frame.reply, frame.at, frame.at + len(frame.text)))
            self.push(AgentAudio(frame.reply, pcm, RATE))
            self.push(SegmentEnded(frame.reply))
            self.push(AudioEnded(frame.reply))

        self.after(self.late, speak)

    @on(TextEnded)
    def text_ended(self, frame: TextEnded) -> None:
        """Here all text has a voice."""


async def conversation(
    settings: AmbienceSettings | None = None, *, lead: float = 0.0, late: float = 0.0
) -> tuple[Session, Loopback]:
    transport, voice = Loopback(RATE), Voice()
    transport.lead, voice.late = lead, late
    playout = Playout(RATE, lead=lead)
    session = Session([transport.input, voice, playout, Ambience(settings), transport.output])
    await session.start()
    return session, transport


def sound(transport: Loopback) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """What came out, checked to be without a gap."""
    at = transport.spoken[0].at
    for frame in transport.spoken:
        assert frame.at == at
        at += len(frame.pcm) // 2
    return np.frombuffer(b"".join(frame.pcm for frame in transport.spoken), "<i2")


@pytest.mark.parametrize("lead", [0.0, 0.1])
@virtual
async def test_the_line_is_never_dead(lead: float) -> None:
    session, transport = await conversation(AmbienceSettings(background_level=-40), lead=lead)
    await sleep(1.005)
    heard = sound(transport)
    assert len(heard) == pytest.approx((1.0 + min(lead, 0.02)) * RATE, abs=960)
    assert {len(frame.pcm) for frame in transport.spoken} == {960}
    assert rms(heard.tobytes()) == pytest.approx(-40, abs=2)
    await session.cancel()


@pytest.mark.parametrize("lead", [0.0, 0.1])
@virtual
async def test_the_voice_is_in_it_whole_and_at_most_two_pieces_late(lead: float) -> None:
    session, transport = await conversation(AmbienceSettings(background_level=-60), lead=lead)
    for pause in (0.507, 0.311, 0.013):
        await sleep(pause)
        begun = session.clock.now()
        session.say("a" * 20)
        await sleep(0.6)
        heard = sound(transport)
        voice = np.flatnonzero(heard > 4000)
        voice = voice[voice >= (begun - 0.001) * RATE]
        assert len(voice) == 20 * 480
        assert np.all(np.diff(voice) == 1)
        assert -0.02 <= voice[0] / RATE - begun <= 0.041
    ahead = transport.spoken[-1].at / RATE + 0.02 - session.clock.now()
    assert ahead <= min(lead, 0.02) + 0.021  # nothing has piled up at the transport
    assert {frame.reply for frame in transport.spoken} == {0, 1, 2, 3}
    await session.cancel()


@virtual
async def test_what_ends_in_the_middle_of_a_piece_is_filled_up() -> None:
    """A transport that sends whole packets would fill it with silence, and fall behind."""
    session, transport = await conversation(AmbienceSettings(background_level=-60))
    playout = session.playout
    assert playout is not None
    for _ in range(10):
        playout.push(AgentAudio(1, np.full(100, 8000, "<i2").tobytes(), RATE, round(session.now * RATE)))
        await sleep(0.05)
    sound(transport)
    assert {len(frame.pcm) for frame in transport.spoken} == {960}
    assert transport.spoken[-1].at / RATE <= session.clock.now() + 0.02
    await session.cancel()


@virtual
async def test_a_long_wait_for_the_answer_is_filled_and_a_short_one_is_not() -> None:
    settings = AmbienceSettings(background=None, thinking_level=-30, thinking_after=1.0)
    session, transport = await conversation(settings, late=3.0)
    session.say("a" * 20)
    await sleep(5.0)
    heard = sound(transport)
    assert not heard[: int(0.98 * RATE)].any()
    assert rms(heard[int(1.2 * RATE) : int(2.8 * RATE)].tobytes()) == pytest.approx(-30, abs=3)
    assert np.all(heard[int(3.3 * RATE) : int(3.38 * RATE)] == 8000)
    assert not heard[int(4.0 * RATE) :].any()
    await session.cancel()

    session, transport = await conversation(settings, late=0.5)
    session.say("a" * 20)
    await sleep(2.0)
    assert set(sound(transport).tolist()) == {0, 8000}
    await session.cancel()


@virtual
async def test_it_goes_on_after_the_transport_was_cleared() -> None:
    session, transport = await conversation(lead=0.2)
    session.say("a" * 100)
    await sleep(0.5)
    session.interrupt("barge-in")
    count = len(transport.spoken)
    await sleep(0.5)
    after = transport.spoken[count:]
    assert after[0].at == pytest.approx(0.5 * RATE, abs=1)
    assert sum(len(frame.pcm) // 2 for frame in after) == pytest.approx(0.52 * RATE, abs=960)
    await session.cancel()


@virtual
async def test_nobody_thinks_while_the_voice_is_held() -> None:
    settings = AmbienceSettings(background=None, thinking_after=0.5)
    session, transport = await conversation(settings)
    session.say("a" * 100)
    await sleep(0.5)
    assert session.playout is not None
    session.playout.pause()
    session.signals.tell(PlayoutPaused(1), "test")
    count = len(transport.spoken)
    await sleep(1.0)
    assert not any(any(frame.pcm) for frame in transport.spoken[count:])
    await session.cancel()


def test_what_would_be_too_loud_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="-6 dBFS"):
        AmbienceSettings(background_level=0.0)


@virtual
async def test_it_needs_a_playout_and_a_sound() -> None:
    with pytest.raises(ConfigurationError, match="needs a Playout"):
        await Session([Ambience()]).start()
    with pytest.raises(ConfigurationError, match="no sound 'jungle'"):
        await conversation(AmbienceSettings(background="jungle"))
