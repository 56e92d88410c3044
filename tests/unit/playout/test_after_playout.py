"""Audio that is made behind playout is named in the log; what is passed on there is not."""

import logging
from collections.abc import Callable

import pytest

from antiphon.audio.levels import scaled
from antiphon.frames import AgentAudio, AudioEnded, UserText, replace
from antiphon.playout.ambience import Ambience
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.session import Session
from antiphon.stage import Stage
from antiphon.testing import virtual
from antiphon.transports.loopback import Loopback

RATE = 24000
SECOND = b"\x00\x10" * RATE


class Beep(Processor):
    """Beeps for three seconds when somebody types, in one frame or in many."""

    def __init__(self, frames: int) -> None:
        self.frames = frames

    @on(UserText)
    def text(self, frame: UserText) -> None:
        for _ in range(self.frames):
            self.push(AgentAudio(0, 3 * SECOND[: len(SECOND) // self.frames], RATE))


class SlowBeep(Stage):
    """The same from a task, each 20 ms when they are due."""

    @on(UserText)
    async def text(self, frame: UserText):
        for _ in range(150):
            yield AgentAudio(0, SECOND[:960], RATE)
            await self.session.clock.sleep(0.02)


class Softer(Processor):
    """Lowers what playout sends."""

    @on(AgentAudio)
    def audio(self, frame: AgentAudio):
        yield replace(frame, pcm=scaled(frame.pcm, 0.5))


class Leading(Loopback):
    lead = 0.2


def speak(session: Session, part: Processor, seconds: int) -> None:
    def begin(reply: object) -> None:
        assert session.reply is not None
        part.push(AgentAudio(session.reply.number, SECOND * seconds, RATE))
        part.push(AudioEnded(session.reply.number))

    session.new_reply(begin)


@pytest.mark.parametrize("frames", [1, 150])
@virtual
async def test_part_that_makes_audio_behind_playout_is_named_once(
    frames: int, caplog: pytest.LogCaptureFixture
) -> None:
    line = Loopback()
    async with Session([line.input, Playout(), Beep(frames), line.output]) as session:
        for _ in range(3):
            session.send(UserText("beep"))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "Beep pushes audio after playout" in record.getMessage()
    assert "put the part before Playout" in record.getMessage()
    assert sum(len(frame.pcm) for frame in line.spoken) == 9 * len(SECOND)  # and yet it is heard


@pytest.mark.parametrize(
    "parts",
    [
        lambda: [Beep(1), Playout()],
        lambda: [Playout(), SlowBeep()],
        lambda: [Playout(lead=0.2), Softer()],
        lambda: [Playout(lead=0.2), Ambience(), Softer()],
    ],
    ids=["before", "paced", "passed on", "ambience"],
)
@virtual
async def test_others_are_not(parts: Callable[[], list[Processor]], caplog: pytest.LogCaptureFixture) -> None:
    line = Leading()
    first = Processor()
    first.name = "First"
    async with Session([line.input, first, *parts(), line.output]) as session:
        session.send(UserText("beep"))
        speak(session, first, 5)
        for _ in range(
            10
        ):  # each pause takes back what the transport holds, and each resumption sends it again
            await session.clock.sleep(0.3)
            playout = session.playout
            assert playout is not None
            playout.pause()
            await session.clock.sleep(0.05)
            playout.resume()
        await session.clock.sleep(5)
    assert caplog.records == []
