"""Where in the pieces of a reply a vendor's audio and its word times belong.

A vendor that is sent a reply piece by piece answers with one stream of audio. Which audio speaks which piece
is known from its word times, from a message at the end of each piece, or else from the number of characters.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .ports import Speech, Word
from .streams import has_words

__all__ = ["SpeakingPace", "SpokenPieces", "word_end"]

CHARACTERS_PER_SECOND = 14.0
AHEAD = 40  # characters in which a word is searched after the last one
MARKS = ".,;:!?"  # at the end of words
PAUSE = 4  # characters that the pause after a piece lasts
LONGEST = 3600.0  # seconds of a reply


class SpeakingPace:
    """How fast a voice speaks, learned from the replies that it has finished."""

    def __init__(self) -> None:
        self._characters, self._seconds = CHARACTERS_PER_SECOND, 1.0

    def learn(self, characters: int, seconds: float) -> None:
        """Include a finished reply."""
        self._characters += characters
        self._seconds += seconds

    def seconds(self, text: str) -> float:
        """Return how long a text probably lasts."""
        return (len(text) + PAUSE) * self._seconds / self._characters


@dataclass(frozen=True, slots=True)
class _TimedWord:
    """A word whose place in the text is known, in samples since the first audio."""

    piece: int
    place: int
    """The characters of the piece up to its end."""
    start: int
    end: int


class SpokenPieces:
    """The pieces of one reply and its audio so far.

    `marked`: True if the vendor says where each piece ends, and `end_piece` will be called. `restarting`:
    True if word times count from there. Word times may come before their audio or after it; if nothing is
    marked, they decide which piece is spoken.
    """

    def __init__(
        self, sample_rate: int, pace: SpeakingPace, *, marked: bool, restarting: bool = False
    ) -> None:
        self._rate = sample_rate
        self._pace = pace
        self._marked = marked
        self._restarting = restarting
        self._offset = 0.0  # seconds of audio at which the vendor's clock was zero
        self._pieces: list[str] = []
        self._indices: list[int] = []  # those of the pieces among all of the reply
        self._added = 0
        self._at = 0  # the piece that is spoken now
        self._begins = {0: 0}  # the samples at which pieces began
        self._samples = 0
        self._timed = False  # True once there was a word time
        self._searched = (0, 0)  # the piece and the character up to which words were found
        self._words = deque[_TimedWord]()  # found words whose audio has not come
        self._open: tuple[str, float] | None = None  # a word and its start, until the next one ends it

    def add(self, text: str) -> bool:
        """Note the next piece. Returns False if it has no words: then nothing speaks it."""
        if words := has_words(text):
            self._pieces.append(text)
            self._indices.append(self._added)
        self._added += 1
        return words

    def sound(self, pcm: bytes) -> Sequence[Speech | Word]:
        """Return audio with the pieces that it speaks, and the words that it reaches."""
        spoken: list[Speech | Word] = []
        while pcm:
            spoken += self._reached()
            until = self._end_of_piece()
            size = len(pcm) if until is None else min(len(pcm), (until - self._samples) * 2)
            self._samples += size // 2
            spoken.append(Speech(pcm[:size], self._index(self._at)))
            pcm = pcm[size:]
        spoken += self._reached()
        return spoken

    def word(self, text: str, start: float, end: float | None = None) -> Sequence[Word]:
        """Note a word spoken from `start` to `end`, in seconds since the first audio.

        Without `end`, a word ends when the next one begins. Returns the words whose audio has come already.
        """
        self._timed = True
        start, end = start + self._offset, None if end is None else end + self._offset
        self._end_open(start)
        if end is None:
            self._open = (text, start)
        else:
            self._find(text, start, end)
        return self._reached()

    def end_piece(self) -> None:
        """Note that what comes next speaks the next piece, which may not be known yet."""
        if self._restarting:
            self._offset = self._samples / self._rate
            self._end_open(self._offset)
        self._begin(self._at + 1)

    def finish(self) -> Iterator[Word]:
        """Yield the last words of the reply, and learn how fast the voice speaks."""
        seconds = self._samples / self._rate
        self._end_open(seconds)
        while self._words:
            yield self._spoken(self._words.popleft())
        if self._samples:
            self._pace.learn(sum(len(text) + PAUSE for text in self._pieces), seconds)

    def _end_open(self, end: float) -> None:
        """Note when the word that is open ends."""
        if self._open is not None:
            self._find(*self._open, end)
            self._open = None

    def _reached(self) -> list[Word]:
        """Return the words whose audio has begun, and begin the pieces that are due."""
        reached: list[Word] = []
        while self._words and self._words[0].start <= self._samples:
            reached.append(self._spoken(self._words.popleft()))
        if not self._timed and (until := self._end_of_piece()) is not None and self._samples >= until:
            self._begin(self._at + 1)
        return reached

    def _end_of_piece(self) -> int | None:
        """Return the sample at which the current piece ends, known or guessed."""
        if self._marked:
            return None
        if self._timed:
            return next((word.start for word in self._words if word.piece > self._at), None)
        if self._at + 1 >= len(self._pieces):
            return None
        likely = int(self._pace.seconds(self._pieces[self._at]) * self._rate)
        return max(self._samples, self._begins[self._at] + likely)

    def _begin(self, piece: int) -> None:
        if self._at < piece <= len(self._pieces):
            self._at = piece
            self._begins[piece] = self._samples

    def _spoken(self, word: _TimedWord) -> Word:
        if not self._marked:
            self._begin(word.piece)
        begun = self._begins.get(word.piece, 0)
        return Word(self._index(word.piece), word.place, max(0, word.end - begun) / self._rate)

    def _index(self, piece: int) -> int:
        return self._indices[min(piece, len(self._indices) - 1)] if self._indices else 0

    def _find(self, text: str, start: float, end: float) -> None:
        """Find a word's place behind the last one, or at the beginning of the next piece."""
        piece, cursor = self._searched
        for index, begin in ((piece, cursor), (piece + 1, 0)):
            if (
                index < len(self._pieces)
                and (place := word_end(text, self._pieces[index], begin)) is not None
            ):
                self._searched = (index, place)
                self._words.append(_TimedWord(index, place, self._sample(start), self._sample(end)))
                return

    def _sample(self, seconds: float) -> int:
        """Return the sample at a time that the vendor states, which may be nonsense."""
        return int(min(max(0.0, seconds), LONGEST) * self._rate)


def word_end(word: str, text: str, begin: int) -> int | None:
    """Return where a spoken word ends in a text, if it stands soon after `begin`."""
    start = begin
    while start < len(text) and not text[start].isalnum():
        start += 1
    bare = word.rstrip(MARKS)
    if bare.isalnum() and text.startswith(bare, start):  # nearly always the next word
        return start + len(bare)
    wanted = "".join(filter(str.isalnum, word)).casefold()
    if not wanted:
        return None
    letters = [
        (place, letter)
        for place, char in enumerate(text[begin : begin + AHEAD + len(word)], begin)
        if char.isalnum()
        for letter in char.casefold()  # two for a "ß"
    ]
    at = "".join(letter for _, letter in letters).find(wanted)
    if at < 0:
        return None
    return letters[at + len(wanted) - 1][0] + 1
