"""The server as one ASGI application."""

import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import cast

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import clients, page, phone
from .admission import Admission
from .host import Agents, Host, LoopHost, Refused, Report
from .responses import HANDLERS, answer, refused
from .settings import ServerSettings

__all__ = ["app"]

LOCAL_PAGES = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"


class Cors(CORSMiddleware):
    """Which refuses in JSON, too."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser asks before it sends a page's request."""
        found = super().preflight_response(request_headers)
        if found.status_code < 400:
            return found
        said = refused(Refused(found.status_code, f"a page may not ask this: {bytes(found.body).decode()}"))
        said.headers["vary"] = "Origin"
        return said


def app(agents: Agents | Callable[[Report], Host], settings: ServerSettings | None = None) -> Starlette:
    """An application that serves these agents, or those of a host; the first is meant when none is named.

    Its `state.reception` is what all routes share.
    """
    chosen = settings or ServerSettings()

    def in_this_loop(report: Report) -> Host:
        return LoopHost(cast(Agents, agents), chosen, report)

    reception = Admission(agents if callable(agents) else in_this_loop, chosen)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        await reception.start()
        try:
            async with phone.audiosocket(reception):
                yield
        finally:
            await reception.close()

    class Counting:
        """Counts what is refused."""

        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def counted(message: Message) -> None:
                if message.get("status", 0) >= 400:
                    reception.metrics.refuse(message["status"])
                await send(message)

            await self.app(scope, receive, counted)

    cors = Middleware(
        Cors,
        allow_origins=chosen.origins,
        allow_origin_regex=None if chosen.keyed else LOCAL_PAGES,
        allow_methods=["GET", "POST", "PATCH"],
        allow_headers=["*"],
        expose_headers=["retry-after"],
        max_age=3600,
    )
    built = Starlette(
        routes=[
            *clients.routes(reception),
            *phone.routes(reception),
            *_about(reception),
            *(page.routes() if chosen.page else []),
        ],
        lifespan=lifespan,
        middleware=[Middleware(Counting), cors],
        exception_handlers=HANDLERS,
    )
    built.state.reception = reception
    return built


def _about(reception: Admission) -> list[BaseRoute]:
    """What the server says of itself."""

    async def health(_: Request) -> Response:
        return answer({"status": "ok"})

    async def ready(_: Request) -> Response:
        if reception.draining:
            return answer({"status": "draining"}, 503)
        return answer({"status": "ready"}) if reception.host.room else answer({"status": "full"}, 503)

    async def status(_: Request) -> Response:
        return answer({"status": "ready", "transports": ["webrtc", "websocket"]})

    async def metrics(request: Request) -> Response:
        reception.check(request, "all")
        text = reception.metrics.text(
            {
                "sessions": reception.host.running,
                "sessions_pending": reception.pending,
                "room": reception.host.room,
                "draining": float(reception.draining),
            }
        )
        return Response(text, media_type="text/plain; version=0.0.4")

    async def agents(request: Request) -> Response:
        reception.check(request, "begin")
        return answer({"agents": [{"name": name} for name in reception.host.names]})

    return [
        Route("/health", health),
        Route("/ready", ready),
        Route("/status", status),
        Route("/agents", agents),
        Route("/metrics", metrics),
    ]
