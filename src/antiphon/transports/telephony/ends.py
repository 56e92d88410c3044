"""The two ends of a call: what the caller says, and what the caller hears."""

import asyncio
import logging
from collections.abc import AsyncGenerator

from ...clock import Timer
from ...errors import BadResponseError, ConfigurationError, TheyErred
from ...frames import (
    AgentAudio,
    AgentKeys,
    Frame,
    Interrupted,
    PlayoutPaused,
    PlayoutReached,
    ReplyEnded,
    SessionStarted,
    Signal,
    Transfer,
    UserKey,
)
from ...processor import on
from ...stage import Stage, Work
from ..intake import Intake
from .coding import decoder, encoder
from .line import CallLine
from .port import CallerAudio, CallStopped, Event, KeyPressed, MarkPlayed, SendBack

__all__ = ["TelephoneInput", "TelephoneOutput"]

logger = logging.getLogger("antiphon.telephony")

PIECE = 0.02  # seconds of a frame of telephone audio
MARKS = 0.2  # seconds of audio between two marks
LEAVING = 15.0  # seconds that hanging up may take in all
TONES = 0.1  # seconds that the tones of keys go ahead of their time
UNHEARD = 100  # marks that may be out; one that has stayed away for 20 s will not come back
BAD = 20  # messages that cannot be read, after which the call ends


class TelephoneInput(Stage):
    """The first part: what the caller says and presses."""

    def __init__(self, line: CallLine, earpiece: "TelephoneOutput") -> None:
        self._line = line
        self._earpiece = earpiece
        self._decode = decoder(line.call.heard)
        self._bad = 0
        self.intake = Intake(line.call.heard.sample_rate, steady=True)

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.run(Work(self), self._listen())

    async def _listen(self) -> AsyncGenerator[Frame | Signal, None]:
        line, session = self._line, self.session
        reason = "the caller hung up"
        line.alone.clear()
        try:
            while not line.gone and (message := await line.wire.receive()) is not None:
                try:
                    for event in line.codec.feed(message):
                        if type(event) is CallerAudio:
                            frame = self.intake.take(self._decode(event.data), session.elapsed())
                            if frame is not None:
                                yield frame
                        elif type(event) is CallStopped:
                            line.gone, reason = True, event.reason
                        elif (told := self._tell(event)) is not None:
                            yield told
                except BadResponseError as error:
                    self._bad += 1
                    self.session.failed(self, error)
                    if self._bad > BAD:
                        reason = "the provider could not be understood"
                        break
            else:
                line.gone = True
        finally:
            line.alone.set()
        await self.session.cancel(f"transferred to {line.handed_to}" if line.handed_to else reason)

    def _tell(self, event: object) -> Frame | Signal | None:
        match event:
            case KeyPressed(key):
                return UserKey(key)
            case MarkPlayed(name):
                return self._earpiece.reached(name)
            case SendBack(answer):
                self._line.send(answer)
                return None
            case _:
                return None


