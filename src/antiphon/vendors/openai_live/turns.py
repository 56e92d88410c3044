"""Turns and responses, found in a sound that never ends.

The vendor's sound has silence where nobody speaks, so its length is the time. A response begins with a loud
voice, and is over after a gap. The user's turn is over after a gap in its words, or when the agent answers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ...services.realtime_codec import CodecEvent
from ...services.realtime_vocabulary import (
    AgentWords,
    ResponseBegan,
    ResponseOver,
    UserCutIn,
    UserHeard,
    UserSpeaks,
    Voice,
)
from ...signals import ToolCall
from .wire import TimedPiece, WholeWords, is_loud

__all__ = ["LiveTurns"]

RATE = 24000
PAUSE = round(0.3 * RATE)  # samples of silence that are passed on, and after which a voice has been cut off
MOST_EARLY, LONGEST = 256, 20_000  # pieces that wait for their voice, characters of a turn
GAP = round(0.8 * RATE)  # samples of silence that end a response, and without words that end a turn


@dataclass(slots=True)
class _UserTurn:
    number: int = -1
    text: str = ""
    speaking: bool = False
    began: int = 0
    last: int = 0  # when its last words came
    heard_until: float = 0.0  # milliseconds in the session


@dataclass(slots=True)
class _Response:
    open: bool = False
    began: int = 0
    dropped: bool = False  # whether the rest is not passed on
    quiet: int = 0  # samples since the voice was loud
    skipped: int = 0  # samples of silence that were not passed on
    base: float | None = None  # milliseconds in the session at which it begins
    calls: list[ToolCall] = field(default_factory=list[ToolCall])


class LiveTurns:
    """Hears both sides, and says what they do."""

    def __init__(self) -> None:
        self.hushed = False
        """Whether what is said is left out, since tools run."""
        self._dropped: list[ToolCall] = []
        self._now = 0  # samples of the vendor's sound
        self._due: int | None = None  # when a response that was asked for has failed
        self._user = _UserTurn()
        self._response = _Response()
        self._whole = WholeWords()
        self._early: list[TimedPiece] = []  # words whose voice has not come
        self._said_until = 0.0  # milliseconds in the session

    def expect(self, within: float) -> None:
        """Have a response begin within these seconds, or fail."""
        self._due = self._now + round(within * RATE)

    def drop(self) -> None:
        """Pass nothing on of the response in progress."""
        self._response.dropped = True

    def take_dropped(self) -> list[ToolCall]:
        """Return calls that were not passed on, since their response was cut off."""
        dropped, self._dropped = self._dropped, []
        return dropped

    def voice(self, pcm: bytes) -> Iterable[CodecEvent]:
        """Hear the vendor's sound."""
        samples = len(pcm) // 2
        self._now += samples
        if loud := is_loud(pcm):
            yield from self._begin()
            yield from self._say_early()
        response = self._response
        response.quiet = 0 if loud else response.quiet + samples
        if response.open and not response.dropped and pcm:
            if response.quiet <= PAUSE:
                yield Voice(pcm)
            else:
                response.skipped += samples
        yield from self._end_what_is_over()

    def words(self, piece: TimedPiece) -> Iterable[CodecEvent]:
        """Read what the agent says; words whose response is over are lost."""
        after_pause = self._response.quiet > 0 and piece.start >= self._voice_until()
        if self._response.open and not after_pause:
            yield from self._spoken(piece)
        elif self.hushed:
            self._said_until = max(self._said_until, piece.end)
        elif piece.start >= self._said_until:
            self._early = [*self._early[1 - MOST_EARLY :], piece]

    def calls(self, calls: Sequence[ToolCall]) -> Iterable[CodecEvent]:
        """Take calls into the response in progress, or into one of their own."""
        if self._response.open:
            self._response.calls += calls
            yield from self._end_what_is_over()
        else:
            yield from self._begin(by_calls=True)
            self._response.calls += calls
            yield from self._end()

    def heard(self, piece: TimedPiece) -> Iterable[CodecEvent]:
        """Read what the user says; words of a turn that is over may follow."""
        user = self._user
        late = not user.speaking and user.number >= 0 and piece.start <= user.heard_until
        user.heard_until = max(user.heard_until, piece.end)
        if not (late or user.speaking):
            user.speaking, user.began, user.text, user.number = True, self._now, "", user.number + 1
            self.hushed = False
            yield UserSpeaks(True)
        user.text = (user.text + piece.text)[:LONGEST]
        user.last = user.last if late else self._now
        yield UserHeard(user.number, user.text.strip(), late)

    def fail(self, why: str) -> Iterable[CodecEvent]:
        """Answer a request for which no response will come."""
        if self._due is not None and not self._response.open:
            self._due = None
            yield ResponseBegan()
            yield ResponseOver("failed", why)

    def _begin(self, *, by_calls: bool = False) -> Iterable[CodecEvent]:
        if self._response.open or (self.hushed and not by_calls):
            return
        yield from self._end_turn()
        self._due = None
        self._response = _Response(open=True, began=self._now)
        yield ResponseBegan()

    def _voice_until(self) -> float:
        """Return the milliseconds in the session at which the voice was last heard."""
        response = self._response
        spoken = (self._now - response.began - response.quiet) / RATE * 1000
        return self._said_until if response.base is None else response.base + spoken

    def _say_early(self) -> Iterable[CodecEvent]:
        """Say the words that waited for their voice."""
        early, self._early = self._early, []
        for piece in early if self._response.open else ():
            yield from self._spoken(piece)

    def _spoken(self, piece: TimedPiece) -> Iterable[CodecEvent]:
        self._said_until = max(self._said_until, piece.end)
        if self._response.base is None:
            self._response.base = piece.start
        return self._timed(self._whole.add(piece))

    def _timed(self, pieces: Iterable[TimedPiece]) -> Iterable[CodecEvent]:
        for piece in pieces:
            if not (response := self._response).dropped:
                seconds = (piece.end - (response.base or 0.0)) / 1000 - response.skipped / RATE
                yield AgentWords(piece.text, max(0.0, seconds))

    def _end_what_is_over(self) -> Iterable[CodecEvent]:
        response, user = self._response, self._user
        if response.open and response.quiet >= PAUSE:
            if user.speaking and user.began >= response.began:
                yield UserCutIn()
                response.dropped = True
                yield from self._end()
            elif response.calls or response.quiet >= GAP:
                yield from self._end()
        if user.speaking and self._now - user.last >= GAP:
            yield from self._end_turn()
        if self._due is not None and self._now >= self._due:
            yield from self.fail("the vendor did not speak")

    def _end(self) -> Iterable[CodecEvent]:
        response = self._response
        yield from self._timed(self._whole.rest())
        response.open = False
        self._said_until = min(self._said_until, self._voice_until())
        if response.dropped:
            self._dropped += response.calls
            yield ResponseOver("cancelled")
            return
        yield from response.calls
        self.hushed = self.hushed or bool(response.calls)
        yield ResponseOver()

    def _end_turn(self) -> Iterable[CodecEvent]:
        if self._user.speaking:
            self._user.speaking = False
            yield UserSpeaks(False)
            yield UserHeard(self._user.number, self._user.text.strip(), True)
