"""The process that holds the models which cannot be forked, for all workers.

Whisper on CTranslate2 and llama.cpp compute in threads, which a forked process does not inherit: its first
call would wait forever. So this process loads each speech-to-text service and language model that is
`resident` once, and workers connect to it by proxies (`model_client`). Each call of a service's method is a
stream on a worker's connection, with a number that the worker chooses.
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from struct import unpack
from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from ... import errors
from ...agent import AgentDefinition
from ...context import AgentSaid, Context, ToolAnswered, ToolSpec, UserSaid
from ...errors import AntiphonError, UsageError
from ...frames import ToolCall
from ...services.composite import Composite
from ...services.ports import AudioChunk, Flush, Recognized, TextDelta, TokenUsage, TurnHint
from ...services.streams import closing, ready
from .pipe import Pipe

__all__ = ["REMOTE", "ModelKey", "is_resident_part", "key_of", "serve_models", "service_of", "serving"]

logger = logging.getLogger("antiphon.server")

RemotePort: TypeAlias = Literal["stt", "llm", "realtime.stt", "realtime.llm"]
REMOTE: tuple[RemotePort, ...] = ("stt", "llm", "realtime.stt", "realtime.llm")
"""The ports for which there are proxies, so that this process can hold their services.

Those of "realtime" are the services that a `Composite` is made of.
"""

T = TypeVar("T")


class ModelKey(msgspec.Struct, frozen=True):
    """The identity of a service: its name, or the agent that has it as an object."""

    port: RemotePort
    name: str = ""
    agent: str = ""


def key_of(name: str, agent: AgentDefinition, port: RemotePort) -> ModelKey | None:
    """Return the key of an agent's service if that is resident, else None."""
    outer, _, inner = port.partition(".")
    if not agent.is_resident(outer) or (inner and not is_resident_part(agent, inner)):
        return None
    chosen = agent.chosen(outer) if not inner else agent.realtime
    return ModelKey(port, name=chosen) if isinstance(chosen, str) else ModelKey(port, agent=name)


def is_resident_part(agent: AgentDefinition, port: str) -> bool:
    """Return True if this part of the agent's composite is resident."""
    model = agent.service("realtime")
    return isinstance(model, Composite) and getattr(model, port).resident


def service_of(agent: AgentDefinition, port: RemotePort) -> Any:
    """Return the agent's service of a port."""
    outer, _, inner = port.partition(".")
    service = agent.service(outer)
    return getattr(service, inner) if inner else service


# The messages -----------------------------------------------------------------------------------------


class ModelCall(msgspec.Struct, tag=True):
    """The call of a service's method, which begins a stream.

    The argument is `context`, or if that is None, the items that follow.
    """

    stream: int
    key: ModelKey
    method: Literal["transcribe", "generate", "warm"]
    context: dict[str, Any] | None = None


class StreamItem(msgspec.Struct, tag=True):
    """A value in a stream (in either direction) and the name of its type."""

    stream: int
    kind: str
    value: Any


class StreamEnd(msgspec.Struct, tag=True):
    """The stream has ended."""

    stream: int


class StopStream(msgspec.Struct, tag=True):
    """The caller does not need the rest of the stream; the method is cancelled."""

    stream: int


class StreamFailed(msgspec.Struct, tag=True):
    """The method has raised this error."""

    stream: int
    error: str
    message: str


class ModelsLoaded(msgspec.Struct, tag=True):
    """The first message on every connection, sent once the models are loaded.

    `problem`: why they could not be loaded, else "".
    """

    problem: str = ""


ToModelServer: TypeAlias = ModelCall | StreamItem | StreamEnd | StopStream
FromModelServer: TypeAlias = StreamItem | StreamEnd | StreamFailed | ModelsLoaded

VALUES: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(AudioChunk, Flush, Recognized, TurnHint, TextDelta, ToolCall, TokenUsage),
        *(UserSaid, AgentSaid, ToolAnswered),
    )
}


def item(stream: int, value: Any) -> StreamItem:
    """Wrap a value for sending."""
    return StreamItem(stream, type(value).__name__, value)


def value(told: StreamItem) -> Any:
    """Unwrap a value.

    Raises msgspec.ValidationError, or KeyError if the type is not in VALUES.
    """
    return msgspec.convert(told.value, VALUES[told.kind])


def packed(context: Context) -> dict[str, Any]:
    """Return a context as plain data."""
    entries = [(type(entry).__name__, entry) for entry in context.entries]
    return {"instructions": context.instructions, "entries": entries, "tools": context.tools}


def unpacked(data: dict[str, Any]) -> Context:
    """Return the context that `packed` made plain data of."""
    entries = tuple(msgspec.convert(entry, VALUES[kind]) for kind, entry in data["entries"])
    return Context(data["instructions"], entries, msgspec.convert(data["tools"], tuple[ToolSpec, ...]))


class StreamInput(AsyncIterator[T]):
    """A queue of a stream's items, to iterate over until its end or its error."""

    def __init__(self) -> None:
        self._items: asyncio.Queue[T | Exception | None] = asyncio.Queue()

    def put(self, what: T | Exception | None) -> None:
        """Add an item, an error, or None for the end."""
        self._items.put_nowait(what)

    async def __anext__(self) -> T:
        match await self._items.get():
            case None:
                raise StopAsyncIteration
            case Exception() as error:
                raise error
            case found:
                return found


