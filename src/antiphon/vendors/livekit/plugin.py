"""A plugin of LiveKit: found by name, and driven without a job."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, TypeVar, cast

from ...errors import ConfigurationError, UnavailableError
from ...services.foreign_errors import foreign_error
from ...services.websocket_client import Message, VendorSocket

__all__ = ["Plugin", "PluginService", "PluginSocket"]

T = TypeVar("T")

LOCAL_MODELS = "livekit.local_inference"
TIMEOUT = 5.0  # seconds that a plugin may take to connect
CLOSED_WITHIN = 0.3  # seconds of each try
CLOSED_TRIES = 4


class Plugin:
    """A plugin's object, made when it is first used.

    `port` is the name of its class: "STT", "LLM" or "TTS". `given` is "plugin", "plugin/model" or the object.
    `options` are parameters of the plugin.
    """

    def __init__(self, port: str, given: object, options: dict[str, Any]) -> None:
        if not isinstance(given, str) and options:
            raise ConfigurationError(f"give the parameters {', '.join(options)} to the plugin itself")
        place = given if isinstance(given, str) else type(given).__module__.removeprefix("livekit.plugins.")
        self.vendor = f"livekit/{place.partition('/')[0].partition('.')[0]}"
        self._port = port
        self._given = given
        self._options = options
        self._made: Any = None
        self._connections: Any = None
        self._entering: asyncio.Task[Any] | None = None
        self._context = Context()

    @property
    def object(self) -> Any:
        """The plugin's object. Raises ConfigurationError if it cannot be made."""
        if self._made is None:
            self._made = self._make(self._given) if isinstance(self._given, str) else self._given
        return self._made

    def _make(self, name: str) -> Any:
        name, _, model = name.partition("/")
        name, _, kind = name.partition(".")
        options = {"model": model, **self._options} if model else self._options
        try:
            _leave_out_local_models()
            module = import_module(f"livekit.plugins.{name.replace('-', '_')}")
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"{self.vendor} needs {error.name}, which is not installed: "
                f'pip install "antiphon[livekit]" livekit-plugins-{name}'
            ) from error
        make = getattr(module, kind or self._port, None)
        if make is None:
            raise ConfigurationError(f"LiveKit's plugin {name} has no {kind or self._port}")
        try:
            return make(**options)
        except Exception as error:
            raise ConfigurationError(f"LiveKit's plugin {name}: {error}") from error

    async def open(self) -> None:
        """Give the plugin HTTP connections of this event loop, and let it connect."""
        plugin = self.object
        entering = self._entering
        if entering is None or entering.get_loop() is not asyncio.get_running_loop():
            if getattr(getattr(plugin, "_session", None), "closed", False):
                plugin._session = None  # an object that was passed keeps what `close` has closed
            self._context = Context()
            self._connections = import_module("livekit.agents.utils.http_context").open()
            entering = asyncio.create_task(self._connections.__aenter__(), context=self._context)
            self._entering = entering
            await asyncio.shield(entering)
            self._context.run(plugin.prewarm)
        await asyncio.shield(entering)

    async def close(self) -> None:
        """Close the connections and the plugin.

        A closed plugin cannot be used again, so the next `open` makes another. One that was passed as an
        object is its owner's to close.
        """
        if self._entering is None or self._entering.get_loop() is not asyncio.get_running_loop():
            return
        self._entering, connections = None, self._connections
        if isinstance(self._given, str):
            made, self._made = self.object, None
            await made.aclose()
        await asyncio.create_task(connections.__aexit__(None, None, None), context=self._context)

    def begin(self, start: Callable[..., T], **given: Any) -> T:
        """Begin a stream, whose tasks find the connections.

        Raises an error of `errors.py`.
        """
        options = import_module("livekit.agents").APIConnectOptions(max_retry=0, timeout=TIMEOUT)
        try:
            return self._context.run(start, conn_options=options, **given)
        except Exception as error:
            raise foreign_error(self.vendor, error) from error

    @asynccontextmanager
    async def stream(self, start: Callable[..., Any], **given: Any) -> AsyncGenerator[Any]:
        """Open a stream for a `with` block.

        Its errors are raised as those of `errors.py`.
        """
        stream = self.begin(start, **given)
        try:
            yield stream
        except Exception as error:
            raise foreign_error(self.vendor, error) from error
        finally:
            await _close(stream)

    async def ask(self, call: Callable[..., Coroutine[Any, Any, T]], **given: Any) -> T:
        """Return the answer to a single request. Raises an error of `errors.py`."""
        asking = asyncio.create_task(self.begin(call, **given), context=self._context)
        try:
            return await asking
        except Exception as error:
            raise foreign_error(self.vendor, error) from error


class PluginService:
    """The life of a service that a plugin is behind.

    LiveKit's package takes over a second to load, and plugins must be loaded by the main thread.
    """

    port: ClassVar[str]
    """The class of the plugin, unless another is named: "deepgram.STTv2/flux-general-en"."""

    def __init__(self, plugin: object, **options: Any) -> None:
        self._plugin = Plugin(self.port, plugin, options)

    async def load(self) -> None:
        _ = self._plugin.object

    async def open(self) -> None:
        await self._plugin.open()

    async def close(self) -> None:
        await self._plugin.close()


class PluginSocket(VendorSocket):
    """A stream of a plugin in the place of a websocket.

    `push` gives it a message. What it receives are the plugin's events.
    """

    def __init__(self, vendor: str, stream: Any, push: Callable[[Any, Message], None]) -> None:
        super().__init__(vendor, cast(Any, None), None)
        self._stream = stream
        self._push = push

    async def send(self, messages: Iterable[Message]) -> None:
        try:
            for message in messages:
                self._push(self._stream, message)
        except RuntimeError as error:  # a stream that has ended takes nothing
            raise UnavailableError(f"{self.vendor}: {error}") from error

    async def receive(self) -> Any:
        try:
            return await anext(self._stream)
        except StopAsyncIteration:
            self.ended = True
            raise UnavailableError(f"{self.vendor} ended its stream") from None
        except Exception as error:
            raise foreign_error(self.vendor, error) from error

    async def close(self, *, abruptly: bool = False) -> None:
        await _close(self._stream)


async def _close(stream: Any) -> None:
    """Close a stream.

    It is asked more than once: `asyncio.wait_for` of Python 3.11, which plugins connect with, may swallow a
    cancellation.
    """
    for _ in range(CLOSED_TRIES):
        with suppress(Exception):
            async with asyncio.timeout(CLOSED_WITHIN):
                await stream.aclose()
                return


class _LeftOut:
    """A model of LiveKit that is not loaded."""

    def __init__(self, *_: object, **__: object) -> None:
        raise ConfigurationError(
            f"{LOCAL_MODELS} is left out: import livekit.agents before Antiphon's services"
        )


def _leave_out_local_models() -> None:
    """Let LiveKit's package load without its models for VAD and end of turn.

    They are not needed here, and are under a licence of their own.
    """
    if LOCAL_MODELS not in sys.modules and "livekit.agents" not in sys.modules:
        absent: Any = ModuleType(LOCAL_MODELS)
        absent.VAD = absent.EOT = _LeftOut
        absent.VAD_WINDOW_SAMPLES = 512
        sys.modules[LOCAL_MODELS] = absent
