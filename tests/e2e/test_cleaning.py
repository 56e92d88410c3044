"""An agent whose loudspeaker stands beside its microphone, with the real voice and detector."""

import numpy as np
import pytest

from antiphon import Agent, Session
from antiphon.audio.timeline import Timeline
from antiphon.clock import LoopClock
from antiphon.frames import Interrupted, ReplyEnded
from antiphon.services.cleaning import Cleaning
from antiphon.testing import virtual
from antiphon.transports.loopback import Loopback
from antiphon.vendors.webrtc_audio import Cleaner

pytestmark = pytest.mark.e2e

RATE = 24000
PIECE = RATE // 50
LATE = round(0.06 * RATE)
SAID = (
    "The museum opens at nine in the morning and closes at six in the evening. "
    "Tickets cost ten euros, and children pay nothing. "
    "The great hall is on the first floor, behind the stairs."
)


class Room:
    """What the microphone hears of what was played: 60 ms later, 6 dB softer, with the sound of a room."""

    def __init__(self, transport: Loopback) -> None:
        random = np.random.default_rng(7)
        path = np.exp(-np.arange(2400) / 450) * random.normal(0, 1, 2400)
        self._path = path / np.sqrt(np.sum(path * path)) / 2
        self._noise = random
        self._transport = transport
        self._played = Timeline(30 * RATE)
        self._seen = 0

    def hear(self, at: int) -> None:
        """The next 20 ms, from position `at` on."""
        for frame in self._transport.spoken[self._seen :]:
            self._played.write(frame.at, frame.pcm)
        self._seen = len(self._transport.spoken)
        before = len(self._path) - 1
        sound = np.frombuffer(self._played.read(at - LATE - before, PIECE + before), "<i2").astype(float)
        echo = np.convolve(sound, self._path, "valid") + self._noise.normal(0, 10, PIECE)
        self._transport.hear(echo.clip(-32768, 32767).astype("<i2").tobytes())


async def heard(*, cleaned: bool) -> tuple[str, list[str]]:
    """What was heard of a long answer, and why it was interrupted."""
    agent = Agent("You are brief.")
    transport = Loopback(RATE, input_rate=RATE)
    first, vad, *parts, last = agent.pipeline(transport)
    cleaning = Cleaning(Cleaner("echo"))
    near = [cleaning, vad, cleaning.raw] if cleaned else [vad]
    session = Session([first, *near, *parts, *([cleaning.far] if cleaned else []), last])
    ended: list[ReplyEnded] = []
    reasons: list[str] = []
    session.on(ReplyEnded, ended.append)
    session.on(Interrupted, lambda signal: reasons.append(signal.reason))
    room, clock = Room(transport), LoopClock()
    async with session:
        session.say(SAID)
        for piece in range(20 * 50):
            await clock.sleep(0.02)
            room.hear(piece * PIECE)
            if ended:
                break
    return ended[0].heard, reasons


@virtual
async def test_an_agent_that_hears_itself_interrupts_itself() -> None:
    """What the other test would be worth nothing without."""
    said, reasons = await heard(cleaned=False)
    assert len(said) < len(SAID)
    assert reasons


@virtual
async def test_with_echo_cancellation_it_speaks_to_its_end() -> None:
    assert await heard(cleaned=True) == (SAID, [])
