"""What Inworld's connections share: errors, by the status codes of gRPC."""

from typing import Any

from ...errors import TheyErred
from ...services.grpc_client import grpc_error

__all__ = ["error"]


def error(told: dict[str, Any]) -> TheyErred:
    """Return the error that a status stands for."""
    return grpc_error("inworld", told.get("code"), told.get("message"), "INWORLD_API_KEY")
