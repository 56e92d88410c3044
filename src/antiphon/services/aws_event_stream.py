"""The binary event stream of AWS, which carries headers and a payload.

https://smithy.io/2.0/aws/amazon-eventstream.html

All numbers are big-endian. A message is its length, the length of its headers, a checksum of those two, the
headers, the payload, and a checksum of all before; a checksum is a CRC32.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct, error, pack, unpack_from
from zlib import crc32

from ..errors import BadResponseError

__all__ = ["AwsEvent", "AwsEventReader", "encode_event", "encode_headers"]

PRELUDE = Struct(">III")
MOST = 16 << 20  # bytes of one message
BYTES, TEXT, TIME = 6, 7, 8
SIZES = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""The bytes of a header's value by its type; types 6 and 7, bytes and text, begin with a length."""


@dataclass(frozen=True, slots=True)
class AwsEvent:
    """A message.

    Only headers that are text are kept; services send no others.
    """

    payload: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def encode_event(payload: bytes, **headers: str | bytes | int) -> bytes:
    """Return a message; `message_type="event"` becomes the header ":message-type".

    A number is a time in milliseconds since 1970.
    """
    head = encode_headers(**headers)
    prelude = pack(">II", PRELUDE.size + len(head) + len(payload) + 4, len(head))
    message = prelude + pack(">I", crc32(prelude)) + head + payload
    return message + pack(">I", crc32(message))


def encode_headers(**headers: str | bytes | int) -> bytes:
    """Return the headers of a message, as `encode_event` has them."""
    return b"".join(_header(f":{name.replace('_', '-')}".encode(), value) for name, value in headers.items())


def _header(name: bytes, value: str | bytes | int) -> bytes:
    begun = pack(f">B{len(name)}s", len(name), name)
    match value:
        case int():
            return begun + pack(">Bq", TIME, value)
        case bytes():
            return begun + pack(">BH", BYTES, len(value)) + value
        case str():
            return begun + pack(">BH", TEXT, len(encoded := value.encode())) + encoded


class AwsEventReader:
    """Bytes in, messages out; it opens no socket.

    Raises BadResponseError for a checksum that is wrong or a message that is too long.
    """

    def __init__(self) -> None:
        self._unread = bytearray()

    def feed(self, data: bytes) -> Iterator[AwsEvent]:
        """Yield the messages that are complete with these bytes."""
        self._unread += data
        while len(self._unread) >= PRELUDE.size:
            length, head, checksum = PRELUDE.unpack_from(self._unread)
            if crc32(self._unread[:8]) != checksum:
                raise BadResponseError("the beginning of an event has a wrong checksum")
            if not PRELUDE.size + head + 4 <= length <= MOST:
                raise BadResponseError(f"an event of {length} bytes, {head} of them headers")
            if len(self._unread) < length:
                return
            message = bytes(self._unread[:length])
            del self._unread[:length]
            yield _decoded(message, PRELUDE.size + head)

    def end(self) -> None:
        """Raise BadResponseError if a message is incomplete."""
        if self._unread:
            raise BadResponseError("the stream ended within an event")


def _decoded(message: bytes, payload_at: int) -> AwsEvent:
    if pack(">I", crc32(message[:-4])) != message[-4:]:
        raise BadResponseError("an event has a wrong checksum")
    try:
        return AwsEvent(message[payload_at:-4], dict(_headers(message[PRELUDE.size : payload_at])))
    except (error, IndexError, KeyError, UnicodeDecodeError) as wrong:
        raise BadResponseError("the headers of an event cannot be read") from wrong


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(data):
        name_ends = at + 1 + data[at]
        name, kind = data[at + 1 : name_ends].decode(), data[name_ends]
        at = name_ends + 1
        if kind in (BYTES, TEXT):
            size: int = unpack_from(">H", data, at)[0]
            at += 2
        else:
            size = SIZES[kind]
        value = data[at : at + size]
        at += size
        if at > len(data):
            raise IndexError
        if kind == TEXT:
            yield name, value.decode()
