"""The one reader of server-sent events, for all vendors that stream over HTTP.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream. Lines end with
CR, LF or CRLF and nowhere else: a text splitter such as `str.splitlines` also breaks at U+2028 or U+0085,
which may stand inside an event.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import BadResponseError

__all__ = ["EventReader", "ServerEvent"]

MOST = 1 << 20  # bytes of one event
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; several lines of data are joined by newlines."""

    data: str
    name: str = "message"


class EventReader:
    """Bytes in, events out; it opens no socket.

    An event of more than `most` bytes, also one that never ends, raises BadResponseError: so much is kept in
    memory, and no more.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._line = bytearray()  # the beginning of a line whose end has not come
        self._after_return = False  # a line feed that comes next belongs to the carriage return before it
        self._at_start = True
        self._name = ""
        self._data: list[bytes] = []
        self._size = 0  # bytes of the event's lines so far

    def feed(self, data: bytes) -> Iterator[ServerEvent]:
        """Yield the events that these bytes complete.

        Iterate to the end before the next call.
        """
        if self._after_return and data:
            data = data.removeprefix(b"\n")
            self._after_return = False
        for line in data.splitlines(keepends=True):
            if self._size + len(self._line) + len(line) > self.most:
                raise BadResponseError(f"an event of more than {self.most} bytes")
            self._line += line
            if line.endswith((b"\n", b"\r")):
                whole = bytes(self._line).rstrip(b"\r\n")
                self._line.clear()
                yield from self._read(whole)
        self._after_return = data.endswith(b"\r")

    def end(self) -> Iterator[ServerEvent]:
        """Yield the last event if the stream ended without completing it.

        A blank line normally completes an event.
        """
        whole = bytes(self._line)
        self._line.clear()
        yield from self._read(whole)
        yield from self._read(b"")

    def _read(self, line: bytes) -> Iterator[ServerEvent]:
        if self._at_start:
            line, self._at_start = line.removeprefix(BYTE_ORDER_MARK), False
        if not line:
            if self._data or self._name:
                yield ServerEvent(_decoded(b"\n".join(self._data)), self._name or "message")
            self._data, self._name, self._size = [], "", 0
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(line) + 1
        elif field == b"event":
            self._name = _decoded(value)
            self._size += len(line) + 1


def _decoded(data: bytes) -> str:
    return data.decode(errors="replace")
