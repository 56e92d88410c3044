"""What Cartesia's connections share: the protocol's version, and errors."""

from typing import Any

from ...errors import BadResponseError, TheyErred
from ...services.http_client import refusal
from ...services.vendor_values import string

__all__ = ["VERSION", "error"]

VERSION = "2026-03-01"


def error(told: dict[str, Any]) -> TheyErred:
    """Return the error that a message of type "error" stands for."""
    said = string(told.get("message")) or string(told.get("error")) or string(told.get("title"))
    status = told.get("status_code")
    if isinstance(status, int) and status >= 400:
        return refusal("cartesia", status, said[:200], key_name="CARTESIA_API_KEY")
    return BadResponseError(f"cartesia: {said[:200]}")
