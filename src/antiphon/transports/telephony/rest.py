"""Sends the REST requests that a provider's flows yield."""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING, Any, cast

from ...clock import Clock, LoopClock
from ...errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    RateLimitError,
    ServiceTimeoutError,
    TheyErred,
    UnavailableError,
)
from ...services.http_client import tls_context
from .port import Abandoned, Flow, RestRequest

if TYPE_CHECKING:
    import httpx

__all__ = ["Rest", "require_text"]

logger = logging.getLogger("antiphon.telephony")

WITHIN = 10.0  # seconds that one request may take
LONGEST = 1 << 20  # bytes of a response that are read


class Rest:
    """Runs flows.

    Requests go through `client`, or through a new HTTP client each if it is None.

    `now` returns the Unix time, for bearer tokens.
    """

    def __init__(
        self,
        client: "httpx.AsyncClient | None" = None,
        *,
        clock: Clock | None = None,
        now: Callable[[], float] = time,
    ) -> None:
        self._client = client
        self._clock = clock or LoopClock()
        self._now = now
        self._undo_tasks: set[asyncio.Task[Any]] = set()

    async def run(self, flow: Flow, name: str) -> str:
        """Runs a flow and returns its result.

        `name` is the provider's, for error messages. Raises TheyErred.

        If this is cancelled, the flow may send one more request to undo what it began.
        """
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._do(step, name)
                except TheyErred as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            return end.value or ""
        except asyncio.CancelledError:
            self._undo(flow, name)
            raise
        finally:
            flow.close()

    async def _do(self, step: RestRequest | float, name: str) -> dict[str, Any]:
        if isinstance(step, RestRequest):
            return await self._send(step, name)
        await self._clock.sleep(step)
        return {}

    def _undo(self, flow: Flow, name: str) -> None:
        with suppress(Abandoned, StopIteration):
            last = flow.throw(Abandoned())
            if isinstance(last, RestRequest):
                task = asyncio.create_task(self._send(last, name), name="antiphon undo")
                self._undo_tasks.add(task)
                task.add_done_callback(self._undone)

    def _undone(self, task: "asyncio.Task[Any]") -> None:
        self._undo_tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.warning("an abandoned request could not be undone: %s", error)

    async def _send(self, request: RestRequest, name: str) -> dict[str, Any]:
        try:
            import httpx
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f'{name} needs httpx, which is not installed: pip install "antiphon[server]"'
            ) from error

        body: dict[str, Any] = {"data": dict(request.form)} if request.form is not None else {}
        if request.data is not None:
            body = {"json": request.data}
        elif request.text is not None:
            body = {"content": request.text}
        headers = dict(request.headers)
        if request.bearer is not None:
            headers["Authorization"] = f"Bearer {request.bearer(self._now())}"
        client = self._client or httpx.AsyncClient(timeout=WITHIN, verify=tls_context())
        try:
            response = await client.request(
                request.method, request.url, auth=request.login, headers=headers, **body
            )
        except httpx.TimeoutException as error:
            raise ServiceTimeoutError(f"{name} did not answer within {WITHIN:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise UnavailableError(f"{name} was not reached: {error or type(error).__name__}") from error
        finally:
            if client is not self._client:
                await client.aclose()
        if not response.is_success and response.status_code not in request.allow:
            raise _refused(name, request, response.status_code, response.text, response.headers)
        try:
            answer: Any = json.loads(response.content[:LONGEST])
        except (ValueError, RecursionError):
            return {}
        return cast(dict[str, Any], answer) if isinstance(answer, dict) else {}


def require_text(answer: Mapping[str, Any], *path: str) -> str:
    """Returns the string at a path of nested objects.

    Raises BadResponseError if there is none.
    """
    value: Any = answer
    for name in path:
        value = cast(Any, value).get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, str) or not value:
        raise BadResponseError(f"the answer has no {'.'.join(path)}")
    return value


def _refused(
    name: str, request: RestRequest, status: int, text: str, headers: Mapping[str, str]
) -> TheyErred:
    said = (
        f"{name} answered {status} to {request.method} {request.url.partition('?')[0]}: {text[:200].strip()}"
    )
    if status in (401, 403):
        return AuthenticationError(f"{said}. Are the account's credentials right?")
    if status == 429:
        after = headers.get("retry-after", "")
        return RateLimitError(said, float(after) if after.isdigit() else None)
    return UnavailableError(said) if status >= 500 else BadResponseError(said)
