"""The check of AWS's signatures, of a request and of the messages of its body.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import json
import struct
import time
import zlib
from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

__all__ = ["SECRET", "SignedBody", "request_signature"]

SECRET = "the-secret"


def request_signature(headers: Mapping[str, str], region: str, service: str) -> str:
    """Return the signature of a request of HTTP/2, which is checked."""
    assert headers["x-amz-content-sha256"] == "STREAMING-AWS4-HMAC-SHA256-EVENTS", headers
    when = headers["x-amz-date"]
    method, _, rest = headers["authorization"].partition(" ")
    parts = dict(part.split("=", 1) for part in rest.split(", "))
    assert method == "AWS4-HMAC-SHA256", method
    signed = parts["SignedHeaders"].split(";")
    assert {"host", "x-amz-date", "x-amz-content-sha256"} <= set(signed), signed
    known = dict(headers) | {"host": headers[":authority"]}
    request = "\n".join([
        headers[":method"],
        quote(headers[":path"], safe="/"),
        "",
        *(f"{name}:{known[name]}" for name in signed),
        "",
        ";".join(signed),
        headers["x-amz-content-sha256"],
    ])  # fmt: skip
    expected = _signature("AWS4-HMAC-SHA256", when, region, service, _hash(request.encode()))
    assert parts["Signature"] == expected, "the signature of the request is wrong"
    return expected


class SignedBody:
    """Reads the events of a body, of which each is signed with the one before it.

    `first` is the signature of the request, `at` its date.
    """

    def __init__(self, first: str, at: str, region: str, service: str) -> None:
        self._before, self._last = first, at
        self._region, self._service = region, service
        self._unread = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any] | None]:
        """Yield events; None for the end of the stream."""
        self._unread += data
        while len(self._unread) >= 4 and len(self._unread) >= (
            size := struct.unpack_from(">I", self._unread)[0]
        ):
            headers, message = _parts(bytes(self._unread[:size]))
            del self._unread[:size]
            (date,) = struct.unpack(">q", headers[b":date"])
            when = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(date / 1000))
            assert self._last <= when, "a message is older than the one before it"
            self._last = when
            head = b"\x05:date\x08" + headers[b":date"]
            lines = (self._before, _hash(head), _hash(message))
            self._before = _signature("AWS4-HMAC-SHA256-PAYLOAD", when, self._region, self._service, *lines)
            assert headers[b":chunk-signature"].hex() == self._before, "the signature of a message is wrong"
            yield _event(message) if message else None


def _event(message: bytes) -> dict[str, Any]:
    headers, payload = _parts(message)
    assert headers == {
        b":message-type": b"event",
        b":event-type": b"chunk",
        b":content-type": b"application/json",
    }, headers
    return json.loads(b64decode(json.loads(payload)["bytes"], validate=True))


def _parts(message: bytes) -> tuple[dict[bytes, bytes], bytes]:
    """Return the headers of a message and its payload."""
    size, head, checksum = struct.unpack_from(">III", message)
    assert size == len(message), "the length of a message"
    assert checksum == zlib.crc32(message[:8]), "the prelude's checksum"
    assert struct.unpack(">I", message[-4:])[0] == zlib.crc32(message[:-4]), "the message's checksum"
    headers: dict[bytes, bytes] = {}
    at = 12
    while at < 12 + head:
        name = message[at + 1 : at + 1 + message[at]]
        at += 1 + len(name)
        kind = message[at]
        at += 1
        if kind == 8:
            length = 8
        else:
            assert kind in (6, 7), kind
            length = struct.unpack_from(">H", message, at)[0]
            at += 2
        headers[name] = message[at : at + length]
        at += length
    return headers, message[12 + head : -4]


def _signature(algorithm: str, when: str, region: str, service: str, *lines: str) -> str:
    scope = [when[:8], region, service, "aws4_request"]
    key = f"AWS4{SECRET}".encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join([algorithm, when, "/".join(scope), *lines])
    return hmac.digest(key, text.encode(), "sha256").hex()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
