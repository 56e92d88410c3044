"""Documents for phone providers to fetch, each contained in its own signed URL.

Any process that knows the server's secret can issue and serve them, so none has to store them.
"""

import hmac
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256

import msgspec

from ..transports.telephony.port import Document
from .settings import ServerSettings

__all__ = ["PATH", "publisher", "read"]

PATH = "/phone/documents/"
VALID = 300  # seconds


class _Signed(msgspec.Struct, array_like=True):
    until: int
    type: str
    body: str


def publisher(settings: ServerSettings) -> Callable[[Document], str] | None:
    """Return a function that returns a URL for a document, valid for five minutes.

    None if the server has no public URL.
    """
    if not settings.public_url:
        return None
    base = settings.public_url.rstrip("/") + PATH

    def publish(document: Document) -> str:
        signed = _Signed(int(time.time()) + VALID, document.type, document.body)
        content = msgspec.json.encode(signed)
        return base + urlsafe_b64encode(_mac(settings, content) + content).decode().rstrip("=")

    return publish


def read(settings: ServerSettings, name: str) -> Document | None:
    """Return the document that is contained in a URL.

    None if the URL was not issued by us or has expired.
    """
    try:
        raw = urlsafe_b64decode(name + "=" * (-len(name) % 4))
    except ValueError:
        return None
    mac, content = raw[:32], raw[32:]
    if not hmac.compare_digest(mac, _mac(settings, content)):
        return None
    signed = msgspec.json.decode(content, type=_Signed)
    return Document(signed.body, signed.type) if signed.until > time.time() else None


def _mac(settings: ServerSettings, content: bytes) -> bytes:
    return hmac.digest(settings.secret.encode(), b"document" + content, sha256)
