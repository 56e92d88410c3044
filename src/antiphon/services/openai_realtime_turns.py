"""The turns of the user, as the protocol of OpenAI's Realtime API tells them.

https://platform.openai.com/docs/api-reference/realtime-server-events/input_audio_buffer
"""

from collections.abc import Iterable
from typing import Any, TypeVar

from .realtime_vocabulary import UserCutIn, UserHeard, UserSpeaks
from .vendor_values import string

__all__ = ["RealtimeTurns", "keep_newest"]

ITEMS = 64  # of the user, that words may still come for
LONGEST = 20_000  # characters of one turn

T = TypeVar("T")


def keep_newest(values: dict[str, T], most: int = ITEMS) -> None:
    """Forget the oldest of the values, as far as there are more than `most`."""
    while len(values) > most:
        del values[next(iter(values))]


class RealtimeTurns:
    """Numbers the turns of the user, and keeps the words of those that are not final.

    If the vendor detects turns, one begins with each speech that it hears, and only then: it also commits
    sound in which nobody spoke. Otherwise each item that is committed is a turn.
    """

    def __init__(self, detects: bool, *, interrupts: bool) -> None:
        self.detects = detects
        self._interrupts = interrupts  # whether the vendor stops a response when it hears speech
        self.speaking = False
        self._count = 0
        self._open: int | None = None  # the turn that was begun and not committed
        self._numbers: dict[str, int] = {}  # by item
        self._silent: dict[str, None] = {}  # items that are no turns
        self._words: dict[str, str] = {}  # so far

    def understand(self, told: dict[str, Any]) -> Iterable[UserSpeaks | UserCutIn | UserHeard]:
        """Yield what a message says of the user's turns."""
        item = string(told.get("item_id"))
        match told.get("type"):
            case "input_audio_buffer.speech_started" if self.begin(item):
                yield UserSpeaks(True)
                if self._interrupts:
                    yield UserCutIn()
            case "input_audio_buffer.speech_stopped" if self.end():
                yield UserSpeaks(False)
            case "input_audio_buffer.timeout_triggered":
                self._ignore(item)
            case "input_audio_buffer.committed":
                self.commit(item)
            case "conversation.item.input_audio_transcription.delta":
                yield from self.heard(item, self._add(item, string(told.get("delta"))), final=False)
            case "conversation.item.input_audio_transcription.completed":
                self._words.pop(item, None)
                yield from self.heard(item, string(told.get("transcript")), final=True)
            case "conversation.item.input_audio_transcription.failed":
                yield from self.heard(item, self._words.pop(item, ""), final=True)
            case _:
                pass

    def heard(self, item: str, words: str, *, final: bool) -> Iterable[UserHeard]:
        """Yield all words so far of an item."""
        if (turn := self.number(item)) is not None:
            yield UserHeard(turn, words.strip(), final)

    def begin(self, item: str) -> bool:
        """Hear the user begin to speak; returns False if that is known."""
        if self.speaking:
            return False
        self.speaking = True
        if self.detects:
            self._open = self._name(item, self.skip())
        else:
            self.commit(item)
        return True

    def end(self) -> bool:
        """Hear the user stop; returns False if nobody spoke."""
        spoke, self.speaking = self.speaking, False
        return spoke

    def commit(self, item: str) -> None:
        """Make an item of what was heard."""
        if not self.detects:
            self.number(item)
        elif self._open is not None and item not in self._silent:
            self._name(item, self._open)
            self._open = None

    def skip(self) -> int:
        """Count a turn, and return its number."""
        self._count += 1
        return self._count - 1

    def _ignore(self, item: str) -> None:
        """Do not take an item for a turn: nobody has spoken in it."""
        self._silent[item] = None
        keep_newest(self._silent)

    def number(self, item: str) -> int | None:
        """Return the number of the turn that an item is; None if it is none."""
        if item in self._silent:
            return None
        if item not in self._numbers and (not self.detects or not self._count):
            self._name(item, self.skip())
        return self._numbers.get(item, self._count - 1)

    def _add(self, item: str, words: str) -> str:
        """Return all words of an item so far."""
        self._words[item] = (self._words.get(item, "") + words)[:LONGEST]
        keep_newest(self._words)
        return self._words[item]

    def _name(self, item: str, number: int) -> int:
        self._numbers[item] = number
        keep_newest(self._numbers)
        return number
