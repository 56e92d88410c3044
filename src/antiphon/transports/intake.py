"""Where audio from a network enters a session's time."""

from ..frames import UserAudio

__all__ = ["Intake"]

AHEAD = 0.3  # seconds that samples may be ahead of the session's time; of a longer burst the oldest drop out
BEHIND = 0.3  # seconds that they may be behind: then something was lost, or was never sent, and time goes on
STALLED = {True: 10.0, False: 2.0}  # seconds behind, by `steady`, that may be a stall: what it held up comes
CATCHING_UP = {True: 2.0, False: 0.2}  # seconds in which it has then caught up, or was never sent


class Intake:
    """Places samples that come early, late or in bursts at their position in the session.

    Positions count samples without a gap as long as the far end's clock and the network do: what arrives late
    keeps its place, since it was spoken then. A gap is made only where what was late stays late: a microphone
    was switched off, or packets were lost. A `steady` line, such as a telephone's, never stops sending: there
    it takes longer to believe so. Counts what was `dropped` and `missed`, in samples.
    """

    def __init__(self, sample_rate: int, *, steady: bool = False) -> None:
        self.sample_rate = sample_rate
        self.dropped = 0
        self.missed = 0
        self._stalled, self._catching_up = STALLED[steady], CATCHING_UP[steady]
        self._at: int | None = None
        self._late_since: float | None = None

    def take(self, pcm: bytes, now: float) -> UserAudio | None:
        """The next samples (mono 16-bit), arrived at `now`, in session time; None where all are dropped."""
        rate, count = self.sample_rate, len(pcm) // 2
        arrived = round(now * rate)
        if self._at is None:
            self._at = max(0, arrived - count)
        late = arrived - (self._at + count)
        if late > BEHIND * rate:
            self._late_since = now if self._late_since is None else self._late_since
            if late > self._stalled * rate or now - self._late_since >= self._catching_up:
                self._at += late
                self.missed += late
        else:
            self._late_since = None
            if (early := -late - int(AHEAD * rate)) > 0:
                drop = min(early, count)
                self.dropped += drop
                pcm = pcm[drop * 2 :]
                if not pcm:
                    return None
        frame = UserAudio(pcm, rate, self._at)
        self._at += len(pcm) // 2
        return frame
