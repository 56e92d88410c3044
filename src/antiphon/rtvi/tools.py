"""Tools that run in the client, and messages for its user interface."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from ..context import ToolSpec
from ..conversation.scope import Scope
from ..conversation.tools import OnInterrupt, Tool
from ..errors import ConfigurationError, UnavailableError
from ..frames import ServerMessage

__all__ = ["Typed", "client_tool", "job_group", "ui_command"]


class _Arguments(msgspec.Struct):
    """No arguments: the client's function reads those of the model itself."""


def _not_here() -> str:
    raise ConfigurationError("a client_tool runs in the client: it cannot be called in this process")


@dataclass(frozen=True, eq=False)
class ClientTool(Tool):
    """A tool whose function runs in the client."""

    async def call(self, scope: Scope) -> tuple[str, bool]:
        """Wait for the client's result; returns it for the model, and whether it failed."""
        missing = f"{self.spec.name} is done by the user's device, which is not connected."
        if scope.client is None:
            return missing, True
        try:
            async with asyncio.timeout(self.timeout):
                result = await scope.client.result(scope.call.id)
        except TimeoutError:
            return self.timed_out()
        except UnavailableError:
            return missing, True
        return self.readable(result), False


def client_tool(
    name: str,
    description: str,
    parameters: Mapping[str, Any] | None = None,
    *,
    timeout: float = 30.0,
    on_interrupt: OnInterrupt = "finish",
) -> Tool:
    """Return a tool that runs in the client: its function of the same name.

    `parameters` is a JSON Schema of type object; None means no arguments. `timeout` is in seconds.
    """
    schema = dict(parameters or {"type": "object", "properties": {}})
    if not name or not description:
        raise ConfigurationError("a client_tool needs a name and a description: the model reads them")
    if schema.get("type") != "object":
        raise ConfigurationError(
            f"client_tool({name!r}): parameters must be a JSON Schema with type 'object'"
        )
    try:
        msgspec.json.encode(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"client_tool({name!r}): parameters cannot be encoded as JSON: {error}"
        ) from error
    spec = ToolSpec(name, description, schema)
    return ClientTool(_not_here, spec, _Arguments, timeout=timeout, on_interrupt=on_interrupt)


@dataclass(frozen=True, slots=True)
class Typed:
    """Data of a ServerMessage that is sent as a message of its own `type`."""

    type: str
    data: Any = None


def ui_command(command: str, payload: Any = None) -> ServerMessage:
    """Return a command for the client's user interface.

    Commands are "toast", "navigate", "highlight", or your own.
    """
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
    """Return the progress of background jobs, for the client to show.

    `at_ms` is in milliseconds since 1970. group_started needs `workers` and accepts `label` and
    `cancellable`; job_update needs `worker` and accepts `data`; job_completed needs `worker` and `status` and
    accepts `response`.
    """
    data: dict[str, Any] = {"kind": kind, "job_id": job_id, "at": at_ms, **more}
    if kind == "group_started":
        data = {"workers": list(workers), "label": None, "cancellable": False, **data}
    elif kind != "group_completed":
        data["worker_name"] = worker
    return ServerMessage(Typed("ui-job-group", data))
