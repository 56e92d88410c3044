"""A server whose sessions are scripted, and a client of it on the same machine."""

from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession

from antiphon.server.admission import Admission
from antiphon.server.app import app
from antiphon.server.port import OnReport
from antiphon.server.settings import ServerSettings
from antiphon.testing.host import ScriptedHost


@dataclass
class Server:
    """A running application, seen from outside and from inside."""

    client: TestClient
    host: ScriptedHost
    admission: Admission

    def socket(self, path: str, **headers: str) -> WebSocketTestSession:
        """A websocket at a path, to be entered."""
        return self.client.websocket_connect(f"ws://localhost:7860{path}", headers=headers)

    def start_socket(self, **headers: str) -> str:
        """The path of a websocket that /start has prepared."""
        told = self.client.post("/start", json={"transport": "websocket"}, headers=headers).json()
        return told["wsUrl"].removeprefix("ws://localhost:7860")

    def come_from(self, address: str) -> None:
        """Let what the client asks from now on come from another address."""
        self.client._transport.client = (address, 50000)  # pyright: ignore


@pytest.fixture
def serve() -> Generator[Callable[..., Any]]:
    """Starts a server with these settings; `room` and `address` (the client's) beside them."""
    with ExitStack() as stack:

        def start(
            *, room: int = 100, address: str = "127.0.0.1", at: str = "http://localhost:7860", **settings: Any
        ) -> Server:
            hosts: list[ScriptedHost] = []

            def make_host(on_report: OnReport) -> ScriptedHost:
                hosts.append(ScriptedHost(on_report, room=room))
                return hosts[0]

            built = app(make_host, ServerSettings(**settings))
            client = TestClient(built, base_url=at, client=(address, 50000), raise_server_exceptions=False)
            stack.enter_context(client)
            return Server(client, hosts[0], built.state.admission)

        yield start
