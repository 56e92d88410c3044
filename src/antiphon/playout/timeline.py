"""The output timeline: positions of the agent's audio and when each is due."""

__all__ = ["OutputTimeline"]

LAG = 2.0  # seconds that the far end may lag behind; marks that report more are not trusted


class OutputTimeline:
    """The position of the next piece of audio, and when it is due."""

    def __init__(self, sample_rate: int) -> None:
        self.due: float | None = None
        """When the next piece is to be heard; None while nothing is being played."""
        self.at = 0
        """Its position in samples."""
        self.lag = 0.0
        """Seconds by which the far end plays late, as measured from its marks; 0 if it sends none."""
        self._rate = sample_rate
        self._origin = 0.0  # when sample 0 was due

    @property
    def plays(self) -> bool:
        """Whether something is being played."""
        return self.due is not None

    def begin(self, now: float) -> None:
        """Start playing: the next piece is due now."""
        self.due, self.at = now, max(self.at, round(now * self._rate))
        self._origin = now - self.at / self._rate

    def go_on(self, samples: int) -> None:
        """Advance by this many samples, which have been sent."""
        assert self.due is not None
        self.at += samples
        self.due += samples / self._rate

    def rest(self) -> None:
        """Stop playing: nothing is due."""
        self.due, self.at = None, 0

    def ahead(self, now: float) -> float:
        """Return the seconds of audio that have been sent and are not heard yet."""
        return 0.0 if self.due is None else max(0.0, self.due + self.lag - now)

    def reached(self, at: int, now: float) -> None:
        """Update `lag`: the far end has just played this sample."""
        self.lag = min(max(0.0, now - self._origin - at / self._rate), LAG)
