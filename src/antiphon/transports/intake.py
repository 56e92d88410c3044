"""Where audio from a network enters a session's time."""

from ..frames import UserAudio

__all__ = ["Intake"]

AHEAD = 0.04  # seconds that samples may be ahead of the session's time: nothing arrives before it was spoken
SET_BACK = 1.0  # seconds that they may be set back in all; of what then comes too early the oldest drop out
EARNED = 0.01  # of these, what a second of the session gives back
BEHIND = 0.3  # seconds that they may be behind: then something was lost, or was never sent, and time goes on
STALLED = {True: 10.0, False: 2.0}  # seconds behind, by `steady`, that may be a stall: what it held up comes
CATCHING_UP = {True: 2.0, False: 0.2}  # seconds in which it has then caught up, or was never sent


class Intake:
    """Places samples that come early, late or in bursts at their position in the session.

    Positions count samples as long as the far end's clock and the network do: what arrives late keeps its
    place, since it was spoken then. A gap is made only where what was late stays late: a microphone was
    switched off, or packets were lost. A `steady` line, such as a telephone's, never stops sending: there it
    takes longer to believe so. What seems to come before its time (it waited while the session began) is set
    back, nothing of it is lost; only of a flood is. Counts what was `dropped` and `missed`, in samples.
    """

    def __init__(self, sample_rate: int, *, steady: bool = False) -> None:
        self.sample_rate = sample_rate
        self.dropped = 0
        self.missed = 0
        self._stalled, self._catching_up = STALLED[steady], CATCHING_UP[steady]
        self._at: int | None = None
        self._late_since: float | None = None
        self._slack = SET_BACK
        self._slack_at = 0.0

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
            if -late > AHEAD * rate:
                pcm = pcm[2 * self._set_back(-late, count, now) :]
                if not pcm:
                    return None
        frame = UserAudio(pcm, rate, self._at)
        self._at += len(pcm) // 2
        return frame

    def _set_back(self, early: int, count: int, now: float) -> int:
        """Go back by as much as they are early, if that is allowed; gives how many of them are to drop."""
        assert self._at is not None
        self._slack = min(SET_BACK, self._slack + EARNED * (now - self._slack_at))
        self._slack_at = now
        back = min(early, self._at, int(self._slack * self.sample_rate))
        self._at -= back
        self._slack -= back / self.sample_rate
        drop = min(max(0, early - back - int(AHEAD * self.sample_rate)), count)
        self.dropped += drop
        return drop
