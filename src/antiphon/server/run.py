"""The application on a socket: HTTP and websockets by uvicorn, and what signals do."""

import asyncio
import gc
import logging
import resource
import signal
from collections.abc import Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec
from socket import socket
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from .admission import Admission
from .settings import ServerSettings
from .sip import answering

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from uvicorn import Config, Server

__all__ = ["run", "serve"]

logger = logging.getLogger("antiphon.server")

KEPT = 15  # seconds that a connection may stay open between two requests
GONE = 20.0  # seconds between two pings of a websocket, and that an answer may take
LOOK = 1.0  # seconds between two looks at whether anybody is there
GRACE = 5  # seconds that connections may take to close in the end


def serve(app: "Starlette", settings: ServerSettings, began: Callable[[], object] = lambda: None) -> None:
    """Serve until SIGTERM or SIGINT, and then until the calls are over; `began` is called once it listens.

    A second signal ends the calls politely, a third at once. Raises ConfigurationError where uvicorn is not
    installed, or the port is taken.
    """
    run(_serve(app, settings, began))


def run(main: Coroutine[Any, Any, object]) -> None:
    """asyncio.run in the quickest event loop that is installed: uvloop's takes a tenth off a call's cost."""
    factory = import_module("uvloop").new_event_loop if find_spec("uvloop") else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


async def _serve(app: "Starlette", settings: ServerSettings, began: Callable[[], object]) -> None:
    reception: Admission = app.state.reception
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a call over WebRTC has a dozen sockets
    await reception.start()  # before it listens; and what is wrong is told, not logged
    config = configured(app, settings)
    server = _draining(config, reception, settings.stop_idle_after, began)
    try:
        async with answering(reception):
            await server.serve()
    except SystemExit:
        await reception.close()
        raise ConfigurationError(
            f"cannot listen on {settings.host} port {settings.port}: is it taken? Choose another with --port"
        ) from None


def configured(app: "Starlette", settings: ServerSettings) -> "Config":
    """How uvicorn is to serve us. Raises ConfigurationError where it is not installed."""
    try:
        import uvicorn

        from .protocols import Http, Sockets
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'`antiphon serve` needs {error.name}: pip install "antiphon[server]"'
        ) from error
    return uvicorn.Config(
        app,
        settings.host,
        settings.port,
        http=Http,
        ws=Sockets,
        ws_max_size=settings.message_bytes,
        ws_per_message_deflate=False,  # sound does not shrink, and it would cost more than all else
        ws_ping_interval=GONE,
        ws_ping_timeout=GONE,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        timeout_keep_alive=KEPT,
        timeout_graceful_shutdown=GRACE,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
    )


def _draining(config: "Config", reception: Admission, idle: float, began: Callable[[], object]) -> "Server":
    """A server that, told to stop, first lets the calls come to their end."""
    import uvicorn

    class Draining(uvicorn.Server):
        def __init__(self, config: "Config") -> None:
            super().__init__(config)
            self._told = 0
            self._loop = asyncio.get_running_loop()
            self._ending: set[asyncio.Task[None]] = set()

        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                gc.collect()
                gc.freeze()  # what stays for good is not looked through again in the middle of a call
                began()
                if idle:
                    self._ending.add(asyncio.create_task(self._stop_when_idle(), name="antiphon idle"))

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Ctrl-C is somebody who waits: calls are ended at once, as by a second SIGTERM
            self._told += 2 if sig == signal.SIGINT and not self._told else 1
            self._loop.call_soon_threadsafe(self._heed)

        def _heed(self) -> None:
            if self._told > 2:
                self.should_exit = self.force_exit = True
                return
            leave = reception.end_all() if self._told == 2 else reception.drain()
            logger.warning("stopping: %d sessions are running", len(reception.sessions))
            self._ending.add(asyncio.create_task(self._leave(leave), name="antiphon drain"))

        async def _stop_when_idle(self) -> None:
            quiet = 0.0
            while quiet < idle:
                await asyncio.sleep(LOOK)
                quiet = 0.0 if reception.sessions else quiet + LOOK
            self._told = max(1, self._told)
            self.should_exit = True

        async def _leave(self, leave: Coroutine[Any, Any, None]) -> None:
            await leave
            self.should_exit = True

    return Draining(config)
