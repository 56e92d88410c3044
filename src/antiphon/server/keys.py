"""Authorization of requests: by key, by origin, or by coming from this machine."""

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
"""What a request may do: "join" needs no key (but a token or a connection's id), "begin" any key, and "all" a
private key."""


class Keys:
    """The checks of a request against the server's keys and allowed origins.

    A server without keys is for development: it accepts all requests of programs and pages of its own
    machine, and no others (such as through a tunnel, or of another site's page that guessed the port).
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._rights: tuple[tuple[Right, Sequence[bytes]], ...] = (
            ("all", [_digest(key) for key in settings.private_keys]),
            ("begin", [_digest(key) for key in settings.public_keys]),
        )

    def check(self, connection: HTTPConnection, right: Right) -> None:
        """Raise Refused if a request lacks this right."""
        self.check_origin(connection)
        if not self._settings.keyed:
            if not _is_local(connection):
                raise Refused(
                    403, "without keys this server serves only its own machine: set ANTIPHON_PUBLIC_KEYS"
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
        """Return the address to limit the sessions of; None with a private key."""
        return None if self._right_of(_key_in(connection)) == "all" else address_of(connection) or None

    def check_origin(self, connection: HTTPConnection) -> None:
        """Raise Refused if a page of an origin that is not allowed sent the request."""
        origin = connection.headers.get("origin")
        if origin is not None and not self.allows_origin(origin, host_of(connection)):
            raise Refused(403, "pages of this origin may not connect: add it to ANTIPHON_ORIGINS")

    def allows_origin(self, origin: str, host: str) -> bool:
        """Return whether pages of an origin may send requests with this Host header."""
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
        """Return the right of a key; None if it is unknown.

        The key is compared with all known ones, so that the time taken reveals nothing.
        """
        given, found = _digest(key), None
        for right, known in reversed(self._rights):
            for digest in known:
                if hmac.compare_digest(given, digest):
                    found = right
        return found


def address_of(connection: HTTPConnection) -> str:
    """Return the IP address that a request comes from; "" if unknown."""
    return connection.client.host if connection.client else ""


def host_of(connection: HTTPConnection) -> str:
    """Return the Host header of a request, including the port."""
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
