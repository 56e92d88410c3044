"""Proxies for resident models, which run in the process of `model_server`."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from inspect import isawaitable
from itertools import count
from typing import Any, Literal

import msgspec

from ...agent import AgentDefinition
from ...agent_file import Agents
from ...context import Context
from ...errors import BadResponseError, UnavailableError
from ...frames import ToolCall
from ...services.ports import (
    AudioChunk,
    Flush,
    LanguageModel,
    Recognized,
    SpeechToText,
    TextDelta,
    TokenUsage,
    TurnHint,
)
from ..port import Opening
from .model_server import (
    REMOTE,
    FromModelServer,
    ModelCall,
    ModelKey,
    ModelsLoaded,
    StopStream,
    StreamEnd,
    StreamFailed,
    StreamInput,
    StreamItem,
    error_named,
    item,
    key_of,
    packed,
    service_of,
    value,
)
from .pipe import Pipe

__all__ = ["ModelConnection", "with_remote_models"]

LOADED_WITHIN = 120.0  # seconds for the models to load after a restart of their process


class ModelConnection:
    """A worker's connection to the models' process.

    It connects at the first call, and again at the first call after the connection was lost.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._pipe: Pipe[Any] | None = None
        self._connecting = asyncio.Lock()
        self._streams: dict[int, StreamInput[Any]] = {}
        self._numbers = count()
        self._loaded: asyncio.Future[str] | None = None

    async def pipe(self) -> Pipe[Any]:
        """Return the pipe once the models are loaded. Raises UnavailableError."""
        async with self._connecting:
            if self._pipe is None or self._pipe.gone.done():
                self._pipe = await self._connected()
            return self._pipe

    @contextlib.asynccontextmanager
    async def call(
        self, key: ModelKey, method: Literal["transcribe", "generate", "warm"], context: Context | None = None
    ) -> AsyncGenerator[tuple[int, Pipe[Any], StreamInput[Any]]]:
        """Call a method, yielding (stream number, pipe, results).

        Leaving the block before the stream's end stops the call in the models' process.
        """
        pipe = await self.pipe()
        number = next(self._numbers)
        found = self._streams[number] = StreamInput[Any]()
        pipe.tell(ModelCall(number, key, method, None if context is None else packed(context)))
        try:
            yield number, pipe, found
        finally:
            if self._streams.pop(number, None) is not None:
                pipe.tell(StopStream(number))

    def close(self) -> None:
        """Close the connection; a later call connects again."""
        if self._pipe is not None:
            self._pipe.close()

    async def _connected(self) -> Pipe[Any]:
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        end.setblocking(False)
        loaded = self._loaded = asyncio.get_running_loop().create_future()
        pipe = Pipe[Any](msgspec.msgpack.Decoder(FromModelServer), self._handle)
        try:
            await asyncio.get_running_loop().sock_connect(end, self._address)
            await pipe.connect(end)
            pipe.gone.add_done_callback(self._lost)
            async with asyncio.timeout(LOADED_WITHIN):
                problem = await loaded
        except (OSError, TimeoutError) as error:
            end.close()
            pipe.abort("not connected")
            raise UnavailableError(
                f"the process that holds the models cannot be reached: {error!r}"
            ) from error
        if problem:
            pipe.abort(problem)
            raise UnavailableError(problem)
        return pipe

    def _handle(self, message: FromModelServer) -> None:
        match message:
            case ModelsLoaded(problem):
                if self._loaded is not None and not self._loaded.done():
                    self._loaded.set_result(problem)
            case StreamItem(stream):
                try:
                    self._put(stream, value(message))
                except (msgspec.MsgspecError, KeyError) as error:
                    self._put(
                        stream, BadResponseError(f"the models' process sent a malformed item: {error!r}")
                    )
            case StreamEnd(stream):
                self._put(stream, None, last=True)
            case StreamFailed(stream, error, text):
                self._put(stream, error_named(error, text), last=True)

    def _put(self, stream: int, what: Any, *, last: bool = False) -> None:
        found = self._streams.pop(stream, None) if last else self._streams.get(stream)
        if found is not None:
            found.put(what)

    def _lost(self, _: object) -> None:
        gone = UnavailableError("the process that holds the models has ended; it is being restarted")
        if self._loaded is not None and not self._loaded.done():
            self._loaded.set_result(str(gone))
        streams, self._streams = self._streams, {}
        for found in streams.values():
            found.put(gone)


