"""Playback of backchannels: what the agent says outside of replies."""

from collections.abc import Callable

from ..clock import Timer
from ..frames import AgentAudio
from ..processor import Processor
from .voice import AudioBuffer, Resampling

__all__ = ["BACKCHANNEL", "BackchannelPlayer"]

BACKCHANNEL = 0  # the reply number of audio that belongs to no reply


class BackchannelPlayer:
    """A player of backchannels, which plays only while no reply is being heard.

    The audio is pushed from the place of `part`, in pieces of `piece` samples. `plays` returns whether a
    reply is being heard.
    """

    def __init__(self, part: Processor, sample_rate: int, piece: int, plays: Callable[[], bool]) -> None:
        self._part = part
        self._sample_rate = sample_rate
        self._piece = piece
        self._plays = plays
        self._waiting = AudioBuffer()
        self._resampled = Resampling(sample_rate)
        self._at = 0
        self._timer: Timer | None = None

    def say(self, frame: AgentAudio) -> None:
        """Play a backchannel now, or drop it if a reply is being heard."""
        if self._plays():
            return
        self._waiting.put(self._resampled(frame))
        if self._timer is None:
            self._at = round(self._part.session.now * self._sample_rate)
            self._go_on()

    def _go_on(self) -> None:
        self._timer = None
        part, samples = self._part, min(self._piece, self._waiting.samples)
        if not samples or self._plays():
            self._waiting = AudioBuffer()
            return
        part.push(AgentAudio(BACKCHANNEL, self._waiting.pop(samples), self._sample_rate, self._at))
        self._at += samples
        self._timer = part.session.timer(part, self._at / self._sample_rate, self._go_on)
