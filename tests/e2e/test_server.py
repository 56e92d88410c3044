"""`antiphon serve` as a process of its own: real sockets, real signals."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

pytestmark = pytest.mark.e2e

AGENT = """
from antiphon import Agent
from antiphon.testing.scripted import LoudVAD, ScriptedLLM, ScriptedSTT, ScriptedTTS

agent = Agent(
    "Be brief.",
    stt=ScriptedSTT(["Hello."] * 99),
    llm=ScriptedLLM(["Good day, and how are you today?"] * 999),
    tts=ScriptedTTS(),
    vad=LoudVAD(),
    eot=None,
    greeting="Good day to you all, this is quite a long greeting, and it goes on and on for a while.",
)

if __name__ == "__main__":
    agent.run()
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop.py"
    path.write_text(AGENT)
    return path


class Server:
    """`antiphon serve` on a port of this machine."""

    def __init__(self, process: subprocess.Popen[str], port: int, scheme: str = "http") -> None:
        self.process = process
        self.port = port
        self.url = f"{scheme}://localhost:{port}"

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(verify=False) as client:
            return await client.get(self.url + path)

    def tell(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def over(self, within: float) -> int:
        """How it ended."""
        async with asyncio.timeout(within):
            while (code := self.process.poll()) is None:
                await asyncio.sleep(0.05)
        return code

    def rss(self) -> int:
        """Bytes of memory."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")


@asynccontextmanager
async def served(*line: str, **environment: str) -> AsyncGenerator[Server, None]:
    port = free_port()
    command = [sys.executable, *line, "--port", str(port)]
    process = subprocess.Popen(  # noqa: ASYNC220  it takes a millisecond
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    scheme = "https" if "--tls-cert" in line else "http"
    server = Server(process, port, scheme)
    try:
        async with asyncio.timeout(30):
            while True:
                try:
                    if (await server.get("/ready")).status_code == 200:
                        break
                except httpx.TransportError:
                    assert process.poll() is None, process.communicate()[1]
                    await asyncio.sleep(0.05)
        yield server
    finally:
        process.kill()
        process.communicate()


def serving(file: Path, *more: str) -> tuple[str, ...]:
    return ("-c", "from antiphon.cli import main; main()", "serve", str(file), *more)


@asynccontextmanager
async def call(server: Server) -> AsyncGenerator[ClientConnection, None]:
    """A client in a conversation."""
    async with connect(f"ws://localhost:{server.port}/ws?framing=json") as client:
        about = {"version": "2.1.0", "about": {"library": "test"}}
        await client.send(message("client-ready", about))
        await until(client, "bot-ready")
        yield client


def message(kind: str, data: Any = None) -> str:
    return json.dumps({"label": "rtvi-ai", "type": kind, "id": "1", "data": data})


def handshake(library: str) -> bytes:
    """What a websocket and the client protocol begin with."""
    body = message("client-ready", {"version": "2.1.0", "about": {"library": library}}).encode()
    return (
        b"GET /ws?framing=json HTTP/1.1\r\nHost: localhost\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        b"\x81\xfe" + len(body).to_bytes(2) + b"\0\0\0\0" + body
    )


async def until(client: ClientConnection, kind: str) -> None:
    """Wait for a message of this type."""
    async with asyncio.timeout(15):
        while json.loads(await client.recv())["type"] != kind:
            pass


def test_sigterm_in_the_middle_of_twenty_calls_drops_none(file: Path) -> None:
    async def talk(server: Server, told: asyncio.Event) -> str:
        async with call(server) as client:
            await told.wait()
            await client.send(message("send-text", {"content": "Still there?", "options": {}}))
            await until(client, "bot-started-speaking")
            await until(client, "bot-stopped-speaking")
            await client.send(message("disconnect-bot", {}))
            with pytest.raises(ConnectionClosed) as closed:
                await until(client, "nothing")
            assert closed.value.rcvd is not None
            return str(closed.value.rcvd.code)

    async def main() -> None:
        async with served(*serving(file)) as server:
            told = asyncio.Event()
            calls = [asyncio.create_task(talk(server, told)) for _ in range(20)]
            while "antiphon_sessions 20" not in (await server.get("/metrics")).text:
                await asyncio.sleep(0.05)
            server.tell(signal.SIGTERM)
            while (await server.get("/ready")).status_code != 503:
                await asyncio.sleep(0.05)
            assert (await server.get("/health")).status_code == 200
            with pytest.raises(InvalidStatus) as refused:
                async with connect(f"ws://localhost:{server.port}/ws"):
                    pass
            assert refused.value.response.status_code == 503
            told.set()
            assert await asyncio.gather(*calls) == ["1000"] * 20
            assert await server.over(within=10) == 0

    asyncio.run(main())


def test_a_second_sigterm_lets_the_agent_finish_its_sentence(file: Path) -> None:
    async def main() -> None:
        async with served(*serving(file)) as server, call(server) as client:
            await until(client, "bot-started-speaking")
            server.tell(signal.SIGTERM)
            await asyncio.sleep(0.3)
            assert server.process.poll() is None
            server.tell(signal.SIGTERM)
            await until(client, "bot-stopped-speaking")
            with pytest.raises(ConnectionClosed):
                await until(client, "nothing")
            assert await server.over(within=10) == 0

    asyncio.run(main())


@pytest.mark.parametrize("isolation", ["loop", "process"])
def test_after_the_server_stood_still_the_agent_goes_on_where_it_stopped(file: Path, isolation: str) -> None:
    async def received(client: ClientConnection, seconds: float) -> float:
        """The seconds of the agent's voice that come within this time."""
        heard = 0.0
        try:
            async with asyncio.timeout(seconds):
                async for text in client:
                    said = json.loads(text)
                    if said["type"] == "bot-tts-audio":
                        heard += len(said["data"]["audio"]) * 3 / 4 / 2 / said["data"]["sample_rate"]
        except TimeoutError:
            pass
        return heard

    async def main() -> None:
        async with served(*serving(file, "--isolation", isolation)) as server, call(server) as client:
            await until(client, "bot-started-speaking")
            server.tell(signal.SIGSTOP)
            await received(client, 3.0)
            server.tell(signal.SIGCONT)
            assert await received(client, 0.3) < 1.5, "not all that was said meanwhile"
            assert await received(client, 8.0) > 2.5, "but later"

    asyncio.run(main())


def test_calls_go_on_for_as_long_as_is_set(file: Path) -> None:
    async def main() -> None:
        async with served(*serving(file, "--drain", "0.5")) as server, call(server) as client:
            server.tell(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                await until(client, "nothing")
            assert await server.over(within=10) == 0

    asyncio.run(main())


def test_readers_who_do_not_read_disturb_nobody(file: Path) -> None:
    async def deaf(server: Server) -> socket.socket:
        plain = socket.create_connection(("localhost", server.port))
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.sendall(handshake("deaf"))
        return plain

    async def main() -> None:
        async with served(*serving(file), ANTIPHON_QUEUE_BYTES="65536") as server:
            silent = [await deaf(server) for _ in range(20)]
            before = server.rss()
            async with call(server) as client:
                await until(client, "bot-stopped-speaking")
                for _ in range(3):
                    await client.send(message("send-text", {"content": "Hello?", "options": {}}))
                    await until(client, "bot-started-speaking")
                    await until(client, "bot-stopped-speaking")
            assert server.rss() - before < 30e6
            for plain in silent:
                plain.close()

    asyncio.run(main())


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate of localhost and its key, as files."""
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    names = ("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost")
    kind = ("req", "-x509", "-newkey", "rsa:2048", "-nodes")
    subprocess.run(["openssl", *kind, "-keyout", key, "-out", cert, *names], check=True, capture_output=True)
    return cert, key


def test_tls(file: Path, certificate: tuple[str, str]) -> None:
    cert, key = certificate

    async def main() -> None:
        async with served(*serving(file, "--tls-cert", cert, "--tls-key", key)) as server:
            context = ssl.create_default_context(cafile=cert)
            async with httpx.AsyncClient(verify=context) as client:
                told = (await client.post(f"{server.url}/start", json={"transport": "websocket"})).json()
            assert told["wsUrl"].startswith("wss://")
            async with connect(f"{told['wsUrl']}&framing=json", ssl=context) as client:
                await client.send(message("client-ready", {"version": "2.1.0", "about": {"library": "t"}}))
                await until(client, "bot-ready")
                server.tell(signal.SIGTERM)
                await until(client, "bot-stopped-speaking")
                assert server.process.poll() is None
            assert await server.over(within=10) == 0

    asyncio.run(main())


def test_a_reader_who_does_not_read_is_noticed_behind_tls_too(
    file: Path, certificate: tuple[str, str]
) -> None:
    cert, key = certificate
    small = {"ANTIPHON_QUEUE_BYTES": "1000"}

    def deaf(server: Server) -> ssl.SSLSocket:
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.connect(("localhost", server.port))
        secret = ssl.create_default_context(cafile=cert).wrap_socket(plain, server_hostname="localhost")
        secret.sendall(handshake("deaf"))
        return secret

    async def main() -> None:
        async with served(*serving(file, "--tls-cert", cert, "--tls-key", key), **small) as server:
            silent = [await asyncio.to_thread(deaf, server) for _ in range(5)]
            async with asyncio.timeout(25):  # before a ping that is not answered ends them
                while "antiphon_sessions 0\n" not in (await server.get("/metrics")).text:
                    await asyncio.sleep(0.2)
            for secret in silent:
                secret.close()

    asyncio.run(main())


def test_an_agent_that_runs_has_its_page(file: Path) -> None:
    async def main() -> None:
        async with served(str(file)) as server:
            assert "<title>" in (await server.get("/")).text
            server.tell(signal.SIGINT)
            assert await server.over(within=10) == 0

    asyncio.run(main())


def test_a_port_that_is_taken_is_told(file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, *serving(file, "--port", str(taken.getsockname()[1]))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2
    assert "Address already in use" in done.stderr
    assert done.stderr.count("\n") == 1
