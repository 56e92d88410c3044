"""The position of audio from a network on the session's timeline."""

from ..frames import UserAudio

__all__ = ["Intake"]

AHEAD = 0.04  # seconds that samples may be ahead of the session's time (nothing arrives before it was spoken)
SET_BACK = 1.0  # seconds of budget for moving the position back; beyond it the oldest samples are dropped
EARNED = 0.01  # seconds of that budget regained in each second of the session
BEHIND = 0.3  # lateness in seconds from which samples may have been lost, or never sent
STALLED = {True: 10.0, False: 2.0}
"""Lateness treated as a network stall (the delayed samples will still arrive), keyed by `steady`."""
CATCHING_UP = {True: 2.0, False: 0.2}
"""Seconds that a stall may take to catch up before the samples count as missing, keyed by `steady`."""


class Intake:
    """The session positions of samples that arrive early, late or in bursts.

    A position counts samples from the session's start, so that jitter does not move it: what arrives late
    keeps its place, since it was spoken then. The position jumps forward only if the lateness lasts, because
    a microphone was switched off or packets were lost. Samples that seem to arrive before their time (they
    waited while the session started) move the position back, within a budget.

    `steady` marks a line that never stops sending, such as a telephone's: it must be late for longer before
    samples count as lost. `dropped` counts samples beyond the budget, the oldest first; `missed` counts
    samples that never arrived.
    """

    def __init__(self, sample_rate: int, *, steady: bool = False) -> None:
        self.sample_rate = sample_rate
        self.dropped = 0
        self.missed = 0
        self._stalled, self._catching_up = STALLED[steady], CATCHING_UP[steady]
        self._at: int | None = None
        self._late_since: float | None = None
        self._budget = SET_BACK
        self._budget_at = 0.0

    def place(self, pcm: bytes, now: float) -> UserAudio | None:
        """Return the next samples (mono 16-bit) at their position, or None if dropped.

        `now` is the session's time at which they arrived.
        """
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
        """Move the position back by `early` samples, within the budget.

        Returns how many samples to drop because the budget is spent.
        """
        assert self._at is not None
        self._budget = min(SET_BACK, self._budget + EARNED * (now - self._budget_at))
        self._budget_at = now
        back = min(early, self._at, int(self._budget * self.sample_rate))
        self._at -= back
        self._budget -= back / self.sample_rate
        drop = min(max(0, early - back - int(AHEAD * self.sample_rate)), count)
        self.dropped += drop
        return drop
