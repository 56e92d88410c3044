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

from ..agent_file import Agents
from . import clients, page, phone
from .admission import Admission
from .host import LoopHost
from .port import Host, OnReport, Refused
from .responses import HANDLERS, answer, refused
from .settings import ServerSettings

__all__ = ["app"]

LOCAL_PAGES = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"


class JsonCORSMiddleware(CORSMiddleware):
    """CORS whose refusals are JSON, like all errors of this server."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer the OPTIONS request that a browser sends before a page's request."""
        found = super().preflight_response(request_headers)
        if found.status_code < 400:
            return found
        answered = refused(
            Refused(found.status_code, f"this page may not send this request: {bytes(found.body).decode()}")
        )
        answered.headers["vary"] = "Origin"
        return answered


def app(agents: Agents | Callable[[OnReport], Host], settings: ServerSettings | None = None) -> Starlette:
    """Return the ASGI application that serves these agents.

    Sessions run in this event loop; to run them elsewhere, pass a function that makes a `Host`. A client that
    names no agent gets the first one. `app.state.admission` is the `Admission` that all routes share.
    """
    chosen = settings or ServerSettings()

    def loop_host(on_report: OnReport) -> Host:
        return LoopHost(cast(Agents, agents), chosen, on_report)

    admission = Admission(agents if callable(agents) else loop_host, chosen)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        await admission.start()
        try:
            async with phone.audiosocket(admission):
                yield
        finally:
            await admission.close()

    class RefusalCounter:
        """An ASGI middleware that counts error responses for the metrics."""

        def __init__(self, app: ASGIApp) -> None:
            self.app = app

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            async def counted(message: Message) -> None:
                if message.get("status", 0) >= 400:
                    admission.metrics.record_refusal(message["status"])
                await send(message)

            await self.app(scope, receive, counted)

    cors = Middleware(
        JsonCORSMiddleware,
        allow_origins=chosen.origins,
        allow_origin_regex=None if chosen.keyed else LOCAL_PAGES,
        allow_methods=["GET", "POST", "PATCH"],
        allow_headers=["*"],
        expose_headers=["retry-after"],
        max_age=3600,
    )
    built = Starlette(
        routes=[
            *clients.routes(admission),
            *phone.routes(admission),
            *_status_routes(admission),
            *(page.routes() if chosen.page else []),
        ],
        lifespan=lifespan,
        middleware=[Middleware(RefusalCounter), cors],
        exception_handlers=HANDLERS,
    )
    built.state.admission = admission
    return built


def _status_routes(admission: Admission) -> list[BaseRoute]:
    """Return the routes for the server's health, agents and metrics."""

    async def health(_: Request) -> Response:
        return answer({"status": "ok"})

    async def ready(_: Request) -> Response:
        if admission.draining:
            return answer({"status": "draining"}, 503)
        return answer({"status": "ready"}) if admission.host.room else answer({"status": "full"}, 503)

    async def status(_: Request) -> Response:
        return answer({"status": "ready", "transports": ["webrtc", "websocket"]})

    async def metrics(request: Request) -> Response:
        admission.check(request, "all")
        text = admission.metrics.text(
            {
                "sessions": admission.host.running,
                "sessions_pending": admission.unconnected,
                "room": admission.host.room,
                "draining": float(admission.draining),
            }
        )
        return Response(text, media_type="text/plain; version=0.0.4")

    async def agents(request: Request) -> Response:
        admission.check(request, "begin")
        return answer({"agents": [{"name": name} for name in admission.host.names]})

    return [
        Route("/health", health),
        Route("/ready", ready),
        Route("/status", status),
        Route("/agents", agents),
        Route("/metrics", metrics),
    ]
