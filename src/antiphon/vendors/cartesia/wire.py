"""What Cartesia's connections share: the protocol's version, and errors."""

from typing import Any

from ...errors import TheyErred
from ...services.http_client import stated_error
from ...services.vendor_values import string

__all__ = ["VERSION", "error"]

VERSION = "2026-03-01"


def error(told: dict[str, Any]) -> TheyErred:
    """Return the error that a message of type "error" stands for."""
    said = string(told.get("message")) or string(told.get("error")) or string(told.get("title"))
    return stated_error("cartesia", told.get("status_code"), said, "CARTESIA_API_KEY")
