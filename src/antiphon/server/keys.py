"""Authorization: keys, the origins of web pages, and requests of this machine."""

import hmac
from collections.abc import Sequence
from hashlib import sha256
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from .port import Refused
from .settings import ServerSettings, is_loopback

__all__ = ["Keys", "Right", "address_of", "host_of"]

Right = Literal["join", "begin", "all"]
"""Joining needs no key, but a token or the id of a connection. Any key may begin a session."""


class Keys:
    """Checks requests against the server's keys and allowed origins.

    A server without keys is meant for development: programs and pages of this machine may do everything,
    everybody else nothing (such as a tunnel, or a web page that guessed the port).
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._rights: tuple[tuple[Right, Sequence[bytes]], ...] = (
            ("all", [_digest(key) for key in settings.private_keys]),
            ("begin", [_digest(key) for key in settings.public_keys]),
        )

    def check(self, connection: HTTPConnection, right: Right) -> None:
        """Raises Refused if a request may not do this."""
        self.check_origin(connection)
        if not self._settings.keyed:
            if not _is_local(connection):
                raise Refused(
                    403, "without keys this server is for its own machine: set ANTIPHON_PUBLIC_KEYS"
                )
            return
        if right == "join":
            return
        has = self._right_of(_key_in(connection))
        if has is None:
            raise Refused(401, "a key is needed: Authorization: Bearer <key>")
        if has != "all" and right == "all":
            raise Refused(403, "this needs a private key")

    def limited_address(self, connection: HTTPConnection) -> str | None:
        """The address whose share of sessions limits a request; None if it shows a private key."""
        return None if self._right_of(_key_in(connection)) == "all" else address_of(connection) or None

    def check_origin(self, connection: HTTPConnection) -> None:
        """Raises Refused if a web page of an origin that is not allowed sent the request."""
        origin = connection.headers.get("origin")
        if origin is not None and not self.allows_origin(origin, host_of(connection)):
            raise Refused(403, "this origin may not come here: add it to ANTIPHON_ORIGINS")

    def allows_origin(self, origin: str, host: str) -> bool:
        """Whether pages of an origin may send requests; `host` is the Host header that they sent."""
        settings = self._settings
        if "*" in settings.origins or origin in settings.origins:
            return True
        try:
            page = urlsplit(origin)
            name = page.hostname or ""
        except ValueError:
            return False
        if page.scheme not in ("http", "https") or not name:
            return False
        if not settings.keyed:
            return is_loopback(name)
        ours = {host.lower(), urlsplit(settings.public_url).netloc.lower()}
        return page.netloc.lower() in ours

    def _right_of(self, key: str) -> Right | None:
        """What a key may do. It is compared with every key, so that timing reveals nothing."""
        given, found = _digest(key), None
        for right, known in reversed(self._rights):
            for digest in known:
                if hmac.compare_digest(given, digest):
                    found = right
        return found


def address_of(connection: HTTPConnection) -> str:
    """The IP address that a request comes from; "" if unknown."""
    return connection.client.host if connection.client else ""


def host_of(connection: HTTPConnection) -> str:
    """The Host header of a request, port included."""
    return connection.headers.get("host", "")


def _is_local(connection: HTTPConnection) -> bool:
    try:
        name = urlsplit(f"//{host_of(connection)}").hostname or ""
    except ValueError:
        return False
    return is_loopback(name) and is_loopback(address_of(connection))


def _key_in(connection: HTTPConnection) -> str:
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _digest(key: str) -> bytes:
    return sha256(key.encode(errors="surrogateescape")).digest()
