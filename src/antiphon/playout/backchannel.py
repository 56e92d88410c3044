"""Backchannels: what the agent says while the user speaks, beside all replies."""

from typing import TYPE_CHECKING

from ..clock import Timer
from ..frames import AgentAudio
from .voice import AudioBuffer, Resampling

if TYPE_CHECKING:
    from .playout import Playout

__all__ = ["BACKCHANNEL", "BackchannelPlayer"]

BACKCHANNEL = 0  # the reply that is none


class BackchannelPlayer:
    """Plays backchannels in time, piece by piece, as long as no reply is heard."""

    def __init__(self, playout: "Playout", piece: int) -> None:
        self._playout = playout
        self._piece = piece
        self._waiting = AudioBuffer()
        self._resampled = Resampling(playout.sample_rate)
        self._at = 0
        self._timer: Timer | None = None

    def say(self, frame: AgentAudio) -> None:
        """Say it now, or never."""
        if self._playout.plays:
            return
        self._waiting.put(self._resampled(frame))
        if self._timer is None:
            self._at = round(self._playout.session.now * self._playout.sample_rate)
            self._go_on()

    def _go_on(self) -> None:
        self._timer = None
        playout, samples = self._playout, min(self._piece, self._waiting.samples)
        if not samples or playout.plays:
            self._waiting = AudioBuffer()
            return
        playout.push(AgentAudio(BACKCHANNEL, self._waiting.take(samples), playout.sample_rate, self._at))
        self._at += samples
        self._timer = playout.session.timer(playout, self._at / playout.sample_rate, self._go_on)
