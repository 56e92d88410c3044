"""The audio of one reply at playout: what waits, was sent, and was heard."""

from collections import deque
from typing import TYPE_CHECKING

from ..frames import AgentAudio
from .heard import SpeakingRate, Spoken

if TYPE_CHECKING:
    from ..audio.resample import Resampler

__all__ = ["AudioBuffer", "ReplyAudio", "Resampling"]


class AudioBuffer:
    """A buffer of samples, kept in the chunks in which they came."""

    def __init__(self) -> None:
        self.samples = 0
        self._chunks: deque[bytes] = deque()
        self._taken = 0  # bytes of the first chunk that have been popped

    def put(self, pcm: bytes) -> None:
        self._chunks.append(pcm)
        self.samples += len(pcm) // 2

    def put_back(self, pcm: bytes) -> None:
        """Put samples back in front."""
        if self._taken:
            self._chunks[0] = self._chunks[0][self._taken :]
            self._taken = 0
        self._chunks.appendleft(pcm)
        self.samples += len(pcm) // 2

    def pop(self, samples: int) -> bytes:
        """Remove and return the next samples, which must be there."""
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
    """A converter to one sample rate, with a resampler for each rate that occurs."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self._resamplers: dict[int, Resampler] = {}

    def __call__(self, frame: AgentAudio) -> bytes:
        if frame.sample_rate == self.sample_rate:
            return frame.pcm
        resampler = self._resamplers.get(frame.sample_rate)
        if resampler is None:
            from ..audio.resample import Resampler  # numpy, only if rates differ

            resampler = self._resamplers[frame.sample_rate] = Resampler(frame.sample_rate, self.sample_rate)
        return resampler(frame.pcm)

    def flush(self) -> bytes:
        """Return the last samples, which the resamplers still hold."""
        return b"".join(resampler.flush() for resampler in self._resamplers.values())


class ReplyAudio:
    """The audio of one reply, counted in samples of `sample_rate`.

    The transport may buffer `lead` seconds of it.
    """

    def __init__(self, reply: int, sample_rate: int, lead: float) -> None:
        self.reply = reply
        self.waiting = AudioBuffer()
        self.sent = 0
        """Samples that have been sent to the transport."""
        self.spoken = Spoken(sample_rate)
        self.ended = False
        """Whether all of it has arrived."""
        self.unvoiced = False
        """Whether the text is complete and no part turns it into audio."""
        self.ready: float | None = None
        """When the first audio arrived."""
        self.began: float | None = None
        """When the first piece was sent."""
        self.ahead = 0
        """Samples that have been sent and not heard yet, as of the last `hear`."""
        self._rate = sample_rate
        self._lead_bytes = int(lead * sample_rate) * 2
        self._recent = b""  # the newest bytes sent, which the transport may still hold
        self._resampled = Resampling(sample_rate)

    def add(self, frame: AgentAudio, now: float) -> None:
        """Append audio."""
        if self.ready is None:
            self.ready = now
        if self.spoken.segments:
            self.spoken.segments[-1].rate = frame.sample_rate
        self._put(self._resampled(frame))

    def end(self) -> None:
        """Note that all audio has arrived."""
        if rest := self._resampled.flush():
            self._put(rest)
        self.ended = True

    def begin_segment(self, start: int, end: int) -> None:
        """Note that the audio from here on speaks the text from `start` to `end`."""
        self.spoken.begin(start, end, self.sent + self.waiting.samples)

    def next_piece(self, samples: int, gain: float = 1.0) -> bytes:
        """Pop the next samples, `gain` times as loud, and count them as sent."""
        pcm = self.waiting.pop(samples)
        self.sent += samples
        if self._lead_bytes:
            self._recent = self._recent[-self._lead_bytes :] + pcm
        if gain == 1.0:
            return pcm
        from ..audio.levels import scaled  # numpy, only if a voice is ducked

        return scaled(pcm, gain)

    def take_back(self) -> None:
        """Put back what the transport has discarded unplayed, so that it is sent again."""
        if self._lead_bytes and self.ahead:
            held = self._recent[-2 * self.ahead :]
            self.waiting.put_back(held)
            self.sent -= len(held) // 2
        self._recent = b""

    def hear(self, ahead: float) -> "ReplyAudio":
        """Note that all but the last `ahead` seconds sent were heard; returns itself."""
        self.ahead = min(self.sent, round(max(0.0, ahead) * self._rate))
        return self

    def heard(self, text: str, pace: SpeakingRate) -> int:
        """Return how many characters of the text have been heard."""
        return self.spoken.heard(self.sent - self.ahead, text, pace)

    def word_end(self, text: str, pace: SpeakingRate) -> float:
        """Return the seconds until the end of the word that is being heard."""
        return self.spoken.word_end(self.sent - self.ahead, text, pace)

    @property
    def progress(self) -> tuple[float, float | None]:
        """Seconds that were heard, and that are left (None if not all has arrived)."""
        if self.began is None:
            return 0.0, None
        left = (self.waiting.samples + self.ahead) / self._rate if self.ended else None
        return (self.sent - self.ahead) / self._rate, left

    def _put(self, pcm: bytes) -> None:
        self.waiting.put(pcm)
        self.spoken.reach(self.sent + self.waiting.samples)
