"""The input and the output of a telephone call."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ...clock import Timer
from ...errors import BadResponseError, ConfigurationError, TheyErred, UnavailableError
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
from ..catching_up import pieces
from ..intake import Arrivals, Intake
from ..wire_reader import WireReader
from .connection import CallConnection
from .encoding import decoder, encoder
from .port import CallerAudio, CallEvent, CallStopped, KeyPressed, MarkPlayed, SendBack

__all__ = ["TelephoneInput", "TelephoneOutput"]

logger = logging.getLogger("antiphon.telephony")

PIECE = 0.02  # seconds in a frame of telephone audio
MARK_INTERVAL = 0.2  # seconds of audio between two marks
HANG_UP_WITHIN = 15.0  # seconds that hanging up may take in all
TONES_AHEAD = 0.1  # seconds ahead of their time that DTMF tones are sent
MOST_MARKS = 100  # marks that may be outstanding; one that is 20 s late will not come back
MOST_MALFORMED = 20  # messages that cannot be parsed, after which the call ends
FORGIVEN = 0.2  # of those, for each message that can be parsed: a line that is bad now and then goes on


class TelephoneInput(Stage):
    """The first part: it pushes what the caller says and presses."""

    back_pressure = False

    def __init__(self, connection: CallConnection, output: "TelephoneOutput") -> None:
        self._connection = connection
        self._output = output
        self._decode = decoder(connection.call.heard)
        self._malformed = 0.0
        self.intake = Intake(connection.call.heard.sample_rate, steady=True)
        self._arrivals = Arrivals(self.intake)
        self._reader = WireReader(connection.wire)

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self.run(Work(self), self._listen())

    async def _listen(self) -> AsyncGenerator[Frame | Signal, None]:
        connection = self._connection
        reason = "the caller hung up"
        connection.unread.clear()
        try:
            receive, now = self._reader.receive, self.session.elapsed
            while not connection.gone and (message := await receive(now)) is not None:
                try:
                    for event in connection.codec.feed(message):
                        if type(event) is CallerAudio:
                            pcm = self._decode(event.data)
                            placed = self._arrivals.place(pcm, self, backlog=self._reader.backlog)
                            if placed is not None:
                                async with aclosing(pieces(placed, self, late=self._reader.backlog)) as parts:
                                    async for piece in parts:
                                        yield piece
                        elif type(event) is CallStopped:
                            connection.gone, reason = True, event.reason
                        elif (frame := self._frame(event)) is not None:
                            yield frame
                    self._malformed = max(0.0, self._malformed - FORGIVEN)
                except BadResponseError as error:
                    self._malformed += 1
                    self.session.failed(self, error)
                    if self._malformed > MOST_MALFORMED:
                        reason = "the provider could not be understood"
                        break
            else:
                connection.gone = True
        except UnavailableError as error:
            connection.gone, reason = True, str(error)
        finally:
            self._arrivals.close()
            connection.unread.set()
        await self.session.cancel(
            f"transferred to {connection.handed_to}" if connection.handed_to else reason
        )

    def _frame(self, event: object) -> Frame | Signal | None:
        match event:
            case KeyPressed(key):
                return UserKey(key)
            case MarkPlayed(name):
                return self._output.mark_played(name)
            case SendBack(answer):
                self._connection.send(answer)
                return None
            case _:
                return None


class TelephoneOutput(Stage):
    """The last part: it sends what the caller hears.

    Audio goes in packets of the size that the provider wants. Marks between the packets come back when they
    have been played, and become PlayoutReached.
    """

    def __init__(self, connection: CallConnection) -> None:
        rate = connection.call.spoken.sample_rate
        self._connection = connection
        self._rate = rate
        self._encode = encoder(connection.call.spoken)
        self._piece = 2 * round(rate * PIECE)
        self._packet = max(1, round(connection.codec.packet / PIECE)) * self._piece
        self._mark_interval = round(rate * MARK_INTERVAL)
        self._partial = b""  # less than a packet
        self._flush_timer: Timer | None = None
        self._may_be_playing = False  # True if the provider may hold audio that it has not played
        self._sent = 0  # the position on the output timeline up to which audio was sent
        self._unmarked = 0  # samples since the last mark
        self._mark_count = 0
        self._marks: dict[str, int] = {}  # the positions of outstanding marks
        self._tones = b""  # DTMF tones that have not been sent
        self._tones_due = 0.0  # when the next of them is to be heard
        self._tones_timer: Timer | None = None
        self._hanging_up: asyncio.Task[None] | None = None

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        pcm, end = frame.pcm, frame.at + len(frame.pcm) // 2
        if self._tones:  # dropped: queued behind the tones, the voice would stay late
            self._sent = end
        elif len(pcm) == self._packet and not self._partial:
            self._send(pcm, end)
        else:
            self._gather(pcm + bytes(-len(pcm) % self._piece), end)
        self.push(frame)

    @on(Interrupted, PlayoutPaused)
    def clear(self, signal: Interrupted | PlayoutPaused) -> None:
        """Discard audio that was not played yet, but not DTMF tones.

        Marks in that audio are ignored if they still come back.
        """
        self._partial = b""
        self._unmarked = 0
        self._marks.clear()
        if self._may_be_playing and not self._tones:
            self._may_be_playing = False
            self._connection.send(self._connection.codec.clear())

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        self._mark()

    @on(AgentKeys)
    def keys(self, frame: AgentKeys) -> None:
        if not self._connection.send(self._connection.codec.keys(frame.keys)):
            from ...audio.dtmf import tones

            self._flush()
            self._tones_due = max(self._tones_due, self.session.now, self._sent / self._rate)
            self._tones += tones(frame.keys, self._rate)
            if self._tones_timer is None:
                self._send_tones()

    @on(Transfer)
    async def transfer(self, frame: Transfer) -> None:
        await self._connection.transfer(frame)
        await self.session.cancel(f"transferred to {frame.to}")

    def mark_played(self, name: str) -> PlayoutReached | None:
        """Return how much the caller has heard, or None if the mark was discarded."""
        at = self._marks.pop(name, None)
        return None if at is None else PlayoutReached(at)

    def _send_tones(self) -> None:
        """Send the DTMF tones that are due, and schedule the rest."""
        self._tones_timer = None
        while self._tones and self._tones_due <= self.session.now + TONES_AHEAD:
            packet, self._tones = self._tones[: self._packet], self._tones[self._packet :]
            self._play(packet)
            self._tones_due += self._packet / 2 / self._rate
        if self._tones:
            self._tones_timer = self.after(PIECE, self._send_tones)

    def _play(self, packet: bytes) -> None:
        self._connection.wire.send(
            self._connection.codec.media(self._encode(packet.ljust(self._packet, b"\0")))
        )
        self._may_be_playing = True

    def _send(self, pcm: bytes, end: int) -> None:
        """Send a packet that ends at `end` on the output timeline.

        A mark follows at every MARK_INTERVAL.
        """
        self._play(pcm)
        self._sent = end
        self._unmarked += len(pcm) // 2
        if self._unmarked >= self._mark_interval:
            self._mark()

    def _gather(self, pcm: bytes, end: int) -> None:
        """Send the packets that `pcm` completes.

        The rest is padded with silence and sent if nothing follows in time.
        """
        waiting = self._partial + pcm
        while len(waiting) >= self._packet:
            packet, waiting = waiting[: self._packet], waiting[self._packet :]
            self._send(packet, end - len(waiting) // 2)
            self._stop_flushing()
        self._partial = waiting
        if waiting and self._flush_timer is None:
            self._flush_timer = self.after(self._packet / 2 / self._rate + PIECE, self._flush)

    def _flush(self) -> None:
        self._stop_flushing()
        waiting, self._partial = self._partial, b""
        if waiting:
            self._send(waiting, self._sent + len(waiting) // 2)

    def _stop_flushing(self) -> None:
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None

    def _mark(self) -> None:
        if self._unmarked:
            self._unmarked = 0
            self._mark_count += 1
            name = str(self._mark_count)
            if self._connection.send(self._connection.codec.mark(name)):
                self._marks[name] = self._sent
                if len(self._marks) > MOST_MARKS:
                    del self._marks[next(iter(self._marks))]

    # Hanging up ------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Start to hang up, and wait until that is done.

        If the wait is cancelled, hanging up goes on in the background.
        """
        self._stop_flushing()
        if self._tones_timer is not None:
            self._tones_timer.cancel()
        self._hanging_up = asyncio.create_task(self._hang_up(), name="antiphon hang up")
        await self.hung_up()

    async def hung_up(self) -> None:
        """Wait until the call is hung up and its websocket closed."""
        if self._hanging_up is not None:
            await asyncio.wait([self._hanging_up])

    async def _hang_up(self) -> None:
        connection = self._connection
        try:
            async with asyncio.timeout(HANG_UP_WITHIN):
                if connection.handed_to:
                    await connection.until_gone()
                elif not connection.gone:
                    if self._marks:
                        await connection.read_until(self._is_heard_out)
                    await connection.hang_up()
        except (TheyErred, ConfigurationError, TimeoutError) as error:
            logger.warning("a call could not be hung up: %s", error or "it took too long")
        finally:
            await connection.wire.close()

    def _is_heard_out(self, event: CallEvent) -> bool:
        if isinstance(event, MarkPlayed):
            self.mark_played(event.name)
        return not self._marks
