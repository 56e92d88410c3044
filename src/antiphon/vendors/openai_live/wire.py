"""What goes over GPT-Live's wire: limited texts, history, timed words.

https://developers.openai.com/api/docs/guides/live-conversations
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...context import AgentSaid, Context, ToolAnswered, UserSaid
from ...encodable import encodable, to_json
from ...services.vendor_values import number, string
from ...services.websocket_client import Message

__all__ = ["TimedPiece", "WholeWords", "append", "history", "is_loud", "message", "timed_piece"]

ENDINGS = frozenset(".,;:!?…。、，！？")  # a word does not go on behind these
FLOOR = 64  # the largest sample of silence, which is not all zeros

LONGEST = 1200  # bytes of an appended text, of which the vendor takes 500 tokens
MOST_ITEMS, MOST = 128, 16_000  # items, and bytes, of the conversation so far: 8,192 tokens


def message(kind: str, **values: object) -> Message:
    """Return a message; unlike elsewhere, null must be sent."""
    return to_json({"type": kind, **values}).decode()


def append(channel: str, text: str, event: str | None = None) -> Iterable[Message]:
    """Yield messages that add a text to the session.

    `channel` is "commentary", which is spoken, "thinking", which is not, or "instructions".
    """
    known = {} if event is None else {"event_id": event}
    for piece in _pieces(text):
        yield message(f"session.{channel}.append", delegation_id=None, content=piece, **known)


def _pieces(text: str) -> Iterable[str]:
    piece, size = "", 0
    for word in encodable(text).split():
        length = len(word.encode()) + 1
        if piece and size + length > LONGEST:
            yield piece
            piece, size = "", 0
        piece, size = f"{piece} {word}" if piece else word, size + length
    if piece:
        yield piece


def history(context: Context) -> list[dict[str, Any]]:
    """Return the newest of the conversation so far, as much as the vendor takes."""
    messages: list[dict[str, Any]] = []
    left = MOST
    for role, text in reversed([*_said(context)]):
        if (left := left - len(text.encode())) < 0 or len(messages) == MOST_ITEMS:
            break
        kind = "output_text" if role == "assistant" else "input_text"
        messages.append({"type": "message", "role": role, "content": [{"type": kind, "text": text}]})
    return messages[::-1]


def _said(context: Context) -> Iterable[tuple[str, str]]:
    for entry in context.entries:
        match entry:
            case UserSaid(text) if text.strip():
                yield "user", encodable(text)
            case AgentSaid(text) if text.strip():
                yield "assistant", encodable(text)
            case ToolAnswered(call, result):
                yield "developer", encodable(f"Result of {call.name}({call.arguments}): {result}")
            case _:
                pass


@dataclass(frozen=True, slots=True)
class TimedPiece:
    """A piece of text, and its milliseconds in the session."""

    text: str
    start: float
    end: float


def timed_piece(told: dict[str, Any]) -> TimedPiece:
    """Read a piece of a transcript."""
    start = number(told.get("start_ms")) or 0.0
    return TimedPiece(string(told.get("delta")), start, number(told.get("end_ms")) or start)


class WholeWords:
    """Pieces that break off anywhere in, pieces of whole words out."""

    def __init__(self) -> None:
        self._last: TimedPiece | None = None  # a word that may go on

    def add(self, piece: TimedPiece) -> Iterable[TimedPiece]:
        """Yield the words that are complete now."""
        if piece.text[:1].isspace():
            yield from self.rest()
        before, self._last = self._last, None
        text = piece.text if before is None else before.text + piece.text
        start = piece.start if before is None else before.start
        whole = text[-1:] in ENDINGS or text[-1:].isspace()
        ended = len(text) if whole else len(text.rpartition(" ")[0])
        share = (len(text) - ended) / max(1, len(piece.text))
        until = max(start, piece.end - (piece.end - piece.start) * share)
        if ended:
            yield TimedPiece(text[:ended], start, until)
        if ended < len(text):
            self._last = TimedPiece(text[ended:], until, piece.end)

    def rest(self) -> Iterable[TimedPiece]:
        """Yield the last word."""
        if self._last is not None:
            yield self._last
        self._last = None


def is_loud(pcm: bytes) -> bool:
    """Return whether somebody speaks in a sound."""
    samples = np.frombuffer(pcm, np.int16)
    return bool(samples.size) and max(int(samples.max()), -int(samples.min())) > FLOOR
