"""What was heard: the text spoken up to a position in a reply's audio.

Each segment of audio knows which part of the text it speaks. Within a segment the vendor's word times say
where a word ends. If there are none, text and audio are taken to be proportional; in a segment that is not
complete, the rate at which this voice has spoken so far is used.
"""

from dataclasses import dataclass

__all__ = ["Segment", "SpeakingRate", "Spoken"]

RATE = 14.0  # characters that a voice speaks per second, until it has been measured


@dataclass(slots=True)
class Segment:
    """A stretch of a reply's text, and its audio, in samples since the reply began."""

    start: int
    end: int
    first: int
    last: int
    complete: bool = False
    rate: int = 0  # sample rate of the vendor's audio, in which the word times are counted
    words: list[tuple[int, int]] | None = None  # (sample, offset in the text that is spoken there)

    def reached(self, samples: int, sample_rate: int, text: str, pace: float) -> int:
        """Return the text offset spoken after `samples` of it, at the end of a word.

        `pace` is in characters per second, and used if the segment is not complete.
        """
        if self.words:
            own = samples * self.rate // sample_rate
            return max((offset for at, offset in self.words if at <= own), default=self.start)
        length = self.end - self.start
        if self.complete:
            share = samples / max(1, self.last - self.first)
        else:
            share = samples / sample_rate * pace / max(1, length)
        offset = self.start + int(min(1.0, share) * length)
        if offset == self.end or text[offset : offset + 1].isspace():
            return offset
        return self.start + len(text[self.start : offset].rpartition(" ")[0])


class SpeakingRate:
    """The measured rate at which a voice speaks."""

    def __init__(self) -> None:
        self._characters, self._seconds = RATE, 1.0

    def measure(self, segment: Segment, sample_rate: int) -> None:
        """Include a complete segment in the average."""
        self._characters += segment.end - segment.start
        self._seconds += (segment.last - segment.first) / sample_rate

    @property
    def per_second(self) -> float:
        """Characters per second."""
        return self._characters / self._seconds


class Spoken:
    """The segments of one reply's audio, in samples of `sample_rate` since its first."""

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.segments: list[Segment] = []

    def begin(self, start: int, end: int, at: int) -> None:
        """Begin a segment: the audio from sample `at` on speaks this text."""
        self.segments.append(Segment(start, end, at, at))

    def reach(self, last: int) -> None:
        """Note that there is audio up to this sample."""
        if self.segments:
            self.segments[-1].last = last

    def word(self, at: int, end: int) -> None:
        """Add a word's time: text up to `end` is spoken at sample `at` of the segment.

        `at` is counted at the sample rate of the vendor's audio.
        """
        if self.segments:
            segment = self.segments[-1]
            segment.words = segment.words or []
            segment.words.append((at, end))

    def complete(self, end: int | None = None) -> None:
        """Note that all audio of the segment has arrived.

        It speaks the text up to `end`, if that is given.
        """
        if self.segments:
            self.segments[-1].complete = True
            self.segments[-1].end = self.segments[-1].end if end is None else end

    def word_end(self, played: int, text: str, pace: SpeakingRate) -> float:
        """Return the seconds from sample `played` to the end of its word; 0 if none."""
        for segment in self.segments:
            own = played - segment.first
            if own <= 0 or (segment.complete and played >= segment.last):
                continue
            if segment.words:
                at = own * segment.rate // self.sample_rate
                ends = [end for end, _ in segment.words if end > at]
                return (ends[0] - at) / segment.rate if ends else 0.0
            seconds = own / self.sample_rate
            length = segment.end - segment.start
            whole = (segment.last - segment.first) / self.sample_rate
            rate = length / whole if segment.complete and whole else pace.per_second
            place = segment.start + int(seconds * rate)
            rest = text[place : segment.end]
            return len(rest.split(" ", 1)[0]) / rate
        return 0.0

    def heard(self, played: int, text: str, pace: SpeakingRate) -> int:
        """Return the text offset spoken after `played` samples, at the end of a word."""
        offset = 0
        for segment in self.segments:
            if segment.complete and played >= segment.last:
                offset = segment.end
            elif (samples := played - segment.first) > 0:
                return max(offset, segment.reached(samples, self.sample_rate, text, pace.per_second))
            else:
                break
        return offset
