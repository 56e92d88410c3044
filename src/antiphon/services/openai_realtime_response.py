"""A response, as the protocol of OpenAI's Realtime API tells it piece by piece.

https://platform.openai.com/docs/api-reference/realtime-server-events/response
"""

from collections.abc import Iterable
from typing import Any
from uuid import uuid4

from ..signals import ToolCall
from .openai_realtime_turns import keep_newest
from .vendor_values import string

__all__ = ["MOST_CALLS", "RealtimeOutput", "WholeSamples", "tool_call_id"]

MOST_CALLS = 128


class WholeSamples:
    """Pieces of sound of any length in, whole samples of 16 bits out."""

    def __init__(self) -> None:
        self._half = b""

    def add(self, pcm: bytes) -> bytes:
        """Return the samples that are complete now."""
        pcm = self._half + pcm
        whole = len(pcm) // 2 * 2
        self._half = pcm[whole:]
        return pcm[:whole]


class RealtimeOutput:
    """What was told of one response."""

    def __init__(self, response: str = "", *, begun: bool = False) -> None:
        self.id = response
        self.open = begun
        """Whether it is being made."""
        self.voices: dict[str, int] = {}
        """Bytes of voice by item, in order."""
        self.calls: list[ToolCall] = []
        self._begun: dict[str, dict[str, Any]] = {}  # calls whose arguments are still written
        self._known: set[str] = set()  # ids of calls
        self._worded: dict[str, None] = {}  # items whose words came piece by piece
        self._item = ""
        self._samples = WholeSamples()

    def has(self, response: str) -> bool:
        """Return whether it is being made, and is the one that a message means."""
        return self.open and (not response or not self.id or response == self.id)

    def sound(self, item: str, pcm: bytes) -> bytes:
        """Return the whole samples of a piece of an item's voice."""
        if item != self._item:
            self._item, self._samples = item, WholeSamples()
        pcm = self._samples.add(pcm)
        self.voices[item] = self.voices.get(item, 0) + len(pcm)
        keep_newest(self.voices)
        return pcm

    def cut(self, heard: float, rate: int) -> Iterable[tuple[str, int | None]]:
        """Yield the items that were not heard to their end, and forget all.

        With each go the milliseconds that stay. None: all of it goes, since the vendor refuses to cut a voice
        at 0. It also refuses to cut one beyond its end.
        """
        voices, self.voices = self.voices, {}
        for item, size in voices.items():
            length = size / 2 / rate
            unfinished = self.open and item == next(reversed(voices))
            if (end := int(min(heard, length) * 1000 + 1e-6)) <= 0:  # of a sum of floats
                yield item, None
            elif heard < length or unfinished:
                yield item, end
            heard -= length

    def words(self, told: dict[str, Any]) -> str:
        """Return the words that a message adds.

        Those of a "done" are new only if there were no others.
        """
        item = string(told.get("item_id"))
        if "delta" in told:
            self._worded[item] = None
            keep_newest(self._worded)
            return string(told.get("delta"))
        known = item in self._worded or "" in self._worded or (not item and self._worded)
        return "" if known else string(told.get("transcript")) or string(told.get("text"))

    def begin_call(self, item: dict[str, Any]) -> None:
        """Note an item whose arguments will follow: they may come without its name."""
        for known in _ids(item):
            self._begun[known] = item
        keep_newest(self._begun)

    def call(self, item: dict[str, Any]) -> ToolCall | None:
        """Take a function call; returns it if it is new."""
        begun = next((self._begun[one] for one in _ids(item) if one in self._begun), dict[str, Any]())
        item = begun | {name: value for name, value in item.items() if value}
        name, arguments = string(item.get("name")), string(item.get("arguments")) or "{}"
        ids = _ids(item) or (f"{name} {arguments}",)
        if not name or self._known.intersection(ids) or len(self.calls) >= MOST_CALLS:
            return None
        self._known.update(ids)
        self.calls.append(ToolCall(string(item.get("call_id")) or tool_call_id(), name, arguments))
        return self.calls[-1]

    def invented(self, call: str) -> bool:
        """Return whether the id of a call is ours, which the vendor does not know."""
        return call not in self._known


def _ids(item: dict[str, Any]) -> tuple[str, ...]:
    """Return the ids of a call and of its item."""
    ids = (string(item.get("call_id")), string(item.get("id")), string(item.get("item_id")))
    return tuple(filter(None, ids))


def tool_call_id() -> str:
    """Return an id for a call that the vendor has given none."""
    return f"call_{uuid4().hex[:24]}"
