"""Playback of backchannels: what the agent says outside of replies."""

from ..clock import Timer
from ..frames import AgentAudio
from ..processor import Processor
from .timeline import OutputTimeline
from .voice import AudioBuffer, Resampling

__all__ = ["BACKCHANNEL", "BackchannelPlayer"]

BACKCHANNEL = 0  # the reply number of audio that belongs to no reply


class BackchannelPlayer:
    """A player of backchannels, which plays only while no reply is being heard.

    `line` says whether one is; audio is pushed in pieces of `piece` samples.
    """

    def __init__(self, line: OutputTimeline, sample_rate: int, piece: int) -> None:
        self._line = line
        self._sample_rate = sample_rate
        self._piece = piece
        self._waiting = AudioBuffer()
        self._resampled = Resampling(sample_rate)
        self._at = 0
        self._timer: Timer | None = None

    def say(self, frame: AgentAudio, part: Processor) -> None:
        """Play a backchannel from the place of `part`, unless a reply is being heard."""
        if self._line.plays:
            return
        self._waiting.put(self._resampled(frame))
        if self._timer is None:
            self._at = round(part.session.now * self._sample_rate)
            self._go_on(part)

    def _go_on(self, part: Processor) -> None:
        self._timer = None
        samples = min(self._piece, self._waiting.samples)
        if not samples or self._line.plays:
            self._waiting = AudioBuffer()
            return
        part.push(AgentAudio(BACKCHANNEL, self._waiting.pop(samples), self._sample_rate, self._at))
        self._at += samples
        self._timer = part.session.timer(part, self._at / self._sample_rate, lambda: self._go_on(part))
