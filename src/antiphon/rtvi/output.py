"""The "bot-output" messages: what the agent says, and how far it has been heard.

A segment is a stretch of the reply's text that is spoken in one go. It is announced ("new") as soon as its
audio exists; then its progress follows playout, word by word, until it is "completed". A segment that is cut
off keeps its last state, and the segments behind it stay "new": they were never heard.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

__all__ = ["BotOutput", "Output", "OutputMessage"]

OutputMessage = tuple[str, Any]
"""Type and data."""


@dataclass(frozen=True, slots=True)
class BotOutput:
    """One state of a segment; `messages` renders it for either protocol version."""

    segment: int
    text: str
    before: int | None = None
    """Characters heard at the previous state; None if this is the first."""
    done: int | None = 0
    """Characters heard by now; None if the text will not be spoken."""

    @property
    def status(self) -> str:
        """The protocol's `spoken_status`."""
        return "completed" if self.done == len(self.text) else "in-progress" if self.done else "new"

    @property
    def words(self) -> str:
        """What has been heard since the previous state."""
        return self.text[self.before or 0 : self.done].strip() if self.done else ""

    def messages(self, legacy: bool) -> Iterator[OutputMessage]:
        """Yield the messages for a client of protocol 2, or of protocol 1 if `legacy`."""
        yield from self._version_1() if legacy else self._version_2()
        if self.words:
            yield "bot-tts-text", {"text": self.words}

    def _version_2(self) -> Iterator[OutputMessage]:
        data: dict[str, Any] = {
            "text": self.text,
            "aggregated_by": "sentence",
            "segment_id": self.segment,
            "will_be_spoken": self.done is not None,
        }
        if self.done is not None:
            data["spoken_status"] = self.status
            data["spoken_progress"] = {
                "accumulated_text": self.text[: self.done],
                "remaining_text": self.text[self.done :],
            }
        yield "bot-output", data

    def _version_1(self) -> Iterator[OutputMessage]:
        if self.words:
            yield "bot-output", {"text": self.words, "aggregated_by": "word", "spoken": True}
        elif self.before is None:
            yield "bot-output", {"text": self.text, "aggregated_by": "sentence", "spoken": False}
            yield "bot-transcription", {"text": self.text}


@dataclass(slots=True)
class _Segment:
    number: int
    text: str
    first: int
    """Its offset in the reply's text."""
    done: int = 0


class Output:
    """The segments of one reply.

    `numbers` yields segment ids, which are unique in the session.
    """

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._segments: list[_Segment] = []

    @property
    def announced(self) -> bool:
        """True once there is a segment."""
        return bool(self._segments)

    def announce(self, text: str, start: int, end: int) -> Iterator[BotOutput]:
        """Begin a segment: `text` from `start` to `end` is about to be spoken."""
        words = text[start:end].strip()
        if words:
            first = start + len(text[start:end]) - len(text[start:end].lstrip())
            segment = _Segment(next(self._numbers), words, first)
            self._segments.append(segment)
            yield BotOutput(segment.number, words)

    def heard(self, offset: int, *, exactly: bool = False) -> Iterator[BotOutput]:
        """Yield the segments that changed, now that text was heard up to `offset`.

        An estimate never takes back what was reported as heard; an offset that is `exactly` known may.
        """
        for segment in self._segments:
            done = min(max(0, offset - segment.first), len(segment.text))
            if done > segment.done or (exactly and done < segment.done):
                before, segment.done = min(done, segment.done), done
                yield BotOutput(segment.number, segment.text, before, done)

    def unspoken(self, text: str) -> Iterator[BotOutput]:
        """Yield text that is to be read, not spoken."""
        if words := text.strip():
            yield BotOutput(next(self._numbers), words, done=None)
