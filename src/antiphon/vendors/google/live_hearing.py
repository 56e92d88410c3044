"""What Gemini Live hears of the user, whose words have no id."""

from collections.abc import Iterator

from ...services.realtime_codec import CodecEvent
from ...services.realtime_vocabulary import UserCutIn, UserHeard, UserSpeaks

__all__ = ["UserHearing"]

UNANSWERED = 3.0  # seconds after the last words of a turn in which its answer begins, or it has none
WORDS_WITHIN = 0.5  # seconds between the last words of a turn that has had its answer, at most


class UserHearing:
    """Turns of the user, from what the vendor says.

    If it detects turns, one begins with an event for it, with words or with an interruption, and is over by
    the begin of the answer at the latest.
    """

    def __init__(self, detects: bool) -> None:
        self._detects = detects
        self._speaking = False
        self._begun = False  # whether a turn has begun that was not answered
        self._unanswered = False  # whether the last turn is over, and had no answer
        self._late = False  # whether more words of the turn that was answered may come
        self._turns = 0  # that have begun
        self._turn = 0  # whose words these are
        self._words = ""
        self._told = ""  # the words when they were final

    def activity(self, kind: object) -> Iterator[CodecEvent]:
        """Tell what the vendor says of speech."""
        if self._detects and kind in ("ACTIVITY_START", "ACTIVITY_END"):
            yield from self._speaks(kind == "ACTIVITY_START")

    def cut_in(self) -> Iterator[CodecEvent]:
        """Tell that the user interrupts the agent."""
        if self._detects:
            yield from self._speaks(True)
            yield UserCutIn()

    @property
    def waiting(self) -> bool:
        """Whether the vendor has detected a turn that it has not answered."""
        return self._detects and (self._begun or self._unanswered)

    @property
    def patience(self) -> float:
        """Seconds after the last words until nothing more is expected."""
        return UNANSWERED if self.waiting else WORDS_WITHIN

    @property
    def _wordless(self) -> bool:
        """Whether the last turn has no words yet."""
        return self._turns > 0 and (self._turn < self._turns - 1 or not self._words)

    def words(self, text: str, turn: int, answering: bool) -> Iterator[CodecEvent]:
        """Tell more words: of this turn, by our count, unless the vendor detects turns.

        While it is `answering`, they belong to what is being answered; so do those of a turn that was
        answered before it had any.
        """
        late = False
        if self._detects and not (self._begun or answering):
            late = self._late or self._wordless
            if not late:
                yield from self._speaks(True)
        turn = max(0, self._turns - 1) if self._detects else turn
        if turn != self._turn:
            yield from self.complete()
            self._turn, self._words, self._told = turn, "", ""
        self._late = late
        self._words += text
        yield UserHeard(turn, self._words.strip(), False)

    def complete(self) -> Iterator[CodecEvent]:
        """Tell the words so far once more, as no more are expected."""
        heard, self._late = self._words.strip(), False
        if heard and heard != self._told:
            self._told = heard
            yield UserHeard(self._turn, heard, True)

    def over(self) -> Iterator[CodecEvent]:
        """Tell that the turn is over: it is being answered."""
        if self._detects:
            if not self.waiting:
                yield from self._speaks(True)
            yield from self._speaks(False)
            self._begun = self._unanswered = False

    def give_up(self) -> Iterator[CodecEvent]:
        """Tell that the turn is over although the vendor does not answer it."""
        if self._begun:
            yield from self.over()
            self._unanswered = True

    def _speaks(self, speaking: bool) -> Iterator[CodecEvent]:
        if speaking and not self._speaking:
            self._turns += 1
            self._begun, self._unanswered = True, False
        if speaking != self._speaking:
            self._speaking = speaking
            yield UserSpeaks(speaking)
