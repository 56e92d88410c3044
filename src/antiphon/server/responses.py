"""JSON bodies of requests and responses, and the responses to errors."""

import math
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from .port import Refused

__all__ = ["HANDLERS", "answer", "decode", "refused"]

T = TypeVar("T")

LONGEST = 300  # characters of an error's detail, since some quote the body
HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response."""
    body = msgspec.json.encode(data)
    return Response(body, status, HEADERS | (headers or {}), media_type="application/json")


def decode(body: bytes, kind: type[T]) -> T:
    """Decode a JSON body. Raises Refused if it is not JSON of this type."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, f"the body is not valid here: {error}"[:LONGEST]) from None


def refused(error: Refused) -> Response:
    """Return the response to a refusal. Published clients read `detail` or `info`."""
    after = {} if error.retry_after is None else {"retry-after": str(max(1, math.ceil(error.retry_after)))}
    return answer({"detail": error.detail, "info": error.detail}, error.status, after)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return refused(error)


async def _not_here(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    found = refused(Refused(error.status_code, NOT_HERE.get(error.status_code, error.detail)))
    found.headers.update(error.headers or {})
    return found


async def _failed(_: Request, error: Exception) -> Response:  # Starlette logs its traceback
    return refused(Refused(500, "the server failed to handle this request; its log says why"))


NOT_HERE = {404: "there is nothing at this address", 405: "this address does not accept this method"}
# coroutines, because Starlette runs plain functions in a thread
HANDLERS: dict[Any, Any] = {Refused: _refused, HTTPException: _not_here, Exception: _failed}
