"""Playout: the one place where the agent's voice is paced, and so where is known what was heard.

Audio comes in as fast as it is made and goes out in pieces of 20 ms, each at its time, `lead` seconds ahead
at most. It is the last part before the transport's output, and the queue that holds producers back.
"""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from .clock import Timer
from .errors import BadResponseError, ConfigurationError
from .frames import (
    AgentAudio,
    AudioEnded,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    SegmentEnded,
    SegmentStarted,
    TextEnded,
    WordTimed,
)
from .heard import Pace, Spoken
from .processor import Processor, Route, on

if TYPE_CHECKING:
    from .audio.resample import Resampler
    from .pipeline import Branch
    from .reply import Reply
    from .session import Session

__all__ = ["Playout"]

PIECE = 0.02  # seconds of audio that go out at once
BACKCHANNEL = 0  # the reply that is none
LATE = 0.25  # seconds behind time after which playout starts anew instead of catching up


class Buffer:
    """Samples that wait, in the chunks in which they came."""

    def __init__(self) -> None:
        self.samples = 0
        self._chunks: deque[bytes] = deque()
        self._taken = 0  # bytes of the first chunk that have gone out

    def put(self, pcm: bytes) -> None:
        self._chunks.append(pcm)
        self.samples += len(pcm) // 2

    def put_back(self, pcm: bytes) -> None:
        """Samples that are to come first again."""
        if self._taken:
            self._chunks[0] = self._chunks[0][self._taken :]
            self._taken = 0
        self._chunks.appendleft(pcm)
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
        self.gain = 1.0
        self._aside_at = 0
        self._aside_due: Timer | None = None
        self._aside_resamplers: dict[int, Resampler] = {}
        self._piece = int(sample_rate * PIECE)
        self._room: list[asyncio.Future[None]] = []
        self._pace = Pace()
        self._aside = Buffer()
        self._reset(0)

    def link(self, session: "Session", after: Route, branches: "tuple[Branch, ...]") -> Route:
        """Take a place in the pipeline, and let the session know who plays."""
        session.playout = self
        return super().link(session, after, branches)

    def _reset(self, reply: int) -> None:
        self._reply = reply
        self._waiting = Buffer()
        self._sent = 0  # samples of this reply that have gone out
        self._recent = b""  # the newest of what has gone out, which the transport may still hold
        self._spoken = Spoken(self.sample_rate)
        self._ended = False
        self._unvoiced = False  # the text is complete, and nobody makes it into audio
        self._began: float | None = None  # when the first piece went out
        self._due: float | None = None  # when the next piece is to be heard; None: not playing
        self._at = 0  # its place on the session's output timeline
        self._timer: Timer | None = None
        self._resamplers: dict[int, Resampler] = {}

    # What comes in ---------------------------------------------------------------------------------

    @on(SegmentStarted)
    def segment_started(self, frame: SegmentStarted) -> None:
        if self._current(frame.reply):
            self._spoken.begin(frame.start, frame.end, self._sent + self._waiting.samples)

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        if len(frame.pcm) % 2:
            raise BadResponseError(f"{len(frame.pcm)} bytes of 16-bit audio end in half a sample")
        if frame.reply == BACKCHANNEL:
            self._say_aside(frame)
            return
        if not self._current(frame.reply):
            return
        if self._spoken.segments:
            self._spoken.segments[-1].rate = frame.sample_rate
        self._append(self._resampled(frame, self._resamplers))

    @on(WordTimed)
    def word(self, frame: WordTimed) -> None:
        if self._current(frame.reply):
            self._spoken.word(frame.at, frame.end)

    @on(SegmentEnded)
    def segment_ended(self, frame: SegmentEnded) -> None:
        if self._current(frame.reply):
            self._spoken.complete()

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
        if self._current(frame.reply) and not frame.more:
            self._unvoiced = True
            self._play()

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
        """Fall silent within 20 ms; gives how many characters of the reply's text were heard."""
        heard = 0
        if self._reply == reply.number:
            heard = self.heard(reply)
            self._fade_out()
        self.paused, self.gain = False, 1.0
        self._clear()
        return heard

    def pause(self) -> None:
        """Hold the voice where it is; what the transport has not played yet is kept to be played again."""
        if self.paused:
            return
        self.paused = True
        if self._recent and (ahead := self._ahead):
            held = self._recent[-2 * ahead :]
            self._waiting.put_back(held)
            self._sent -= len(held) // 2
        if self.lead:
            self._recent, self._due = b"", None
        self._rest()
        if self._began is not None:
            self.push(PlayoutPaused(self._reply))

    def duck(self, gain: float) -> None:
        """Go on more softly: `gain` times as loud, until `resume`."""
        self.gain = gain

    def resume(self) -> None:
        """Go on at the next sample, as loud as ever."""
        paused, self.paused, self.gain = self.paused, False, 1.0
        if not paused:
            return
        if self._began is not None:
            self.push(PlayoutResumed(self._reply))
        if self._due is not None and self._due < self.session.now:
            self._due = None
        self._play()

    def release(self) -> None:
        """The reply that was held is to be heard."""
        self._play()

    def heard(self, reply: "Reply") -> int:
        """How many characters of the reply's text have been heard by now, up to the end of a word."""
        if self._reply != reply.number:
            return 0
        return self._spoken.heard(self._sent - self._ahead, reply.text, self._pace)

    def progress(self, reply: "Reply") -> tuple[float, float | None]:
        """Seconds of the reply's voice that were heard, and that are left; None if not all of it is there."""
        if self._reply != reply.number or self._began is None:
            return 0.0, None
        left = (self._waiting.samples + self._ahead) / self.sample_rate if self._ended else None
        return (self._sent - self._ahead) / self.sample_rate, left

    def word_end(self, reply: "Reply") -> float:
        """Seconds until the word that is being heard has been spoken."""
        if self._reply != reply.number:
            return 0.0
        return self._spoken.word_end(self._sent - self._ahead, reply.text, self._pace)

    @property
    def _ahead(self) -> int:
        """Samples that have gone out and not been heard."""
        ahead = 0.0 if self._due is None else max(0.0, self._due - self.session.now)
        return min(self._sent, round(ahead * self.sample_rate))

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
        self._spoken.reach(self._sent + self._waiting.samples)
        if self._timer is None:
            self._play()

    def _resampled(self, frame: AgentAudio, resamplers: "dict[int, Resampler]") -> bytes:
        if frame.sample_rate == self.sample_rate:
            return frame.pcm
        resampler = resamplers.get(frame.sample_rate)
        if resampler is None:
            from .audio.resample import Resampler  # numpy, only where rates differ

            resampler = resamplers[frame.sample_rate] = Resampler(frame.sample_rate, self.sample_rate)
        return resampler(frame.pcm)

    def _play(self) -> None:
        """Send every piece whose time has come, and set the timer for the next."""
        now, reply = self.session.now, self.session.reply
        self._stop_timer()
        if self.paused or reply is None or reply.speculative:
            return
        if not self._sent and now < reply.not_before - 1e-6:
            self._timer = self.session.timer(self, reply.not_before, self._tick)
            return
        if self._unvoiced:
            self.session.finish(reply.number, len(reply.text))
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
        if self._began is None:
            self._began = self.session.now
            self.push(PlayoutStarted(self._reply))
        assert self._due is not None
        pcm = self._waiting.take(samples)
        if self.lead:
            self._recent = self._recent[-int(self.lead * self.sample_rate) * 2 :] + pcm
        self.push(AgentAudio(self._reply, self._as_loud(pcm), self.sample_rate, self._at))
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
        for segment in self._spoken.segments:
            if segment.complete:
                self._pace.measure(segment, self.sample_rate)
        reply = self.session.reply
        assert reply is not None
        heard = self.heard(reply)
        self._clear()
        self.session.finish(reply.number, heard)

    def _fade_out(self) -> None:
        """End within 20 ms and without a click. A transport that plays ahead fades what it holds itself."""
        if self.lead or self.paused or self._due is None:
            return
        room = int((PIECE - (self._due - self.session.now)) * self.sample_rate)
        samples = min(room, self._piece, self._waiting.samples)
        if samples > 0:
            from .audio.levels import faded

            pcm = faded(self._as_loud(self._waiting.take(samples)))
            self.push(AgentAudio(self._reply, pcm, self.sample_rate, self._at))

    def _as_loud(self, pcm: bytes) -> bytes:
        if self.gain == 1.0:
            return pcm
        from .audio.levels import scaled

        return scaled(pcm, self.gain)

    def _say_aside(self, frame: AgentAudio) -> None:
        """Play a backchannel, unless a reply is heard."""
        if self._due is not None:
            return
        self._aside.put(self._resampled(frame, self._aside_resamplers))
        if self._aside_due is None:
            self._aside_at = round(self.session.now * self.sample_rate)
            self._go_aside()

    def _go_aside(self) -> None:
        """Send the next piece of a backchannel."""
        self._aside_due = None
        samples = min(self._piece, self._aside.samples)
        if samples and self._due is None:
            self.push(AgentAudio(BACKCHANNEL, self._aside.take(samples), self.sample_rate, self._aside_at))
            self._aside_at += samples
            self._aside_due = self.session.timer(self, self._aside_at / self.sample_rate, self._go_aside)
        else:
            self._aside = Buffer()

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
