"""Tools whose work the client does, and helpers for what a program tells the client's user interface."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary, ref

import msgspec

from ..context import ToolSpec
from ..conversation.tools import OnInterrupt, Tool
from ..errors import ConfigurationError
from ..frames import ServerMessage, ToolCall
from ..processor import SessionPort

if TYPE_CHECKING:
    from .protocol import RTVI

__all__ = ["Typed", "client_of", "client_tool", "job_group", "ui_command"]

LONGEST = 32_000
"""Characters of a client's result that the model reads, at most."""

clients: "WeakKeyDictionary[SessionPort, ref[RTVI]]" = WeakKeyDictionary()
"""Who speaks with the client of a session; held weakly, too, since they know their session."""


def client_of(session: SessionPort) -> "RTVI | None":
    """The protocol that a session's client speaks; None where it has no such client, as on the phone."""
    found = clients.get(session)
    return found() if found is not None else None


class _Arguments(msgspec.Struct):
    """The client's function knows its own."""


def _nobody() -> str:
    raise ConfigurationError("a client's tool is called in a session that has the client")


@dataclass(frozen=True, eq=False)
class ClientTool(Tool):
    """A tool that a function of the client answers."""

    async def call(self, call: ToolCall, session: SessionPort) -> tuple[str, bool]:
        """Wait for the client's result: what the model reads, and whether it failed."""
        client = client_of(session)
        if client is None:
            return f"{self.spec.name} is done by the user's device, which is not connected.", True
        try:
            async with asyncio.timeout(self.timeout):
                result = await client.result(call.id)
        except TimeoutError:
            return self.late()
        text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
        return text[:LONGEST], False


def client_tool(
    name: str,
    description: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout: float = 30.0,
    on_interrupt: OnInterrupt = "finish",
) -> Tool:
    """A tool that the client does: the function that it has registered under this name answers the model.

    `parameters` is a JSON Schema of type object; None is a tool without arguments. `timeout` in seconds.
    """
    schema = dict(parameters or {"type": "object", "properties": {}})
    if not name or not description:
        raise ConfigurationError("a client's tool needs a name and a description: the model reads them")
    if schema.get("type") != "object":
        raise ConfigurationError(f"client_tool({name!r}): parameters is a JSON Schema of type object")
    try:
        msgspec.json.encode(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"client_tool({name!r}): parameters is no JSON: {error}") from error
    spec = ToolSpec(name, description, schema)
    return ClientTool(_nobody, spec, _Arguments, timeout=timeout, on_interrupt=on_interrupt)


@dataclass(frozen=True, slots=True)
class Typed:
    """Data of a ServerMessage that goes out as a message of its own type, not as a server-message."""

    type: str
    data: Any = None


def ui_command(command: str, payload: Any = None) -> ServerMessage:
    """Tell the client's user interface to do something: "toast", "navigate", "highlight", or one's own."""
    return ServerMessage(Typed("ui-command", {"command": command, "payload": payload}))


def job_group(
    kind: Literal["group_started", "job_update", "job_completed", "group_completed"],
    job_id: str,
    at_ms: float,
    *,
    workers: Sequence[str] = (),
    worker: str = "",
    **more: Any,
) -> ServerMessage:
    """What becomes of jobs that run in the background, for the client to show; `at_ms` since 1970.

    group_started needs `workers`, and takes `label` and `cancellable`; job_update needs `worker` and takes
    `data`; job_completed needs `worker` and `status` and takes `response`.
    """
    data: dict[str, Any] = {"kind": kind, "job_id": job_id, "at": at_ms, **more}
    if kind == "group_started":
        data = {"workers": list(workers), "label": None, "cancellable": False, **data}
    elif kind != "group_completed":
        data["worker_name"] = worker
    return ServerMessage(Typed("ui-job-group", data))
