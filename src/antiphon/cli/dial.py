"""`antiphon dial`: have a running server call a phone number."""

import json
import os
from typing import Annotated, Any

import typer

from ..errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    TheyErred,
    UnavailableError,
    UsageError,
)
from .show import console, reports_errors

__all__ = ["dial"]

WITHIN = 30.0  # seconds for the provider to place the call
KEY = "ANTIPHON_PRIVATE_KEY"
HERE = "http://localhost:7860"


@reports_errors
def dial(
    to: Annotated[str, typer.Argument(metavar="NUMBER", help="The number to call, such as +4930123456.")],
    provider: Annotated[
        str | None, typer.Option(help="The phone provider. By default, the only one that is configured.")
    ] = None,
    caller: Annotated[
        str | None, typer.Option("--from", metavar="NUMBER", help="The number to call from.")
    ] = None,
    agent: Annotated[
        str | None, typer.Option(help="The agent's name. By default, the server's first agent.")
    ] = None,
    body: Annotated[
        str | None, typer.Option(metavar="JSON", help="Data for an agent that is a function of the opening.")
    ] = None,
    server: Annotated[str, typer.Option(help="The URL at which `antiphon serve` runs.")] = HERE,
) -> None:
    """Have a running server call a number and connect it to an agent.

    If the server needs keys, set ANTIPHON_PRIVATE_KEY to a private one.
    """
    wanted = {"to": to, "provider": provider, "from": caller, "agent": agent, "body": _json(body)}
    done = _post(server, {name: what for name, what in wanted.items() if what is not None})
    console().print(f"Calling {to} by {done.get('provider')}: {done.get('call')}", soft_wrap=True)


def _json(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        raise UsageError(f"--body is not JSON: {error}") from None


def _post(server: str, wanted: dict[str, Any]) -> dict[str, Any]:
    try:
        import httpx
    except ModuleNotFoundError as error:
        raise ConfigurationError('`antiphon dial` needs httpx: pip install "antiphon[server]"') from error
    key = os.environ.get(KEY)
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx.post(f"{server.rstrip('/')}/dial", json=wanted, headers=headers, timeout=WITHIN)
        said: dict[str, Any] = answer.json()
        detail = str(said.get("detail", answer.status_code))
    except httpx.HTTPError as error:
        raise UnavailableError(
            f"{server} cannot be reached: {error}; is `antiphon serve` running there?"
        ) from error
    except (ValueError, AttributeError) as error:
        raise BadResponseError(f"{server} did not answer with JSON: is it `antiphon serve`?") from error
    if answer.status_code in (401, 403):
        raise AuthenticationError(f"{detail}; the key is read from {KEY}")
    if answer.status_code == 400:
        raise UsageError(detail)
    if answer.is_error:
        raise TheyErred(detail)
    return said
