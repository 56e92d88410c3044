"""The framing of Azure's speech protocol, for recognition and synthesis.

A message has headers like those of HTTP, then a blank line and a body. In a binary message the length of the
headers stands before them in two bytes, and no blank line follows. Microsoft publishes the protocol by its
clients: https://github.com/microsoft/cognitive-services-speech-sdk-js
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ...errors import BadResponseError
from ...services.vendor_values import json_object
from ...services.websocket_client import Message

__all__ = ["JSON", "SpeechMessage", "binary_message", "read_message", "text_message"]

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class SpeechMessage:
    """A message of the service.

    Its path and the names of its headers are in lower case.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        """The body as an object; an empty one for no body."""
        return json_object(self.body) if self.body.strip() else {}


def text_message(path: str, request: str, body: str, content_type: str = JSON) -> str:
    """Return a text message.

    `request` is 32 hexadecimal digits that mark all messages of a turn.
    """
    return _headers(path, request, content_type) + "\r\n" + body


def binary_message(path: str, request: str, body: bytes, content_type: str | None = None) -> bytes:
    """Return a binary message."""
    headers = _headers(path, request, content_type).encode()
    return len(headers).to_bytes(2) + headers + body


def read_message(message: Message) -> SpeechMessage:
    """Read a message of the service. Raises BadResponseError if it has no path."""
    if isinstance(message, str):
        head, _, text = message.partition("\r\n\r\n")
        body = text.encode()
    else:
        ends = 2 + int.from_bytes(message[:2])
        head, body = message[2:ends].decode(errors="replace"), message[ends:]
    pairs = (line.partition(":") for line in head.splitlines())
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if not (path := headers.get("path", "")):
        raise BadResponseError(f"azure: a message without a path: {message[:80]!r}")
    return SpeechMessage(path.lower(), headers, body)


def _headers(path: str, request: str, content_type: str | None) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    kind = f"Content-Type: {content_type}\r\n" if content_type else ""
    return f"Path: {path}\r\nX-RequestId: {request}\r\nX-Timestamp: {now}\r\n{kind}"
