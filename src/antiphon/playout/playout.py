"""Playout, which paces the agent's voice and so knows what was heard of it.

Audio comes in as fast as it is made and goes out in pieces of 20 ms, each at its time, at most `lead` seconds
early. Playout stands before the transport's output. Its queue is bounded, and holds back the producers.
"""

from ..clock import Timer
from ..errors import BadResponseError, ConfigurationError
from ..frames import (
    AgentAudio,
    AudioEnded,
    PlayoutPaused,
    PlayoutReached,
    PlayoutResumed,
    PlayoutStarted,
    SegmentEnded,
    SegmentStarted,
    TextEnded,
    WordTimed,
)
from ..media_queue import Waiters
from ..ports import BranchPort
from ..processor import Processor, Route, SessionPort, on
from ..reply import Reply
from .backchannel import BACKCHANNEL, BackchannelPlayer
from .heard import SpeakingRate
from .timeline import OutputTimeline
from .voice import ReplyAudio

__all__ = ["Playout"]

PIECE = 0.02  # seconds of audio that go out at once
LATE = 0.25  # seconds behind time after which playout starts anew instead of catching up


class Playout(Processor):
    """A processor that plays replies in time and knows how far each was heard.

    The transport may buffer `lead` seconds ahead of time; `limit` seconds may wait before producers are held.
    """

    def __init__(self, sample_rate: int = 24000, *, lead: float = 0.0, limit: float = 8.0) -> None:
        if sample_rate < 8000 or lead < 0 or limit < 10 * PIECE:
            raise ConfigurationError(
                f"playout needs sample_rate >= 8000, lead >= 0 and limit >= {10 * PIECE:g}, "
                f"not {sample_rate}, {lead:g} and {limit:g}"
            )
        self.sample_rate = sample_rate
        self.lead = lead
        self.limit = limit
        self.paused = False
        self.gain = 1.0
        self._piece = int(sample_rate * PIECE)
        self._room = Waiters()
        self._pace = SpeakingRate()
        self.line = OutputTimeline(sample_rate)
        self._backchannel = BackchannelPlayer(self.line, sample_rate, self._piece)
        self._reset(0)

    def link(self, session: SessionPort, after: Route, branches: tuple[BranchPort, ...]) -> Route:
        """Take a place in the pipeline as the session's playout."""
        session.replies.playout = self
        return super().link(session, after, branches)

    def _reset(self, reply: int) -> None:
        self._voice = ReplyAudio(reply, self.sample_rate, self.lead)
        self.line.rest()
        self._timer: Timer | None = None

    # What comes in ---------------------------------------------------------------------------------

    @on(SegmentStarted)
    def segment_started(self, frame: SegmentStarted) -> None:
        if self._current(frame.reply):
            self._voice.begin_segment(frame.start, frame.end)

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        if len(frame.pcm) % 2:
            raise BadResponseError(f"{len(frame.pcm)} bytes of 16-bit audio end in half a sample")
        if frame.reply == BACKCHANNEL:
            self._backchannel.say(frame, self)
            return
        if self._current(frame.reply):
            self._voice.add(frame, self.session.now)
            if self._timer is None:
                self.play()

    @on(WordTimed)
    def word(self, frame: WordTimed) -> None:
        if self._current(frame.reply):
            self._voice.spoken.word(frame.at, frame.end)

    @on(SegmentEnded)
    def segment_ended(self, frame: SegmentEnded) -> None:
        if self._current(frame.reply):
            self._voice.spoken.complete(frame.end)

    @on(AudioEnded)
    def audio_ended(self, frame: AudioEnded) -> None:
        if self._current(frame.reply):
            self._voice.end()
            self.play()

    @on(TextEnded)
    def text_ended(self, frame: TextEnded) -> None:
        """Count text as heard once it is complete, if no TTS turns it into audio."""
        if self._current(frame.reply) and not frame.more:
            self._voice.unvoiced = True
            self.play()

    @on(PlayoutReached)
    def reached(self, signal: PlayoutReached) -> None:
        """Measure how late the far end plays."""
        self.line.reached(signal.at, self.session.now)

    # What the session asks -------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether producers should wait for `room`."""
        return self._voice.waiting.samples >= self.limit * self.sample_rate

    async def room(self) -> None:
        """Wait until there is room again."""
        await self._room.wait()

    def stop(self, reply: Reply) -> int:
        """Fall silent within 20 ms; returns how many characters of the reply were heard."""
        heard, (reply.played, _) = self.heard(reply), self.progress(reply)
        if self._voice.reply == reply.number:
            self._fade_out()
        self._forget()
        return heard

    def pause(self) -> None:
        """Hold the voice; what the transport has not played yet is sent again later."""
        if self.paused:
            return
        self.paused = True
        if self.lead:
            self._heard.take_back()
            self.line.rest()
        self._rest()
        if self._voice.began is not None:
            self.push(PlayoutPaused(self._voice.reply))

    def duck(self, gain: float) -> None:
        """Lower the voice to `gain` times its loudness, until `resume`."""
        self.gain = gain

    def resume(self) -> None:
        """Go on at the next sample, at full volume."""
        paused, self.paused, self.gain = self.paused, False, 1.0
        if not paused:
            return
        if self._voice.began is not None:
            self.push(PlayoutResumed(self._voice.reply))
        if self.line.due is not None and self.line.due < self.session.now:
            self.line.due = None
        self.play()

    def heard(self, reply: Reply) -> int:
        """Return how many characters of the reply were heard, up to the end of a word."""
        return self._heard.heard(reply.text, self._pace) if self._voice.reply == reply.number else 0

    def ready(self, reply: Reply) -> float | None:
        """Return when the reply's first audio arrived; None if there is none yet."""
        return self._voice.ready if self._voice.reply == reply.number else None

    def progress(self, reply: Reply) -> tuple[float, float | None]:
        """Return the seconds heard and those left (None until all audio has arrived)."""
        return self._heard.progress if self._voice.reply == reply.number else (0.0, None)

    def word_end(self, reply: Reply) -> float:
        """Return the seconds until the end of the word that is being heard."""
        return self._heard.word_end(reply.text, self._pace) if self._voice.reply == reply.number else 0.0

    @property
    def plays(self) -> bool:
        """Whether a reply is being heard."""
        return self.line.plays and (self._timer is not None or self.line.ahead(self.session.now) > 0)

    @property
    def _heard(self) -> ReplyAudio:
        """The current audio, after noting how much of it is not heard yet."""
        return self._voice.hear(self.line.ahead(self.session.now))

    # Playing ---------------------------------------------------------------------------------------

    def _current(self, number: int) -> bool:
        """Return whether this is the current reply; its first frame clears the buffers."""
        reply = self.session.reply
        if reply is None or reply.number != number:
            return False
        if self._voice.reply != number:
            self._clear()
            self._reset(number)
        return True

    def play(self) -> None:
        """Send all pieces that are due and may be heard; set the timer for the next."""
        now, reply, line = self.session.now, self.session.reply, self.line
        self._stop_timer()
        if self.paused or reply is None or reply.speculative:
            return
        if not self._voice.sent and now < reply.not_before - 1e-6:
            self._timer = self.session.timer(self, reply.not_before, self.play)
            return
        if self._voice.unvoiced:
            self.session.replies.finish(reply.number, len(reply.text))
            return
        if line.due is None or (line.due < now - LATE and self._voice.waiting.samples):
            line.begin(now)
        while line.due is not None and line.due <= now + self.lead + 1e-6:
            if not self._send():
                return
        self._timer = self.session.timer(self, (line.due or now) - self.lead, self.play)

    def _send(self) -> bool:
        """Send one piece; returns False if there is none to send now."""
        voice = self._voice
        samples = min(self._piece, voice.waiting.samples)
        if samples < self._piece and not voice.ended:
            self._rest()
            return False
        if samples == 0:
            self._finish()
            return False
        if voice.began is None:
            voice.began = self.session.now
            self.push(PlayoutStarted(voice.reply))
        pcm = voice.next_piece(samples, self.gain)
        self.push(AgentAudio(voice.reply, pcm, self.sample_rate, self.line.at))
        self.line.go_on(samples)
        if self._room.waited_for and not self.full:
            self._room.release()
        return True

    def _rest(self) -> None:
        """Stop the timer until there is more to play."""
        self._stop_timer()
        if self.line.due is not None and self.line.due <= self.session.now:
            self.line.due = None

    def _finish(self) -> None:
        """End the reply, once the last sample has been heard: all of it has been sent."""
        now = self.session.now
        if (ahead := self.line.ahead(now)) > 1e-6:
            self._timer = self.session.timer(self, now + ahead, self.play)
            return
        for segment in self._voice.spoken.segments:
            if segment.complete:
                self._pace.measure(segment, self.sample_rate)
        reply = self.session.reply
        assert reply is not None
        offset, (reply.played, _) = self.heard(reply), self.progress(reply)
        self._forget()
        self.session.replies.finish(reply.number, offset)

    def _fade_out(self) -> None:
        """Send a last piece that fades out; transports with a buffer do so themselves."""
        if self.lead or self.paused or self.line.due is None:
            return
        room = int((PIECE - (self.line.due - self.session.now)) * self.sample_rate)
        samples = min(room, self._piece, self._voice.waiting.samples)
        if samples > 0:
            from ..audio.levels import faded

            pcm = faded(self._voice.next_piece(samples, self.gain))
            self.push(AgentAudio(self._voice.reply, pcm, self.sample_rate, self.line.at))

    def _forget(self) -> None:
        self.paused, self.gain = False, 1.0
        self._clear()

    def _clear(self) -> None:
        self._stop_timer()
        self._reset(0)
        self._room.release()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
