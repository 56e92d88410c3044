"""Calls over gRPC that stream both ways, and what their status codes mean.

A service keeps a `GrpcClient`, which has one channel in each event loop. gRPC starts threads with its first
channel, so none is made before a process is forked: `load` only imports.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from ..clock import offload
from ..errors import BadResponseError, ConfigurationError, TheyErred, UnavailableError
from .http_client import stated_error
from .proto_messages import proto_messages

__all__ = ["EndedEarlyError", "GrpcClient", "grpc_error"]

ENDED_EARLY = "Internal error from Core"  # what grpc.aio says in place of the vendor's status

STATUSES = {
    1: 503,
    2: 500,
    3: 400,
    4: 408,
    5: 404,
    7: 403,
    8: 429,
    9: 400,
    10: 503,
    13: 500,
    14: 503,
    16: 401,
}
"""The codes of gRPC, as those of HTTP: https://grpc.io/docs/guides/status-codes"""


class EndedEarlyError(UnavailableError):
    """The vendor ended a call while it was still sent, which hides why it did."""


def grpc_error(vendor: str, code: object, reason: object, key_name: str = "the key") -> TheyErred:
    """Return the error that a status code of gRPC stands for."""
    status = STATUSES.get(code, 400) if isinstance(code, int) else None
    return stated_error(vendor, status, reason, key_name)


class GrpcClient:
    """One service's access to its vendor over gRPC.

    `address` begins with "http://" for a server on one's own network, which needs no certificate, else with
    "https://". `definition` is an excerpt of the vendor's `.proto` files. `extra` installs what is needed.
    """

    def __init__(self, vendor: str, address: str, definition: str, *, extra: str, key_name: str) -> None:
        self.vendor = vendor
        self.key_name = key_name
        self._address = address
        self._definition = definition
        self._extra = extra
        self._channel: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def load(self) -> None:
        """Import what is needed, outside the event loop."""
        try:
            await offload(None, self._import)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{self.vendor} needs {error.name}, which is not installed: "
                f'pip install "antiphon[{self._extra}]"'
            ) from error

    def _import(self) -> None:
        import_module("grpc.aio")
        proto_messages(self._definition)

    async def open(self) -> None:
        """Make the channel of the running event loop; it connects with its first call."""
        await self.load()
        if self._channel is None or self._loop is not asyncio.get_running_loop():
            grpc, (scheme, _, host) = import_module("grpc"), self._address.partition("://")
            if scheme == "http":
                self._channel = grpc.aio.insecure_channel(host)
            else:
                self._channel = grpc.aio.secure_channel(host, grpc.ssl_channel_credentials())
            self._loop = asyncio.get_running_loop()

    async def close(self) -> None:
        """Close the channel; calls that are still running fail."""
        channel, self._channel = self._channel, None
        if channel is not None and self._loop is asyncio.get_running_loop():
            await channel.close()

    async def stream(
        self,
        method: str,
        kinds: tuple[str, str],
        requests: AsyncIterator[Mapping[str, Any]],
        metadata: Sequence[tuple[str, str]] = (),
    ) -> AsyncGenerator[Any]:
        """Call a method that streams both ways; closing the generator cancels the call.

        `kinds` are the names of the messages that are sent and received. Raises TheyErred.
        """
        failed, malformed = (
            import_module("grpc.aio").AioRpcError,
            import_module("google.protobuf.message").DecodeError,
        )
        messages = proto_messages(self._definition)
        asked, answered = (messages[kind] for kind in kinds)

        def encoded(fields: Mapping[str, Any]) -> bytes:
            return asked(**fields).SerializeToString()

        call = self._channel.stream_stream(f"/{method}", request_serializer=encoded)(
            requests, metadata=tuple(metadata)
        )
        try:
            async for answer in call:
                yield answered.FromString(answer)
        except malformed as error:
            raise BadResponseError(f"{self.vendor} sent what is not a {kinds[1]}") from error
        except failed as error:
            if ENDED_EARLY in str(error.details()):
                raise EndedEarlyError(f"{self.vendor} ended a call while it was sent") from error
            raise grpc_error(self.vendor, error.code().value[0], error.details(), self.key_name) from error
        finally:
            call.cancel()
