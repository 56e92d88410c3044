"""What Inworld's connections share: errors, by the status codes of gRPC."""

from typing import Any

from ...errors import TheyErred
from ...services.http_client import stated_error

__all__ = ["error"]

STATUSES = {3: 400, 4: 408, 7: 403, 8: 429, 13: 500, 14: 503, 16: 401}  # as those of HTTP


def error(told: dict[str, Any]) -> TheyErred:
    """Return the error that a status stands for."""
    code = told.get("code")
    status = STATUSES.get(code, 400) if isinstance(code, int) else None
    return stated_error("inworld", status, told.get("message"), "INWORLD_API_KEY")
