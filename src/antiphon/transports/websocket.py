"""A client on a websocket: audio and the messages of the client protocol."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Literal

from ..errors import ConfigurationError, UnavailableError
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
from .catching_up import pieces
from .framing import FramedAudio, FramedMessage, Framing, Json, Protobuf
from .intake import Arrivals, Intake
from .wire import Wire
from .wire_reader import WireReader

if TYPE_CHECKING:
    from ..audio.resample import Resampler

__all__ = ["Websocket"]

FRAMINGS: dict[str, type[Framing]] = {"protobuf": Protobuf, "json": Json}
LEAD = 0.1  # seconds of audio that the client's player buffers
READY_WITHIN = 10.0  # seconds that the session waits for the client's first message
CLIENT_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


class Websocket:
    """A transport over a wire, which it closes at the session's end.

    With `framing="auto"` the client's first message decides: protobuf if it is binary, JSON if it is text.
    The client's audio is resampled to `input_rate`. `lead` is at most 0.1 s, since a client may be unable to
    discard what it was sent.
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
            raise ConfigurationError(f"websocket: framing must be protobuf, json or auto, not {framing!r}")
        if not 0 <= lead <= LEAD or input_rate not in CLIENT_RATES or sample_rate not in CLIENT_RATES:
            raise ConfigurationError(
                f"websocket: lead must be 0 to {LEAD:g} s, rates among {', '.join(map(str, CLIENT_RATES))}; "
                f"not {lead:g}, {input_rate} and {sample_rate}"
            )
        self.rtvi = rtvi or RTVI()
        self.sample_rate = sample_rate
        self.lead = lead
        link = _Link(wire, FRAMINGS[framing]() if framing != "auto" else None)
        self.rtvi.send = link.send_message
        self.input = WebsocketInput(link, self.rtvi, input_rate)
        self.output = WebsocketOutput(link)

    @property
    def observers(self) -> Sequence[Observer]:
        """The client protocol, which reports the session's events to the client."""
        return [self.rtvi]


class _Link:
    """The wire and its framing, which the input and the output share."""

    def __init__(self, wire: Wire, framing: Framing | None) -> None:
        self.wire = wire
        self.framing = framing
        self._gone = False

    async def receive(self) -> bytes | str | None:
        """Return the next message, or None at the end.

        The first message decides the framing if that is automatic.
        """
        message = None if self._gone else await self.wire.receive()
        self._gone = message is None
        if self.framing is None and message is not None:
            self.framing = Json() if isinstance(message, str) else Protobuf()
        return message

    def decode(self, message: bytes | str) -> FramedAudio | FramedMessage | None:
        """Parse a message. Returns None if it is malformed or irrelevant."""
        return None if self.framing is None else self.framing.decode(message)

    def send_message(self, text: str) -> None:
        """Send a message of the client protocol."""
        if self.framing is not None:
            self.wire.send(self.framing.encode_message(text))

    def send_audio(self, pcm: bytes, sample_rate: int) -> None:
        """Send mono 16-bit samples."""
        if self.framing is not None:
            self.wire.send(self.framing.encode_audio(pcm, sample_rate))


class WebsocketInput(Stage):
    """The first part: it pushes audio, and passes messages to the client protocol."""

    name = "websocket in"
    back_pressure = False

    def __init__(self, link: _Link, rtvi: RTVI, sample_rate: int) -> None:
        self.malformed = 0
        """Messages that could not be parsed, and audio in unsupported formats."""
        self._link = link
        self._rtvi = rtvi
        self._convert = _MonoConverter(sample_rate)
        self._arrivals = Arrivals(Intake(sample_rate))
        self._reader = WireReader(link)
        self._first: bytes | str | None = None
        rtvi.audio = self._push_audio

    def link(self, session: SessionPort, after: Route, branches: tuple[BranchPort, ...]) -> Route:
        """Attach the protocol to the session."""
        self._rtvi.bind(session)
        return super().link(session, after, branches)

    async def open(self) -> None:
        """Wait for the client's first message, for at most READY_WITHIN seconds.

        A client that is not ready yet would miss the beginning of what the agent says.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_WITHIN):
                self._first = await self._link.receive()

    async def close(self) -> None:
        """Closes the wire."""
        self._arrivals.close()
        await self._link.wire.close()

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.run(Work(self), self._listen())

    async def _listen(self) -> AsyncGenerator[Frame | Signal, None]:
        reason = "the client left"
        try:
            message, self._first = self._first, None
            receive, now = self._reader.receive, self.session.elapsed
            while message is not None or (message := await receive(now)) is not None:
                match self._link.decode(message):
                    case FramedAudio(pcm, rate, channels):
                        if (frame := self._place(pcm, rate, channels)) is not None:
                            async with aclosing(pieces(frame, self, late=self._reader.backlog)) as parts:
                                async for piece in parts:
                                    yield piece
                    case FramedMessage(text):
                        self._rtvi.received(text)
                    case None:
                        self.malformed += 1
                message = None
        except UnavailableError as error:
            reason = str(error)
        finally:
            await self.session.cancel(reason)

    def _push_audio(self, pcm: bytes, sample_rate: int, channels: int) -> None:
        if (frame := self._place(pcm, sample_rate, channels)) is not None:
            self.push(frame)

    def _place(self, pcm: bytes, sample_rate: int, channels: int) -> UserAudio | None:
        mono = self._convert(pcm, sample_rate, channels)
        if mono is None:
            self.malformed += 1
        if not mono:
            return None
        return self._arrivals.place(mono, self, backlog=self._reader.backlog)


class _MonoConverter:
    """A converter of a client's audio to mono at one sample rate."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._resampler: Resampler | None = None

    def __call__(self, pcm: bytes, sample_rate: int, channels: int) -> bytes | None:
        """Return the converted samples, or None if the format is not supported.

        The result may be empty, since the resampler holds some samples back.
        """
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
    """The last part: it sends the agent's voice to the client.

    A client cannot discard what it was sent, so it plays that even if playout is paused. When playout
    resumes, the part that the client has played meanwhile is not sent again.
    """

    name = "websocket out"

    def __init__(self, link: _Link) -> None:
        self._link = link
        self._sent_until = 0.0  # up to when the client has audio, in the session's seconds
        self._already_played = 0.0  # seconds of a paused voice to skip when it resumes

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        pcm, rate = frame.pcm, frame.sample_rate
        if self._already_played > 0:
            skipped = min(len(pcm) // 2, round(self._already_played * rate))
            self._already_played -= max(skipped, 1) / rate
            pcm = pcm[skipped * 2 :]
        self._sent_until = frame.at / rate + len(frame.pcm) / 2 / rate
        if pcm:
            self._link.send_audio(pcm, rate)
        self.push(frame)

    @on(PlayoutPaused)
    def paused(self, signal: PlayoutPaused) -> None:
        self._already_played = max(0.0, self._sent_until - self.session.now)

    @on(Interrupted, ReplyEnded)
    def over(self, signal: Interrupted | ReplyEnded) -> None:
        self._already_played = 0.0
