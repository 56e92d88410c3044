"""Running the application under uvicorn, and its shutdown on signals."""

import asyncio
import gc
import logging
import os
import signal
import ssl
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, nullcontext
from errno import EACCES, EADDRINUSE
from importlib import import_module
from importlib.util import find_spec
from socket import (
    AF_INET6,
    AI_PASSIVE,
    IPPROTO_IPV6,
    IPV6_V6ONLY,
    SO_REUSEADDR,
    SOCK_STREAM,
    SOL_SOCKET,
    getaddrinfo,
    socket,
)
from types import FrameType
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError
from .admission import Admission
from .phone import audiosocket
from .settings import ServerSettings
from .sip import answering

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from uvicorn import Config, Server

__all__ = ["allow_sockets", "run", "serve"]

logger = logging.getLogger("antiphon.server")

KEEP_ALIVE = 15  # seconds that a connection stays open between requests
PING_EVERY = 20.0  # seconds between pings of a websocket, and for the pong to come
POLL_EVERY = 1.0  # seconds between checks whether the server is idle
MACOS_FILES = 10_240  # files that macOS lets a process open, even if it states no limit
CLOSE_WITHIN = 5  # seconds for connections to close at shutdown


def serve(
    app: "Starlette",
    settings: ServerSettings,
    *,
    starting: Callable[[], AbstractContextManager[object]] = nullcontext,
    began: Callable[[], object] = lambda: None,
) -> None:
    """Serve until SIGTERM, and then until running calls are over.

    A second SIGTERM (or the first Ctrl-C) ends each call after its agent's current sentence; a third stops at
    once. The host starts, and loads its models, inside `starting`; `began` is called once the server listens.
    Raises ConfigurationError if uvicorn is not installed, or an address or a file cannot be used.
    """
    run(_serve(app, settings, starting, began))


def run(main: Coroutine[Any, Any, object]) -> None:
    """Run a coroutine like `asyncio.run`, with uvloop if that is installed.

    uvloop saves a tenth of a call's processor time.
    """
    factory = import_module("uvloop").new_event_loop if find_spec("uvloop") else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)


async def _serve(
    app: "Starlette",
    settings: ServerSettings,
    starting: Callable[[], AbstractContextManager[object]],
    began: Callable[[], object],
) -> None:
    admission: Admission = app.state.admission
    allow_sockets()
    config = configured(app, settings)
    _check_address(settings)
    server = _draining(config, admission, settings.stop_idle_after, began)
    try:
        with starting():
            await admission.start()  # before listening, so that its errors are raised to the caller
        async with answering(admission), audiosocket(admission):
            await server.serve()
    except SystemExit:  # for a reason that `_check_address` does not know
        raise _cannot_listen(settings, "the log says why") from None
    finally:
        await admission.close()


def _check_address(settings: ServerSettings) -> None:
    """Raise ConfigurationError if the port is taken or forbidden.

    uvicorn would find out only after the models have been loaded, and log it as well.
    """
    try:
        found = getaddrinfo(settings.host, settings.port, type=SOCK_STREAM, flags=AI_PASSIVE)
    except (OSError, UnicodeError) as error:  # no such host, or not even a name
        raise _cannot_listen(settings, str(error)) from error
    for family, kind, number, _, where in found:
        try:
            with socket(family, kind, number) as one:
                one.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
                if family == AF_INET6:
                    one.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
                one.bind(where)
        except OSError as error:
            if error.errno in (EADDRINUSE, EACCES):
                raise _cannot_listen(settings, os.strerror(error.errno)) from error


def _cannot_listen(settings: ServerSettings, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"cannot listen on {settings.host} port {settings.port} ({why}): choose others with --host and --port"
    )


def allow_sockets() -> None:
    """Raise the limit of open files as far as possible: a WebRTC call has a dozen."""
    if sys.platform == "win32":
        return  # has no such limit
    import resource

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(most, MACOS_FILES) if sys.platform == "darwin" else most
    if wanted > now:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def configured(app: "Starlette", settings: ServerSettings) -> "Config":
    """Return uvicorn's configuration.

    Raises ConfigurationError if it is not installed, or the files for TLS cannot be used.
    """
    try:
        import uvicorn

        from .http_protocol import HttpProtocol
        from .websocket_protocol import WebSocketProtocol
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'`antiphon serve` needs {error.name}: pip install "antiphon[server]"'
        ) from error
    config = uvicorn.Config(
        app,
        settings.host,
        settings.port,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        ws_max_size=settings.message_bytes,
        ws_per_message_deflate=False,  # audio does not compress, and trying costs more than anything else
        ws_ping_interval=PING_EVERY,
        ws_ping_timeout=PING_EVERY,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=CLOSE_WITHIN,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
    )
    try:
        config.load()
    except ssl.SSLError as error:
        raise ConfigurationError(
            f"TLS cannot use {settings.tls_cert} with the key {settings.tls_key} ({error.reason or error}): "
            "name a certificate and its own key, both as PEM files"
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"TLS cannot read {settings.tls_cert} or {settings.tls_key}: {error.strerror}"
        ) from error
    return config


def _draining(config: "Config", admission: Admission, idle: float, began: Callable[[], object]) -> "Server":
    """Return a uvicorn server that lets running calls end before it stops."""
    import uvicorn

    class DrainingServer(uvicorn.Server):
        def __init__(self, config: "Config") -> None:
            super().__init__(config)
            self._stop_level = 0  # 1: drain, 2: end the calls, 3: stop at once
            self._loop = asyncio.get_running_loop()
            self._ending: set[asyncio.Task[None]] = set()

        async def startup(self, sockets: list[socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                gc.collect()
                gc.freeze()  # so that collections during calls skip objects that stay forever
                began()
                if idle:
                    self._ending.add(asyncio.create_task(self._stop_when_idle(), name="antiphon idle"))

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # the first Ctrl-C counts as two SIGTERMs, since a user is waiting at the terminal
            self._stop_level += 2 if sig == signal.SIGINT and not self._stop_level else 1
            self._loop.call_soon_threadsafe(self._apply_stop_level)

        def _apply_stop_level(self) -> None:
            if self._stop_level > 2:
                self.should_exit = self.force_exit = True
                return
            ending = admission.end_all() if self._stop_level == 2 else admission.drain()
            logger.warning("stopping: %d sessions are running", len(admission.sessions))
            self._ending.add(asyncio.create_task(self._stop_after(ending), name="antiphon drain"))

        async def _stop_when_idle(self) -> None:
            quiet = 0.0
            while quiet < idle:
                await asyncio.sleep(POLL_EVERY)
                quiet = 0.0 if admission.sessions else quiet + POLL_EVERY
            self._stop_level = max(1, self._stop_level)
            self.should_exit = True

        async def _stop_after(self, ending: Coroutine[Any, Any, None]) -> None:
            await ending
            self.should_exit = True

    return DrainingServer(config)