class TelephoneOutput(Stage):
    """The last part: what the caller hears."""

    def __init__(self, line: CallLine) -> None:
        rate = line.call.spoken.sample_rate
        self._line = line
        self._rate = rate
        self._encode = encoder(line.call.spoken)
        self._piece = 2 * round(rate * PIECE)
        self._packet = max(1, round(line.codec.packet / PIECE)) * self._piece
        self._every = round(rate * MARKS)
        self._waiting = b""  # less than a packet
        self._flushing: Timer | None = None
        self._holds = False  # whether the far end may have what it has not played
        self._sent = 0  # up to where on the output timeline
        self._unmarked = 0  # samples since the last mark
        self._names = 0
        self._marks: dict[str, int] = {}  # those that have not come back
        self._tones = b""  # of keys, that have not been sent
        self._due = 0.0  # when the next of them is to be heard
        self._pressing: Timer | None = None
        self._goodbye: asyncio.Task[None] | None = None

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        pcm, end = frame.pcm, frame.at + len(frame.pcm) // 2
        if self._tones:  # the keys are heard instead: behind them it would be late for good
            self._sent = end
        elif len(pcm) == self._packet and not self._waiting:
            self._send(pcm, end)
        else:
            self._gather(pcm + bytes(-len(pcm) % self._piece), end)
        self.push(frame)

    @on(Interrupted, PlayoutPaused)
    def clear(self, signal: Interrupted | PlayoutPaused) -> None:
        """Have all that was not played yet forgotten, but keys; what marks say of it is no news."""
        self._waiting = b""
        self._unmarked = 0
        self._marks.clear()
        if self._holds and not self._tones:
            self._holds = False
            self._line.send(self._line.codec.clear())

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        self._mark()

    @on(AgentKeys)
    def keys(self, frame: AgentKeys) -> None:
        if not self._line.send(self._line.codec.keys(frame.keys)):
            from ...audio.dtmf import tones

            self._flush()
            self._due = max(self._due, self.session.now, self._sent / self._rate)
            self._tones += tones(frame.keys, self._rate)
            if self._pressing is None:
                self._press()

    @on(Transfer)
    async def transfer(self, frame: Transfer) -> None:
        await self._line.transfer(frame)
        await self.session.cancel(f"transferred to {frame.to}")

    def reached(self, name: str) -> PlayoutReached | None:
        """A mark has come back: what the caller has heard."""
        at = self._marks.pop(name, None)
        return None if at is None else PlayoutReached(at)

    def _press(self) -> None:
        """Play the tones whose time it is, and go on with them later."""
        self._pressing = None
        while self._tones and self._due <= self.session.now + TONES:
            packet, self._tones = self._tones[: self._packet], self._tones[self._packet :]
            self._play(packet)
            self._due += self._packet / 2 / self._rate
        if self._tones:
            self._pressing = self.after(PIECE, self._press)

    def _play(self, packet: bytes) -> None:
        self._line.wire.send(self._line.codec.media(self._encode(packet.ljust(self._packet, b"\0"))))
        self._holds = True

    def _send(self, pcm: bytes, end: int) -> None:
        """Play what goes up to `end` on the output timeline, and mark it from time to time."""
        self._play(pcm)
        self._sent = end
        self._unmarked += len(pcm) // 2
        if self._unmarked >= self._every:
            self._mark()

    def _gather(self, pcm: bytes, end: int) -> None:
        """Send whole packets; the rest goes out, filled up with silence, if nothing follows it in time."""
        waiting = self._waiting + pcm
        while len(waiting) >= self._packet:
            packet, waiting = waiting[: self._packet], waiting[self._packet :]
            self._send(packet, end - len(waiting) // 2)
            self._stop_flushing()
        self._waiting = waiting
        if waiting and self._flushing is None:
            self._flushing = self.after(self._packet / 2 / self._rate + PIECE, self._flush)

    def _flush(self) -> None:
        self._stop_flushing()
        waiting, self._waiting = self._waiting, b""
        if waiting:
            self._send(waiting, self._sent + len(waiting) // 2)

    def _stop_flushing(self) -> None:
        if self._flushing is not None:
            self._flushing.cancel()
            self._flushing = None

    def _mark(self) -> None:
        if self._unmarked:
            self._unmarked = 0
            self._names += 1
            name = str(self._names)
            if self._line.send(self._line.codec.mark(name)):
                self._marks[name] = self._sent
                if len(self._marks) > UNHEARD:
                    del self._marks[next(iter(self._marks))]

    # The end -----------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Begin to hang up, and wait for it as long as a part may; it goes on when the session is over."""
        self._stop_flushing()
        if self._pressing is not None:
            self._pressing.cancel()
        self._goodbye = asyncio.create_task(self._leave(), name="antiphon hang up")
        await self.hung_up()

    async def hung_up(self) -> None:
        """Wait until the call is hung up and its socket closed."""
        if self._goodbye is not None:
            await asyncio.wait([self._goodbye])

    async def _leave(self) -> None:
        line = self._line
        try:
            async with asyncio.timeout(LEAVING):
                if line.handed_to:
                    await line.until_gone()
                elif not line.gone:
                    if self._marks:
                        await line.read(self._is_heard_out)
                    await line.hang_up()
        except (TheyErred, ConfigurationError, TimeoutError) as error:
            logger.warning("a call could not be hung up: %s", error or "it took too long")
        finally:
            await line.wire.close()

    def _is_heard_out(self, event: Event) -> bool:
        if isinstance(event, MarkPlayed):
            self.reached(event.name)
        return not self._marks
