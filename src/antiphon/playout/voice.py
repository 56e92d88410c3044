"""The audio of one reply at playout: what waits, what has gone out, and what of it was heard."""

from collections import deque
from typing import TYPE_CHECKING

from ..frames import AgentAudio
from .heard import SpeakingRate, Spoken

if TYPE_CHECKING:
    from ..audio.resample import Resampler

__all__ = ["AudioBuffer", "ReplyAudio", "Resampling"]


class AudioBuffer:
    """Samples that wait, in the chunks in which they came."""

    def __init__(self) -> None:
        self.samples = 0
        self._chunks: deque[bytes] = deque()
        self._taken = 0  # bytes of the first chunk that have gone out

    def put(self, pcm: bytes) -> None:
        self._chunks.append(pcm)
        self.samples += len(pcm) // 2

    def put_back(self, pcm: bytes) -> None:
        """Samples that are to come first again."""
        if self._taken:
            self._chunks[0] = self._chunks[0][self._taken :]
            self._taken = 0
        self._chunks.appendleft(pcm)
        self.samples += len(pcm) // 2

    def take(self, samples: int) -> bytes:
        """The next ones; no more than there are."""
        self.samples -= samples
        wanted = samples * 2
        head = self._chunks[0]
        if self._taken == 0 and len(head) == wanted:
            return self._chunks.popleft()
        parts: list[bytes] = []
        while wanted:
            head = self._chunks[0]
            part = head[self._taken : self._taken + wanted]
            parts.append(part)
            wanted -= len(part)
            self._taken += len(part)
            if self._taken == len(head):
                self._chunks.popleft()
                self._taken = 0
        return b"".join(parts)


class Resampling:
    """Whatever rates a voice comes in, at one rate."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._resamplers: dict[int, Resampler] = {}

    def __call__(self, frame: AgentAudio) -> bytes:
        if frame.sample_rate == self.sample_rate:
            return frame.pcm
        resampler = self._resamplers.get(frame.sample_rate)
        if resampler is None:
            from ..audio.resample import Resampler  # numpy, only where rates differ

            resampler = self._resamplers[frame.sample_rate] = Resampler(frame.sample_rate, self.sample_rate)
        return resampler(frame.pcm)

    def flush(self) -> bytes:
        """What is still within."""
        return b"".join(resampler.flush() for resampler in self._resamplers.values())


class ReplyAudio:
    """One reply's, in samples of `sample_rate`; `lead` seconds of it the transport may hold."""

    def __init__(self, reply: int, sample_rate: int, lead: float) -> None:
        self.reply = reply
        self.waiting = AudioBuffer()
        self.sent = 0
        """Samples that have gone out."""
        self.spoken = Spoken(sample_rate)
        self.ended = False
        """Whether all of it is there."""
        self.unvoiced = False
        """Whether the text is complete and nobody makes it into audio."""
        self.ready: float | None = None
        """When the first audio was there."""
        self.began: float | None = None
        """When the first piece went out."""
        self.ahead = 0
        """Of the samples that have gone out, those not heard yet, as of the last `hear`."""
        self._rate = sample_rate
        self._kept = int(lead * sample_rate) * 2
        self._recent = b""  # the newest of what has gone out, which the transport may still hold
        self._resampled = Resampling(sample_rate)

    def add(self, frame: AgentAudio, now: float) -> None:
        """More audio."""
        if self.ready is None:
            self.ready = now
        if self.spoken.segments:
            self.spoken.segments[-1].rate = frame.sample_rate
        self._put(self._resampled(frame))

    def end(self) -> None:
        """That was all."""
        if rest := self._resampled.flush():
            self._put(rest)
        self.ended = True

    def begin_segment(self, start: int, end: int) -> None:
        """What comes now speaks this of the text."""
        self.spoken.begin(start, end, self.sent + self.waiting.samples)

    def take(self, samples: int, gain: float = 1.0) -> bytes:
        """The next piece, which goes out, `gain` times as loud."""
        pcm = self.waiting.take(samples)
        self.sent += samples
        if self._kept:
            self._recent = self._recent[-self._kept :] + pcm
        if gain == 1.0:
            return pcm
        from ..audio.levels import scaled  # numpy, only where a voice is ducked

        return scaled(pcm, gain)

    def take_back(self) -> None:
        """The transport has forgotten what it had not played: it goes out once more."""
        if self._kept and self.ahead:
            held = self._recent[-2 * self.ahead :]
            self.waiting.put_back(held)
            self.sent -= len(held) // 2
        self._recent = b""

    def hear(self, ahead: float) -> "ReplyAudio":
        """All but the last `ahead` seconds of what has gone out has been heard."""
        self.ahead = min(self.sent, round(max(0.0, ahead) * self._rate))
        return self

    def heard(self, text: str, pace: SpeakingRate) -> int:
        """How many characters of the text."""
        return self.spoken.heard(self.sent - self.ahead, text, pace)

    def word_end(self, text: str, pace: SpeakingRate) -> float:
        """Seconds until the word that is being heard has been spoken."""
        return self.spoken.word_end(self.sent - self.ahead, text, pace)

    @property
    def progress(self) -> tuple[float, float | None]:
        """Seconds that were heard, and that are left; None if not all of it is there."""
        if self.began is None:
            return 0.0, None
        left = (self.waiting.samples + self.ahead) / self._rate if self.ended else None
        return (self.sent - self.ahead) / self._rate, left

    def _put(self, pcm: bytes) -> None:
        self.waiting.put(pcm)
        self.spoken.reach(self.sent + self.waiting.samples)
