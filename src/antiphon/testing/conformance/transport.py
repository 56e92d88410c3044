"""The conformance suite for transports: audio in, audio out, and the end.

    run_virtual(check_transport(lambda: MyFarSide()))

The test implements the far side of its transport, a `FarSide`. The suite holds four short conversations,
preferably in virtual time, and raises an AssertionError that says what is wrong.
"""

from array import array
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from ...frames import AgentAudio, AudioEnded, UserAudio
from ...playout.playout import Playout
from ...processor import Processor, on
from ...reply import Reply
from ...session import Session
from ...transports.port import Transport
from ..scripted import loud
from .life import nothing_left

__all__ = ["FarSide", "check_transport"]

TOLERANCE = 0.15  # seconds by which audio may be late or too short
ENDED_WITHIN = 5.0  # seconds for the session to end after the far side has left
LOUD = 1000  # the amplitude of a sample that is not silence


class FarSide(Protocol):
    """The other side of a transport, such as a phone; made for one conversation."""

    sample_rate: int = 16000
    """The rate of the audio that this side sends."""
    leaves: bool = True
    """False if this side cannot end the conversation."""

    async def connect(self) -> Transport:
        """Begin a conversation, and return the transport for the agent's session."""
        ...

    async def talk(self, pcm: bytes) -> None:
        """Send mono 16-bit samples in real time, in small pieces."""
        ...

    @property
    def heard(self) -> Sequence[tuple[float, float]]:
        """The time (of the loop) and duration in seconds of each piece of audio received."""
        ...

    @property
    def cleared(self) -> Sequence[float]:
        """The times at which this side was told to drop unplayed audio."""
        return ()

    def leave(self) -> None:
        """End the conversation from this side."""

    async def closed(self) -> None:
        """Wait until the transport has closed, if it does so after its session's end."""


async def check_transport(make: Callable[[], FarSide]) -> None:
    """Check a transport, with a new far side for each of the conversations."""
    far = make()
    for name in ("connect", "talk", "heard", "cleared", "leave", "closed"):
        assert hasattr(type(far), name) or name in vars(far), (
            f"{far!r} has no {name}: write a FarSide, which talks to the transport from outside"
        )
    await _check_audio_in(far)
    await _check_audio_out(make())
    await _check_interruption(make())
    if (far := make()).leaves:
        await _check_leaving(far)


class _Ear(Processor):
    """A processor that keeps the user's audio, with the session's time of each frame."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, UserAudio]] = []

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.frames.append((self.session.now, frame))
        self.push(frame)


class _Voice(Processor):
    """A processor that speaks a reply of a given length."""

    def speak(self, seconds: float, sample_rate: int) -> Reply:
        def begin(reply: Reply) -> None:
            self.push(AgentAudio(reply.number, b"\x00\x10" * round(seconds * sample_rate), sample_rate))
            self.push(AudioEnded(reply.number))

        return self.session.new_reply(begin)


class _Talk:
    """A session over a transport, and its parts."""

    def __init__(self, transport: Transport) -> None:
        self.transport, self.ear, self.voice = transport, _Ear(), _Voice()
        playout = Playout(transport.sample_rate, lead=transport.lead)
        parts = [transport.input, self.ear, self.voice, playout, transport.output]
        self.session = Session(parts, observers=transport.observers)

    async def wait(self, seconds: float) -> None:
        await self.session.clock.sleep(seconds)

    def speak(self, seconds: float) -> Reply:
        return self.voice.speak(seconds, self.transport.sample_rate)


@asynccontextmanager
async def _talk(far: FarSide) -> AsyncGenerator[_Talk, None]:
    """Hold a conversation; on leaving, cancel it twice; no task may be left."""
    async with nothing_left():
        talk = _Talk(await far.connect())
        await talk.session.start()
        yield talk
        await talk.session.cancel("the test is over")
        await talk.session.cancel("the test is over")
        await far.closed()
        await talk.wait(0.1)


async def _check_audio_in(far: FarSide) -> None:
    async with _talk(far) as talk:
        for silence in (0.5, 1.0):
            await far.talk(bytes(2 * round(silence * far.sample_rate)))
            await far.talk(loud(1.0, far.sample_rate))
        await talk.wait(0.5)
        frames = talk.ear.frames
        assert frames, "no audio of the far side came in"
        rate = frames[0][1].sample_rate
        samples = sum(abs(sample) > LOUD for _, frame in frames for sample in array("h", frame.pcm))
        assert abs(samples / rate - 2.0) < TOLERANCE, f"2 s were said, {samples / rate:.2f} s came in"
        end = 0
        for now, frame in frames:
            assert frame.sample_rate == rate, "the sample rate changed"
            assert frame.at >= end, f"audio of {frame.at / rate:.3f} s came after that of {end / rate:.3f} s"
            end = frame.at + len(frame.pcm) // 2
            late = now - end / rate
            assert -0.1 < late < TOLERANCE, f"audio that ends at {end / rate:.3f} s came at {now:.3f} s"


async def _check_audio_out(far: FarSide) -> None:
    async with _talk(far) as talk:
        begun = talk.session.clock.now()
        reply = talk.speak(2.0)
        await reply
        await talk.wait(0.5)
        total = sum(seconds for _, seconds in far.heard)
        assert abs(total - 2.0) < TOLERANCE, f"2 s were spoken, {total:.2f} s came to the far side"
        lead, sent = talk.transport.lead, 0.0
        for at, seconds in far.heard:
            sent += seconds
            ahead = sent - (at - begun)
            assert ahead < lead + TOLERANCE, f"audio was sent {ahead:.2f} s early; the lead is {lead:g} s"
            assert ahead > -TOLERANCE, f"audio was sent {-ahead:.2f} s late"


async def _check_interruption(far: FarSide) -> None:
    async with _talk(far) as talk:
        reply = talk.speak(5.0)
        await talk.wait(1.0)
        talk.session.interrupt("the test", force=True)
        interrupted = talk.session.clock.now()
        await reply
        await talk.wait(1.0)
        total, lead = sum(seconds for _, seconds in far.heard), talk.transport.lead
        assert 1.0 - TOLERANCE < total < 1.0 + lead + TOLERANCE, (
            f"interrupted after 1 s, {total:.2f} s were sent"
        )
        late = [at for at, _ in far.heard if at > interrupted + TOLERANCE]
        assert not late, f"audio came {late[-1] - interrupted:.2f} s after the interruption"
        assert lead <= TOLERANCE or far.cleared, (
            f"{lead:g} s were sent ahead, and the far side must drop them"
        )
        before = len(far.heard)
        await talk.speak(0.5)
        await talk.wait(0.5)
        assert sum(seconds for _, seconds in far.heard[before:]) > 0.5 - TOLERANCE, (
            "the next reply was not sent"
        )


async def _check_leaving(far: FarSide) -> None:
    async with _talk(far) as talk:
        await far.talk(loud(0.2, far.sample_rate))
        talk.speak(5.0)
        await talk.wait(0.5)
        far.leave()
        for _ in range(round(ENDED_WITHIN / 0.1)):
            if talk.session.state == "ended":
                break
            await talk.wait(0.1)
        assert talk.session.state == "ended", f"the far side left, and after {ENDED_WITHIN:g} s it goes on"