class RemoteSpeechToText(SpeechToText):
    """A proxy for a speech-to-text service in the models' process."""

    def __init__(self, service: SpeechToText, key: ModelKey, connection: ModelConnection) -> None:
        self.sample_rate = service.sample_rate
        self.segmented = service.segmented
        self.chunk = service.chunk
        self.interim_every = service.interim_every
        self.answered_within = service.answered_within
        self.vendor, self.model = service.vendor, service.model
        self._key, self._connection = key, connection

    async def transcribe(
        self, audio: AsyncIterator[AudioChunk | Flush]
    ) -> AsyncIterator[Recognized | TurnHint]:
        """Send the audio, and yield what the service transcribes."""
        async with self._connection.call(self._key, "transcribe") as (number, pipe, found):

            async def feed() -> None:
                try:
                    async for piece in audio:
                        pipe.tell(item(number, piece))
                    pipe.tell(StreamEnd(number))
                except Exception as error:  # noqa: BLE001  raised to the consumer of the transcripts
                    found.put(error)

            feeding = asyncio.create_task(feed())
            try:
                async for heard in found:
                    yield heard
            finally:
                feeding.cancel()
                await asyncio.wait([feeding])


class RemoteLanguageModel(LanguageModel):
    """A proxy for a language model in the models' process."""

    def __init__(self, service: LanguageModel, key: ModelKey, connection: ModelConnection) -> None:
        self.first_within, self.next_within = service.first_within, service.next_within
        self.acts = service.acts
        self.slow_after = service.slow_after
        self.vendor, self.model = service.vendor, service.model
        self._key, self._connection = key, connection

    async def warm(self, context: Context) -> None:
        """Have the model process the context in advance."""
        async with self._connection.call(self._key, "warm", context) as (_, _, found):
            async for _ in found:
                pass

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Yield the model's answer."""
        async with self._connection.call(self._key, "generate", context) as (_, _, found):
            async for one in found:
                yield one


def with_remote_models(agents: Agents, connection: ModelConnection) -> Agents:
    """Return the agents with proxies for their resident models.

    Functions that make agents are wrapped, so that their agents get proxies, too. Service objects that such
    a function passes to its agent exist only in this process, and are kept.
    """

    def replaced(name: str, agent: AgentDefinition, *, made_here: bool) -> AgentDefinition:
        proxies: dict[str, Any] = {}
        parts: dict[str, Any] = {}  # those of a composite
        for port in REMOTE:
            key = key_of(name, agent, port)
            if key is None or (key.agent and made_here):
                continue
            service, kind = service_of(agent, port), port.rpartition(".")[2]
            proxy = RemoteSpeechToText if kind == "stt" else RemoteLanguageModel
            (parts if "." in port else proxies)[kind] = proxy(service, key, connection)
        if parts:
            proxies["realtime"] = agent.service("realtime").with_services(**parts)
        return agent.with_services(**proxies) if proxies else agent

    def making(name: str, maker: Callable[[Opening], Any]) -> Callable[[Opening], Awaitable[Any]]:
        async def make(opening: Opening) -> Any:
            made: Any = maker(opening)
            if isawaitable(made):
                made = await made
            return replaced(name, made, made_here=True) if isinstance(made, AgentDefinition) else made

        return make

    found: Mapping[str, Any] = {
        name: replaced(name, agent, made_here=False)
        if isinstance(agent, AgentDefinition)
        else making(name, agent)
        for name, agent in agents.items()
    }
    return found
