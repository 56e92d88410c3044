"""A client on a websocket: audio both ways and the messages of the client protocol, over any Wire."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from ..errors import ConfigurationError
from ..frames import (
    AgentAudio,
    Frame,
    Interrupted,
    PlayoutPaused,
    ReplyEnded,
    SessionStarted,
    Signal,
    UserAudio,
)
from ..observers import Observer
from ..ports import BranchPort
from ..processor import Processor, Route, SessionPort, on
from ..rtvi import RTVI
from ..stage import Stage, Work
from .framing import FramedAudio, FramedMessage, Framing, Json, Protobuf
from .intake import Intake
from .wire import Wire

if TYPE_CHECKING:
    from ..audio.resample import Resampler

__all__ = ["Websocket"]

FRAMINGS: dict[str, type[Framing]] = {"protobuf": Protobuf, "json": Json}
LEAD = 0.1  # seconds of audio that the client's player holds
READY_WITHIN = 10.0  # seconds that the session waits for the client's first message
CLIENT_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


class Websocket:
    """Carries a session over a wire, which it closes at the session's end.

    `framing` "auto" is what the client's first message is: binary is protobuf, text is JSON. `input_rate` is
    that of the audio that goes into the pipeline; other rates are resampled. `lead` in seconds, 0.1 at most:
    a client may have no way to forget what it was sent.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        framing: Literal["protobuf", "json", "auto"] = "auto",
        rtvi: RTVI | None = None,
        input_rate: int = 16000,
        sample_rate: int = 24000,
        lead: float = LEAD,
    ) -> None:
        if framing not in (*FRAMINGS, "auto"):
            raise ConfigurationError(f"websocket: framing is protobuf, json or auto, not {framing!r}")
        if not 0 <= lead <= LEAD or input_rate not in CLIENT_RATES or sample_rate not in CLIENT_RATES:
            raise ConfigurationError(
                f"websocket: lead is 0 to {LEAD:g} s, and rates are of {', '.join(map(str, CLIENT_RATES))}; "
                f"not {lead:g}, {input_rate} and {sample_rate}"
            )
        self.rtvi = rtvi or RTVI()
        self.sample_rate = sample_rate
        self.lead = lead
        line = _Line(wire, FRAMINGS[framing]() if framing != "auto" else None)
        self.rtvi.send = line.say
        self.input = WebsocketInput(line, self.rtvi, input_rate)
        self.output = WebsocketOutput(line)

    @property
    def observers(self) -> Sequence[Observer]:
        """The client protocol."""
        return [self.rtvi]


class _Line:
    """The wire, and how it is spoken on."""

    def __init__(self, wire: Wire, framing: Framing | None) -> None:
        self.wire = wire
        self.framing = framing
        self._gone = False

    async def hear(self) -> bytes | str | None:
        """The next message; the first says how the client speaks."""
        message = None if self._gone else await self.wire.receive()
        self._gone = message is None
        if self.framing is None and message is not None:
            self.framing = Json() if isinstance(message, str) else Protobuf()
        return message

    def read(self, message: bytes | str) -> FramedAudio | FramedMessage | None:
        """What a message holds."""
        return None if self.framing is None else self.framing.read(message)

    def say(self, text: str) -> None:
        """A message of the protocol."""
        if self.framing is not None:
            self.wire.send(self.framing.message(text))

    def play(self, pcm: bytes, sample_rate: int) -> None:
        """Audio."""
        if self.framing is not None:
            self.wire.send(self.framing.sound(pcm, sample_rate))


class WebsocketInput(Stage):
    """Reads the wire: audio becomes UserAudio at its place in time, messages go to the protocol."""

    name = "websocket in"

    def __init__(self, line: _Line, rtvi: RTVI, sample_rate: int) -> None:
        self.malformed = 0
        """Messages that were nothing of use."""
        self._line = line
        self._rtvi = rtvi
        self._mono = _Mono(sample_rate)
        self._intake = Intake(sample_rate)
        self._first: bytes | str | None = None
        rtvi.audio = self._as_message

    def link(self, session: SessionPort, after: Route, branches: tuple[BranchPort, ...]) -> Route:
        """Take a place in the pipeline, and let the protocol know the session."""
        self._rtvi.bind(session)
        return super().link(session, after, branches)

    async def open(self) -> None:
        """Wait for the client's first word, so that it misses nothing of the agent's."""
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN):
                self._first = await self._line.hear()

    async def close(self) -> None:
        """Let the client go."""
        await self._line.wire.close()

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.run(Work(self), self._listen())

    async def _listen(self) -> AsyncGenerator[Frame | Signal, None]:
        try:
            message, self._first = self._first, None
            while message is not None or (message := await self._line.hear()) is not None:
                match self._line.read(message):
                    case FramedAudio(pcm, rate, channels):
                        if (frame := self._heard(pcm, rate, channels)) is not None:
                            yield frame
                    case FramedMessage(text):
                        self._rtvi.received(text)
                    case None:
                        self.malformed += 1
                message = None
        finally:
            await self.session.cancel("the client left")

    def _as_message(self, pcm: bytes, sample_rate: int, channels: int) -> None:
        if (frame := self._heard(pcm, sample_rate, channels)) is not None:
            self.push(frame)

    def _heard(self, pcm: bytes, sample_rate: int, channels: int) -> UserAudio | None:
        mono = self._mono.take(pcm, sample_rate, channels)
        if mono is None:
            self.malformed += 1
        if not mono:
            return None
        return self._intake.take(mono, self.session.elapsed())


class _Mono:
    """Whatever a client sends, mono at one rate."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._resampler: Resampler | None = None

    def take(self, pcm: bytes, sample_rate: int, channels: int) -> bytes | None:
        """The samples, of which there may be none yet; None where they are no such audio."""
        if sample_rate not in CLIENT_RATES or channels not in (1, 2) or len(pcm) % (2 * channels):
            return None
        if channels == 2:
            from ..audio.pcm import samples

            pcm = samples(pcm).reshape(-1, 2).mean(axis=1).astype("<i2").tobytes()
        if sample_rate == self.sample_rate:
            return pcm
        if self._resampler is None or self._resampler.source_hz != sample_rate:
            from ..audio.resample import Resampler

            self._resampler = Resampler(sample_rate, self.sample_rate)
        return self._resampler(pcm)


class WebsocketOutput(Processor):
    """Writes the agent's voice to the wire.

    What has been sent will be played, for a client cannot take it back: when a voice that was held goes on,
    what the client has played of it meanwhile is not sent again.
    """

    name = "websocket out"

    def __init__(self, line: _Line) -> None:
        self._line = line
        self._sent = 0.0  # until when the client has audio, in the session's seconds
        self._played = 0.0  # seconds of a held voice that come again and are not sent

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        pcm, rate = frame.pcm, frame.sample_rate
        if self._played > 0:
            skipped = min(len(pcm) // 2, round(self._played * rate))
            self._played -= max(skipped, 1) / rate
            pcm = pcm[skipped * 2 :]
        self._sent = frame.at / rate + len(frame.pcm) / 2 / rate
        if pcm:
            self._line.play(pcm, rate)
        self.push(frame)

    @on(PlayoutPaused)
    def paused(self, signal: PlayoutPaused) -> None:
        self._played = max(0.0, self._sent - self.session.now)

    @on(Interrupted, ReplyEnded)
    def over(self, signal: Interrupted | ReplyEnded) -> None:
        self._played = 0.0
