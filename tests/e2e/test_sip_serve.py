"""`antiphon serve --sip` as a process of its own, in its own event loop, called by sipp and by telephones."""

import asyncio
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from antiphon.audio.levels import rms
from antiphon.testing.softphone import free_port, softphone

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(importlib.util.find_spec("baresip") is None, reason='needs "antiphon[sip]"'),
]

SCENARIO = Path(__file__).parents[1] / "assets" / "caller.sipp.xml"
AGENTS = """
from antiphon import Agent
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS

def speaking(greeting):
    return Agent("Be brief.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), tts=ScriptedTTS(), vad=None, eot=None,
                 greeting=greeting)

def sales(opening):
    call = opening.call
    assert call.called == "sales" and call.caller.startswith("sip:") and call.provider == "sip"
    return speaking("Sales department, good morning to you.")

agents = {"shop": speaking("Shop."), "sales": sales, "broken": lambda opening: 1 / 0}
"""


class Server:
    """`antiphon serve`, and where it is called."""

    def __init__(self, process: subprocess.Popen[str], http: int, sip: str) -> None:
        self.process, self.http, self.sip = process, http, sip

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(f"http://127.0.0.1:{self.http}{path}")

    async def over(self) -> int:
        """How it ended."""
        async with asyncio.timeout(10):
            while (code := self.process.poll()) is None:
                await asyncio.sleep(0.05)
        return code


def command(file: Path, *more: str) -> list[str]:
    return [sys.executable, "-c", "from antiphon.cli import main; main()", "serve", str(file), *more]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "agents.py"
    path.write_text(AGENTS)
    return path


@asynccontextmanager
async def served(file: Path, *more: str, **environment: str) -> AsyncGenerator[Server]:
    http, sip = free_port(), f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(  # noqa: ASYNC220  it takes a millisecond
        command(file, "--port", str(http), "--sip", sip, *more),
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    server = Server(process, http, sip)
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


def test_the_number_that_is_called_chooses_the_agent(file: Path) -> None:
    async def main() -> None:
        async with served(file) as server, softphone() as phone:
            for number, characters in (("shop", 5), ("sales", 38), ("+4930123", 5)):
                call = await phone.call(server.sip, number)
                await asyncio.sleep(3.5)
                spoken = sum(0.02 for _, _, pcm in call.media.heard if rms(pcm) > -40)
                assert spoken == pytest.approx(characters / 15, abs=0.2), number
                await call.hang_up()
            await phone.call(server.sip, "broken")
            phone.answer(await phone.expect("BYE"), "200 OK")  # an agent that cannot be made holds nobody
            metrics = (await server.get("/metrics")).text
            assert 'antiphon_sessions_began_total{kind="sip"} 3' in metrics
            assert "antiphon_sessions 0" in metrics
            assert 'antiphon_refused_total{status="500"} 1' in metrics

    asyncio.run(main())


def test_there_is_room_for_so_many_and_on_sigterm_they_end_in_peace(file: Path) -> None:
    async def main() -> None:
        async with (
            served(file, "--capacity", "2") as server,
            softphone() as ada,
            softphone() as bob,
            softphone() as eve,
        ):
            first, second = await ada.call(server.sip), await bob.call(server.sip)
            await eve.ring(server.sip)
            await eve.expect("486 INVITE")
            assert 'antiphon_refused_total{status="429"} 1' in (await server.get("/metrics")).text
            assert (await server.get("/ready")).status_code == 503
            await second.hang_up()
            server.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(5):
                while (await server.get("/ready")).json()["status"] != "draining":
                    await asyncio.sleep(0.05)
            await eve.ring(server.sip)
            await eve.expect("486 INVITE")
            begun = len(first.media.heard)
            await asyncio.sleep(1.0)
            assert len(first.media.heard) - begun > 40, "who is in goes on"
            assert server.process.poll() is None
            await first.hang_up()
            assert await server.over() == 0

    asyncio.run(main())


@pytest.mark.skipif(shutil.which("sipp") is None, reason="no sipp: apt-get install sip-tester")
def test_many_call_at_the_same_time(file: Path) -> None:
    async def main() -> None:
        async with served(file) as server:
            sipp = await asyncio.create_subprocess_exec(
                *("sipp", server.sip, "-sf", str(SCENARIO), "-m", "8", "-l", "8", "-r", "8"),
                *("-i", "127.0.0.1", "-p", str(free_port()), "-key", "rtp", str(free_port())),
                *("-nostdin", "-timeout", "30"),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            async with asyncio.timeout(30):
                while "antiphon_sessions 8" not in (await server.get("/metrics")).text:
                    await asyncio.sleep(0.1)
                assert await sipp.wait() == 0
                while "antiphon_sessions 0" not in (await server.get("/metrics")).text:
                    await asyncio.sleep(0.1)
            server.process.send_signal(signal.SIGTERM)
            assert await server.over() == 0

    asyncio.run(main())


def test_it_registers_while_it_runs(file: Path) -> None:
    async def main() -> None:
        async with softphone("registrar") as registrar:

            async def register() -> None:
                for _ in range(2):
                    registrar.answer(await registrar.expect("REGISTER", 20), "200 OK", Expires="600")

            registering = asyncio.create_task(register())
            provider = {"ANTIPHON_SIP_USER": "line1", "ANTIPHON_SIP_DOMAIN": f"127.0.0.1:{registrar.port}"}
            async with served(file, **provider) as server:
                server.process.send_signal(signal.SIGTERM)
                assert await server.over() == 0
            await registering
            assert registrar.seen[0]["To"].startswith("<sip:line1@")
            assert "expires=0" in registrar.seen[-1]["Contact"]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "environment", "said"),
    [
        (["--sip", "here"], {}, "write an address and its port, as 127.0.0.1:5060"),
        (["--sip", "203.0.113.9:5060"], {}, "cannot listen on 203.0.113.9:5060"),
        (["--sip", "127.0.0.1:5060", "--isolation", "process"], {}, "SIP calls run in the server's own"),
        ([], {"ANTIPHON_SIP_DOMAIN": "sip.example.com"}, "say where to listen as well"),
        (["--sip", "127.0.0.1:5060"], {"ANTIPHON_SIP_PASSWORD": "secret"}, "no domain to register with"),
        (["--sip", "127.0.0.1:5060"], {"ANTIPHON_SIP_PROTOCOL": "sctp"}, "use udp or tcp or tls"),
    ],
)
def test_wrong_settings_are_told(
    file: Path, options: list[str], environment: dict[str, str], said: str
) -> None:
    line = command(file, "--port", str(free_port()), *options)
    ended = subprocess.run(
        line, env=os.environ | environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert said in " ".join((ended.stdout + ended.stderr).split())
