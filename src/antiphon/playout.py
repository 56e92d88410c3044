"""Playout: the one place where the agent's voice is paced, and so where is known what was heard.

Audio comes in as fast as it is made and goes out in pieces of 20 ms, each at its time, `lead` seconds ahead
at most. It is the last part before the transport's output, and the queue that holds producers back.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .clock import Timer
from .errors import BadResponseError, ConfigurationError
from .frames import (
    AgentAudio,
    AudioEnded,
    PlayoutStarted,
    SegmentEnded,
    SegmentStarted,
    TextEnded,
    WordTimed,
)
from .processor import Processor, Route, on

if TYPE_CHECKING:
    from .audio.resample import Resampler
    from .pipeline import Branch
    from .reply import Reply
    from .session import Session

__all__ = ["Playout"]

PIECE = 0.02  # seconds of audio that go out at once
LATE = 0.25  # seconds behind time after which playout starts anew instead of catching up
RATE = 14.0  # characters that a voice speaks per second, until it has been measured


@dataclass(slots=True)
class Segment:
    """A stretch of the reply's text and where its audio lies, in samples since the reply's first."""

    start: int
    end: int
    first: int
    last: int
    complete: bool = False
    rate: int = 0  # of its audio as it came in, in whose samples its words are counted
    words: list[tuple[int, int]] | None = None  # (sample, offset in the text that is spoken there)

    def reached(self, samples: int, sample_rate: int, text: str, pace: float) -> int:
        """Where in its text so many of its samples end: by the vendor's word times, else by its length.

        `pace` in characters a second, for one that is not complete.
        """
        if self.words:
            own = samples * self.rate // sample_rate
            return max((offset for at, offset in self.words if at <= own), default=self.start)
        length = self.end - self.start
        if self.complete:
            share = samples / max(1, self.last - self.first)
        else:
            share = samples / sample_rate * pace / max(1, length)
        offset = self.start + int(min(1.0, share) * length)
        if offset == self.end or text[offset : offset + 1].isspace():
            return offset
        return self.start + len(text[self.start : offset].rpartition(" ")[0])


class Buffer:
    """Samples that wait, in the chunks in which they came."""

    def __init__(self) -> None:
        self.samples = 0
        self._chunks: deque[bytes] = deque()
        self._taken = 0  # bytes of the first chunk that have gone out

    def put(self, pcm: bytes) -> None:
        self._chunks.append(pcm)
        self.samples += len(pcm) // 2

    def take(self, samples: int) -> bytes:
        """The next ones; no more than there are."""
        self.samples -= samples
        wanted = samples * 2
        head = self._chunks[0]
        if self._taken == 0 and len(head) == wanted:
            return self._chunks.popleft()
        parts: list[bytes] = []
        while wanted:
            head = self._chunks[0]
            part = head[self._taken : self._taken + wanted]
            parts.append(part)
            wanted -= len(part)
            self._taken += len(part)
            if self._taken == len(head):
                self._chunks.popleft()
                self._taken = 0
        return b"".join(parts)


class Playout(Processor):
    """Plays replies in time at `sample_rate` and knows how far each was heard.

    `lead`: seconds of audio that the transport may hold ahead of time. `limit`: seconds that may wait here
    before the parts that make them are held back.
    """

    def __init__(self, sample_rate: int = 24000, *, lead: float = 0.0, limit: float = 8.0) -> None:
        if sample_rate < 8000 or lead < 0 or limit < 10 * PIECE:
            raise ConfigurationError(
                f"playout: needed is sample_rate >= 8000, lead >= 0 and limit >= {10 * PIECE:g}, "
                f"not {sample_rate}, {lead:g} and {limit:g}"
            )
        self.sample_rate = sample_rate
        self.lead = lead
        self.limit = limit
        self.paused = False
        self._piece = int(sample_rate * PIECE)
        self._room: list[asyncio.Future[None]] = []
        self._characters, self._spoken = RATE, 1.0  # heard in full so far: characters, seconds
        self._reset(0)

    def link(self, session: "Session", after: Route, branches: "tuple[Branch, ...]") -> Route:
        """Take a place in the pipeline, and let the session know who plays."""
        session.playout = self
        return super().link(session, after, branches)

    def _reset(self, reply: int) -> None:
        self._reply = reply
        self._waiting = Buffer()
        self._sent = 0  # samples of this reply that have gone out
        self._segments: list[Segment] = []
        self._ended = False
        self._due: float | None = None  # when the next piece is to be heard; None: not playing
        self._at = 0  # its place on the session's output timeline
        self._timer: Timer | None = None
        self._resamplers: dict[int, Resampler] = {}

    # What comes in ---------------------------------------------------------------------------------

    @on(SegmentStarted)
    def segment_started(self, frame: SegmentStarted) -> None:
        if self._current(frame.reply):
            at = self._sent + self._waiting.samples
            self._segments.append(Segment(frame.start, frame.end, at, at))

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        if not self._current(frame.reply):
            return
        if len(frame.pcm) % 2:
            raise BadResponseError(f"{len(frame.pcm)} bytes of 16-bit audio end in half a sample")
        if self._segments:
            self._segments[-1].rate = frame.sample_rate
        self._append(frame.pcm if frame.sample_rate == self.sample_rate else self._resample(frame))

    @on(WordTimed)
    def word(self, frame: WordTimed) -> None:
        if self._current(frame.reply) and self._segments:
            segment = self._segments[-1]
            segment.words = segment.words or []
            segment.words.append((frame.at, frame.end))

    @on(SegmentEnded)
    def segment_ended(self, frame: SegmentEnded) -> None:
        if self._current(frame.reply) and self._segments:
            self._segments[-1].complete = True

    @on(AudioEnded)
    def audio_ended(self, frame: AudioEnded) -> None:
        if self._current(frame.reply):
            for resampler in self._resamplers.values():
                self._append(resampler.flush())
            self._ended = True
            self._play()

    @on(TextEnded)
    def text_ended(self, frame: TextEnded) -> None:
        """Text that nobody made into audio is heard as soon as it is complete."""
        if self._current(frame.reply) and not frame.more and (reply := self.session.reply) is not None:
            self.session.finish(frame.reply, len(reply.text))

    # What the session asks -------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether producers should wait for `room`."""
        return self._waiting.samples >= self.limit * self.sample_rate

    async def room(self) -> None:
        """Wait until there is room again."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room.append(future)
        await future

    def stop(self, reply: "Reply") -> int:
        """Fall silent at once; gives how many characters of the reply's text were heard."""
        heard = self.heard(reply) if self._reply == reply.number else 0
        self.paused = False
        self._clear()
        return heard

    def pause(self) -> None:
        """Hold the voice where it is."""
        self.paused = True
        self._rest()

    def resume(self) -> None:
        """Go on at the next sample."""
        self.paused = False
        if self._due is not None and self._due < self.session.now:
            self._due = None
        self._play()

    def heard(self, reply: "Reply") -> int:
        """How many characters of the reply's text have been heard by now, up to the end of a word."""
        ahead = 0.0 if self._due is None else max(0.0, self._due - self.session.now)
        played = self._sent - int(ahead * self.sample_rate)
        pace = self._characters / self._spoken
        offset = 0
        for segment in self._segments:
            if segment.complete and played >= segment.last:
                offset = segment.end
            elif (samples := played - segment.first) > 0:
                return max(offset, segment.reached(samples, self.sample_rate, reply.text, pace))
            else:
                break
        return offset

    # Playing ---------------------------------------------------------------------------------------

    def _current(self, number: int) -> bool:
        """Whether this is the reply that is being made; begins it where it is new here."""
        reply = self.session.reply
        if reply is None or reply.number != number:
            return False
        if self._reply != number:
            self._clear()
            self._reset(number)
        return True

    def _append(self, pcm: bytes) -> None:
        self._waiting.put(pcm)
        if self._segments:
            self._segments[-1].last = self._sent + self._waiting.samples
        if self._timer is None:
            self._play()

    def _resample(self, frame: AgentAudio) -> bytes:
        resampler = self._resamplers.get(frame.sample_rate)
        if resampler is None:
            from .audio.resample import Resampler  # numpy, only where rates differ

            resampler = self._resamplers[frame.sample_rate] = Resampler(frame.sample_rate, self.sample_rate)
        return resampler(frame.pcm)

    def _play(self) -> None:
        """Send every piece whose time has come, and set the timer for the next."""
        now = self.session.now
        self._stop_timer()
        if self.paused:
            return
        if self._due is None or self._due < now - LATE:
            self._due = now
            self._at = round(now * self.sample_rate)
        while self._due <= now + self.lead + 1e-6:
            if not self._send():
                return
        self._timer = self.session.timer(self, self._due - self.lead, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._play()

    def _send(self) -> bool:
        """Send one piece; False where there is none to send now."""
        samples = min(self._piece, self._waiting.samples)
        if samples < self._piece and not self._ended:
            self._rest()
            return False
        if samples == 0:
            self._finish()
            return False
        if self._sent == 0:
            self.push(PlayoutStarted(self._reply))
        assert self._due is not None
        self.push(AgentAudio(self._reply, self._waiting.take(samples), self.sample_rate, self._at))
        self._sent += samples
        self._at += samples
        self._due += samples / self.sample_rate
        if self._room and not self.full:
            self._release()
        return True

    def _rest(self) -> None:
        """Wait until there is more to play."""
        self._stop_timer()
        if self._due is not None and self._due <= self.session.now:
            self._due = None

    def _finish(self) -> None:
        """All has gone out: the reply ends when the last sample has been heard."""
        assert self._due is not None
        if self._due > self.session.now + 1e-6:
            self._timer = self.session.timer(self, self._due, self._tick)
            return
        for segment in self._segments:
            if segment.complete:
                self._characters += segment.end - segment.start
                self._spoken += (segment.last - segment.first) / self.sample_rate
        reply = self.session.reply
        assert reply is not None
        heard = self.heard(reply)
        self._clear()
        self.session.finish(reply.number, heard)

    def _clear(self) -> None:
        self._stop_timer()
        self._reset(0)
        self._release()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _release(self) -> None:
        waiting, self._room = self._room, []
        for future in waiting:
            if not future.done():
                future.set_result(None)