def error_named(name: str, message: str) -> AntiphonError:
    """Return the error of this name in `antiphon.errors`, else a BadResponseError."""
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, AntiphonError):
        return kind(message)
    return errors.BadResponseError(f"{name}: {message}")


# The process ------------------------------------------------------------------------------------------


def serve_models(listener: socket.socket, agents: Mapping[str, Any]) -> None:
    """Load the agents' models and serve all connections until the process is killed."""
    asyncio.run(serving(agents, listener))


async def serving(agents: Mapping[str, Any], listener: socket.socket) -> None:
    """Do what `serve_models` does, in the running event loop."""
    await _Models(agents).serve(listener)


def is_ours(end: socket.socket) -> bool:
    """Return whether the process at the other end belongs to the same user."""
    _, user, _ = unpack("iII", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return user == os.getuid()


class _Models:
    """The services, made once for all workers."""

    def __init__(self, agents: Mapping[str, Any]) -> None:
        self._agents = {name: agent for name, agent in agents.items() if isinstance(agent, AgentDefinition)}
        self._services: dict[ModelKey, Any] = {}

    async def serve(self, listener: socket.socket) -> None:
        """Load the models, then accept connections.

        Connections that are made while the models load wait in the listener's queue.
        """
        problem = ""
        try:
            await self._load()
        except AntiphonError as error:
            problem = str(error)
        listener.setblocking(False)
        loop = asyncio.get_running_loop()
        connections: set[asyncio.Task[None]] = set()
        try:
            while True:
                end, _ = await loop.sock_accept(listener)
                if not is_ours(end):
                    end.close()
                    continue
                connection = asyncio.create_task(self._answer(end, problem))
                connections.add(connection)
                connection.add_done_callback(connections.discard)
        finally:
            for connection in connections:
                connection.cancel()

    def service(self, key: ModelKey) -> Any:
        """Return the service of a key. Raises UsageError if there is none."""
        if key not in self._services:
            if key.name:
                from ...vendors import create

                outer, _, inner = key.port.partition(".")
                made = create(outer, key.name)
                self._services[key] = getattr(made, inner) if inner else made
            elif key.agent in self._agents:
                self._services[key] = service_of(self._agents[key.agent], key.port)
            else:
                raise UsageError(f"there is no agent {key.agent!r} here whose {key.port} could answer")
        return self._services[key]

    async def _load(self) -> None:
        keys = {
            key
            for name, agent in self._agents.items()
            for port in REMOTE
            if (key := key_of(name, agent, port))
        }
        await asyncio.gather(*(ready(self.service(key)) for key in keys))
        for name, agent in self._agents.items():
            key = key_of(name, agent, "llm") or key_of(name, agent, "realtime.llm")
            if key is not None:
                with contextlib.suppress(AntiphonError):  # then only the first answer is slower
                    await self.service(key).warm(agent.conversation().context)

    async def _answer(self, end: socket.socket, problem: str) -> None:
        """Serve the streams of one connection."""
        streams: dict[int, tuple[asyncio.Task[None], StreamInput[Any]]] = {}

        def handle(message: ToModelServer) -> None:
            match message:
                case ModelCall() if message.stream not in streams:
                    items = StreamInput[Any]()
                    task = asyncio.create_task(self._stream(message, items, pipe.tell))
                    streams[message.stream] = task, items
                    task.add_done_callback(lambda _: streams.pop(message.stream, None))
                case StreamItem() if message.stream in streams:
                    try:
                        streams[message.stream][1].put(value(message))
                    except (msgspec.MsgspecError, KeyError) as error:
                        pipe.abort(repr(error))
                case StreamEnd() if message.stream in streams:
                    streams[message.stream][1].put(None)
                case StopStream() if message.stream in streams:
                    streams[message.stream][0].cancel()
                case _:  # a message of a stream that has ended
                    pass

        pipe: Pipe[Any] = await Pipe[Any](msgspec.msgpack.Decoder(ToModelServer), handle).connect(end)
        try:
            pipe.tell(ModelsLoaded(problem))
            await pipe.gone
        finally:
            pipe.abort("")
            for task, _ in list(streams.values()):
                task.cancel()

    async def _stream(
        self, call: ModelCall, items: StreamInput[Any], tell: Callable[[FromModelServer], None]
    ) -> None:
        """Call the method, and send what it yields and how it ends."""
        try:
            service = self.service(call.key)
            match call.method:
                case "warm":
                    await service.warm(unpacked(call.context or {}))
                case "generate":
                    await self._send(call.stream, service.generate(unpacked(call.context or {})), tell)
                case "transcribe":
                    await self._send(call.stream, service.transcribe(items), tell)
            tell(StreamEnd(call.stream))
        except Exception as error:
            if not isinstance(error, AntiphonError):
                logger.exception("%s of %s failed", call.method, call.key)
            tell(StreamFailed(call.stream, type(error).__name__, str(error) or type(error).__name__))

    async def _send(
        self, number: int, stream: AsyncIterator[Any], tell: Callable[[FromModelServer], None]
    ) -> None:
        async with closing(stream) as found:
            async for one in found:
                tell(item(number, one))
