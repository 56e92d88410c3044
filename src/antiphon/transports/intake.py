"""The position of audio from a network on the session's timeline."""

from ..clock import Timer
from ..frames import UserAudio
from ..processor import Processor

__all__ = ["EVIDENCE", "Arrivals", "Intake"]

AHEAD = 0.04  # seconds that samples may be ahead of the session's time (nothing arrives before it was spoken)
SET_BACK = 1.0  # seconds of budget for moving the position back; beyond it the oldest samples are dropped
EARNED = 0.01  # seconds of that budget regained in each second of the session
BEHIND = 0.3  # lateness in seconds from which samples may have been lost, or never sent
STALLED = {True: 10.0, False: 2.0}
"""Lateness that may be a network stall (the delayed samples will still arrive), keyed by `steady`."""
EVIDENCE = 0.06
"""Seconds of audio, or of waiting for it, that tell a burst from the line's usual pace."""
LONGEST_SILENCE = 1.0  # seconds of silence that `fill` returns at once


class Intake:
    """The session positions of samples that arrive early, late or in bursts.

    A position counts samples from the session's start, so that jitter does not move it: what arrives late
    keeps its place, since it was spoken then. Samples that seem to arrive before their time (they waited
    while the session started) move the position back, within a budget.

    The first samples after a long pause are ambiguous. Held up by a stall, they belong to the past; after a
    pause in transmission (silence suppression, hold, a microphone that was off), to the present. The pace of
    what follows decides, so they are held until EVIDENCE has come: a burst keeps its place, and what comes at
    the pace of speech is new. If nothing follows at all, `release` decides.

    `steady`: the line sends all the time, as a telephone's, so a stall may be longer.
    `dropped` counts samples beyond the budget, the oldest first; `missed` counts samples that never arrived.
    """

    def __init__(self, sample_rate: int, *, steady: bool = False) -> None:
        self.sample_rate = sample_rate
        self.dropped = 0
        self.missed = 0
        self._stalled = STALLED[steady]
        self._at: int | None = None  # where the next samples belong, if no time has passed without any
        self._filled = 0  # up to where `fill` has returned silence
        self._held = b""  # samples whose place is not decided
        self._held_at = 0.0  # when the newest of them arrived
        self._since = 0.0  # when the first of them arrived
        self._followed = 0  # samples that followed the first of them
        self._waited = 0.0  # seconds that those were waited for
        self._budget = SET_BACK
        self._budget_at = 0.0

    def place(self, pcm: bytes, now: float, *, backlog: bool = False, skipped: int = 0) -> UserAudio | None:
        """Return the next samples (mono 16-bit) at their position in the session.

        Samples that were held come first. Returns None if all samples are held or dropped.

        `now` is the session's time at which the samples arrived. `backlog` is True if they had arrived before
        they were asked for, so that the delay is ours and does not show the line's pace. `skipped` is the
        number of samples that, by the sender's own timestamps, were not sent before these.
        """
        rate, count = self.sample_rate, len(pcm) // 2
        arrived = round(now * rate)
        if self._at is None:
            self._at = max(0, arrived - count)
        if skipped and not self._held:
            self._skip(min(skipped, arrived - self._at - count))
        late = arrived - self._at - len(self._held) // 2 - count
        if late > BEHIND * rate:
            return self._hold(pcm, now, backlog) if late <= self._stalled * rate else self._jump(pcm, now)
        pcm, self._held = self._held + pcm, b""
        if -late > AHEAD * rate:
            pcm = pcm[2 * self._set_back(-late, len(pcm) // 2, now) :]
        return self._emit(pcm)

    def release(self, now: float) -> UserAudio | None:
        """Return the held samples as new audio if no burst has followed them.

        Returns None if no samples have been held for EVIDENCE seconds.
        """
        if not self._held or now - self._since < EVIDENCE - 1e-6:
            return None
        return self._jump(b"", self._held_at)

    @property
    def holding(self) -> bool:
        """Return True if samples are held.

        Call `release` after EVIDENCE seconds in that case.
        """
        return bool(self._held)

    def fill(self, now: float) -> UserAudio | None:
        """Return silence up to `now` for a gap in which no audio has arrived.

        Returns None if there is no gap, or if samples are held. Samples that were held up and come later
        still keep their position, over that silence.
        """
        end = round(now * self.sample_rate)
        begin = max(self._at or 0, self._filled, end - int(LONGEST_SILENCE * self.sample_rate))
        count = end - begin
        if self._held or count <= 0:
            return None
        self._filled = begin + count
        return UserAudio(bytes(2 * count), self.sample_rate, begin)

    def _hold(self, pcm: bytes, now: float, backlog: bool) -> UserAudio | None:
        """Hold late samples until their pace is known, and return them then."""
        if not self._held:
            self._since, self._followed, self._waited = now, 0, 0.0
        else:
            self._followed += len(pcm) // 2
            self._waited += 0.0 if backlog else now - self._held_at
        self._held, self._held_at = self._held + pcm, now
        rate = self.sample_rate
        if self._followed - self._waited * rate >= EVIDENCE * rate - 1:
            held, self._held = self._held, b""
            return self._emit(held)
        return self._jump(b"", now) if self._waited >= EVIDENCE - 1e-6 else None

    def _jump(self, pcm: bytes, arrived: float) -> UserAudio | None:
        """Return the held samples and these, moved to the present.

        The last sample ended at the time `arrived`.
        """
        assert self._at is not None
        pcm, self._held = self._held + pcm, b""
        self._skip(round(arrived * self.sample_rate) - len(pcm) // 2 - self._at)
        return self._emit(pcm)

    def _skip(self, count: int) -> None:
        """Move the position over samples that were never sent."""
        assert self._at is not None
        if count > 0:
            self._at += count
            self.missed += count

    def _emit(self, pcm: bytes) -> UserAudio | None:
        assert self._at is not None
        if not pcm:
            return None
        frame = UserAudio(pcm, self.sample_rate, self._at)
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


class Arrivals:
    """An intake used by a processor, with the session's clock and a timer.

    It tells the intake the time, and has the processor push held samples when they are due.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._timer: Timer | None = None

    def place(self, pcm: bytes, part: Processor, *, backlog: bool) -> UserAudio | None:
        """Return samples that a part has just read, at their position.

        Returns None if they are held or dropped.
        """
        frame = self._intake.place(pcm, part.session.elapsed(), backlog=backlog)
        if self._intake.holding and self._timer is None:
            self._start(part)
        return frame

    def close(self) -> None:
        """Discard what is held."""
        if self._timer is not None:
            self._timer.cancel()

    def _start(self, part: Processor) -> None:
        clock = part.session.clock
        self._timer = clock.call_at(clock.now() + EVIDENCE, lambda: self._release(part))

    def _release(self, part: Processor) -> None:
        self._timer = None
        if (frame := self._intake.release(part.session.elapsed())) is not None:
            part.push(frame)
        elif self._intake.holding:
            self._start(part)
