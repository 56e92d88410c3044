"""The mouth of a composite: its voice, and its words with their times.

A word is told with the time at which it ends. If the voice comes without word times, text and audio are taken
to be proportional, as in `playout.heard`; in a segment that is not complete, the rate at which this voice has
spoken so far is used for what can have been heard by now.
"""

import re
from collections.abc import Callable
from math import ceil

from ..frames import AgentAudio, AudioEnded, Failed, ReplyEnded, SegmentEnded, SegmentStarted, WordTimed
from ..playout.heard import Segment, SpeakingRate
from ..processor import Processor, on
from .realtime_vocabulary import AgentWords, RealtimeEvent, ResponseOver, UserCutIn, Voice

__all__ = ["CUT_SHORT", "SpokenEvents", "TellEvent", "VoiceEvents"]

CUT_SHORT = "it was cut short"

TellEvent = Callable[[RealtimeEvent], object]


class VoiceEvents(Processor):
    """Tells the voice as it passes."""

    def __init__(self, tell: TellEvent) -> None:
        self._tell = tell

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        if frame.reply:
            self._tell(Voice(frame.pcm))


class SpokenEvents(Processor):
    """Tells the words that are spoken, and how each reply ends.

    `paced`: whether a Playout behind it decides when a reply has been spoken; else it is once its audio is
    complete.
    """

    def __init__(self, tell: TellEvent, sample_rate: int, *, paced: bool) -> None:
        self._tell = tell
        self._rate = sample_rate
        self._paced = paced
        self._pace = SpeakingRate()
        self._timed = False  # whether the voice comes with the times of words
        self._problem = ""
        self._begin_reply()

    def _begin_reply(self) -> None:
        self._told = 0  # characters of the reply that were told
        self._samples = 0  # of the reply's voice
        self._since: float | None = None  # when its voice began
        self._segment: Segment | None = None

    @on(SegmentStarted)
    def segment_started(self, frame: SegmentStarted) -> None:
        self._segment = Segment(frame.start, frame.end, self._samples, self._samples)
        self.push(frame)

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        now = self.session.now
        self._since = now if self._since is None else self._since
        self._samples += len(frame.pcm) // 2
        self.push(frame)
        if (segment := self._segment) is not None and not self._timed:
            segment.last = self._samples
            heard = min(self._samples, int((now - self._since) * self._rate)) - segment.first
            end = segment.start + int(heard / self._rate * self._pace.per_second)
            self._tell_words(segment, min(end, segment.end), self._rate / self._pace.per_second)

    @on(WordTimed)
    def word(self, frame: WordTimed) -> None:
        self._timed = True
        self.push(frame)
        self._tell_text(frame.end, (self._segment.first if self._segment else 0) + frame.at)

    @on(SegmentEnded)
    def segment_ended(self, frame: SegmentEnded) -> None:
        self.push(frame)
        segment, self._segment = self._segment, None
        if segment is None:
            return
        segment.end = segment.end if frame.end is None else frame.end
        samples = self._samples - segment.first
        if not self._timed and segment.end > segment.start:
            segment.last = self._samples
            self._pace.measure(segment, self._rate)
            self._tell_words(segment, segment.end, samples / (segment.end - segment.start))
        self._tell_text(segment.end, self._samples)

    def _tell_words(self, segment: Segment, end: int, each: float) -> None:
        """Tell whole words up to an offset, at so many samples for each character."""
        reply = self.session.reply
        if reply is None or end <= self._told:
            return
        text = reply.text[: segment.end]
        for word in re.finditer(r"\s*\S+(?=\s|$)", text[segment.start :]):
            if (ended := segment.start + word.end()) > end:
                break
            self._tell_text(ended, segment.first + ceil(word.end() * each))

    def _tell_text(self, end: int, at: int) -> None:
        """Tell the text up to an offset, which has been spoken at a sample."""
        reply = self.session.reply
        if reply is not None and end > self._told:
            self._tell(AgentWords(reply.text[self._told : end], at / self._rate))
            self._told = end

    @on(AudioEnded)
    def audio_ended(self, frame: AudioEnded) -> None:
        self.push(frame)
        reply = self.session.reply
        if reply is not None and reply.number == frame.reply:
            self._tell_text(len(reply.text), self._samples)
            if not self._paced:
                self.session.replies.finish(frame.reply, len(reply.text))

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        if signal.reply is not None and not signal.recovered:
            self._problem = signal.message

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        problem, self._problem = self._problem, ""
        if self._paced and signal.interrupted and signal.reason != CUT_SHORT:
            self._tell(UserCutIn())
        status = "cancelled" if signal.interrupted else "failed" if problem else "completed"
        self._tell(ResponseOver(status, problem or signal.reason))
        self._begin_reply()
