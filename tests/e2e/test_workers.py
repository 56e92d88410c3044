"""Sessions in processes of their own: whatever becomes of one, the others go on."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from antiphon.audio.resample import resample
from antiphon.errors import ConfigurationError
from antiphon.server.port import (
    Candidates,
    HostedSession,
    Offer,
    Refused,
    SessionBegan,
    SessionOver,
    SessionReport,
    TurnAnswered,
    WebsocketOpening,
)
from antiphon.server.settings import ServerSettings
from antiphon.server.workers import WorkerHost, WorkerLimits
from antiphon.server.workers.model_client import ModelConnection, RemoteLanguageModel, RemoteSpeechToText
from antiphon.server.workers.model_server import ModelKey
from antiphon.services.ports import Speech
from antiphon.testing import ScriptedLLM, check_llm, check_stt
from antiphon.vendors.local.stt import Whisper
from antiphon.vendors.local.tts import Hibari

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are held by their pidfds"),
]

SAID = "the shop is open on Monday and on Friday"
BOT = Path(__file__).parent / "workers_bot.py"
PATIENCE = 20.0
NUMBERS = count(1)


class Caller:
    """The far end of a session's wire."""

    def __init__(self) -> None:
        self.closed: tuple[int, str] | None = None
        self._to: asyncio.Queue[str | None] = asyncio.Queue()
        self._from: asyncio.Queue[str] = asyncio.Queue()

    async def receive(self) -> str | None:
        return await self._to.get()

    def send(self, message: bytes | str) -> None:
        self._from.put_nowait(str(message))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = self.closed or (code, reason)
        self._to.put_nowait(None)

    def say(self, text: str) -> None:
        self._to.put_nowait(text)

    def hang_up(self) -> None:
        self._to.put_nowait(None)

    async def ask(self, text: str) -> str:
        """Say something and hear the answer."""
        self.say(text)
        return await asyncio.wait_for(self._from.get(), PATIENCE)


@dataclass
class Calls:
    """A host under test, and what it reported."""

    host: WorkerHost
    reports: list[SessionReport] = field(default_factory=list[SessionReport])

    async def begin(self, agent: str = "obedient", body: Any = None) -> tuple[Caller, HostedSession]:
        caller = Caller()
        opening = WebsocketOpening(f"session-{next(NUMBERS)}", agent, body)
        return caller, await self.host.open(opening, caller)

    def ends(self) -> list[str]:
        return [report.reason for report in self.reports if isinstance(report, SessionOver)]


@asynccontextmanager
async def calls(
    bot: Path = BOT, *, warm: int = 2, capacity: int = 100, **options: Any
) -> AsyncGenerator[Calls, None]:
    reports: list[SessionReport] = []
    host = WorkerHost(bot, ServerSettings(warm=warm, capacity=capacity), reports.append, **options)
    await host.start()
    try:
        yield Calls(host, reports)
    finally:
        await host.close()


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test, and see that it leaves neither a process nor a descriptor behind."""

    async def timed() -> None:
        await asyncio.wait_for(test, 6 * PATIENCE)

    before, others = descriptors(), children()
    asyncio.run(timed())
    left = set(children()) - set(others)
    assert [Path(f"/proc/{pid}/stat").read_text().split()[:3] for pid in left] == []
    assert descriptors() == before


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children(pid: int | str = "self") -> list[int]:
    """Children, dead ones that were not reaped included."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not is_so():
            await asyncio.sleep(0.02)


def test_a_session_has_a_process_of_its_own() -> None:
    async def test() -> None:
        async with calls() as it:
            caller, hosted = await it.begin()
            assert await caller.ask("hello") == "you said hello"
            assert int(await caller.ask("pid")) in children()
            assert (await hosted.offer(Offer("this"))).sdp == "answer to this"
            with pytest.raises(Refused, match="no candidates today"):
                await hosted.add_candidates(Candidates("pc", ()))
            caller.hang_up()
            assert await hosted.wait() == "the caller hung up"
            await until(lambda: it.host.running == 0)
            assert it.ends() == ["the caller hung up"]
            kinds = [type(report) for report in it.reports]
            assert SessionBegan in kinds and TurnAnswered in kinds, it.reports

    run(test())


def test_agents_are_made_in_the_worker_and_what_fails_is_refused() -> None:
    async def test() -> None:
        async with calls() as it:
            caller, _ = await it.begin("made")
            assert await caller.ask("hello") == "you said hello"
            with pytest.raises(Refused) as refused:
                await it.begin("made", "broken")
            assert refused.value.status == 500
            with pytest.raises(Refused) as refused:
                await it.begin("nobody")
            assert refused.value.status == 404

    run(test())


def test_a_worker_killed_takes_its_call_and_no_other() -> None:
    async def test() -> None:
        async with calls() as it:
            (one, doomed), (two, other), (three, _) = [await it.begin() for _ in range(3)]
            os.kill(int(await one.ask("pid")), signal.SIGKILL)
            assert await asyncio.wait_for(doomed.wait(), PATIENCE) == "its process was killed by SIGKILL"
            await until(lambda: one.closed is not None)
            assert one.closed == (1011, "its process was killed by SIGKILL")
            assert it.ends() == ["its process was killed by SIGKILL"]
            assert await two.ask("hello") == await three.ask("hello") == "you said hello"
            with pytest.raises(Refused) as refused:
                await doomed.offer(Offer(""))
            assert refused.value.status == 410
            await other.end("that is all")
            assert two.closed == (1000, "the end")
            await until(lambda: it.host.running == 1 and len(it.host.warm) == 2)

    run(test())


@pytest.mark.parametrize(
    ("order", "reason"),
    [("crash", "its process was killed by SIGSEGV"), ("leave", "its process ended with status 3")],
)
def test_the_agents_code_ends_its_process(order: str, reason: str) -> None:
    async def test() -> None:
        async with calls(warm=1) as it:
            other, _ = await it.begin()
            caller, hosted = await it.begin()
            caller.say(order)
            assert await asyncio.wait_for(hosted.wait(), PATIENCE) == reason
            assert await other.ask("hello") == "you said hello"

    run(test())


def test_too_much_memory_is_an_error_where_it_is_asked_for() -> None:
    async def test() -> None:
        async with calls(limits=WorkerLimits(memory_mb=100)) as it:
            caller, _ = await it.begin()
            assert await caller.ask("hoard") != "it is mine"
            assert await caller.ask("hello") == "you said hello"

    run(test())


def test_memory_that_no_limit_counts_is_noticed() -> None:
    async def test() -> None:
        async with calls(limits=WorkerLimits(memory_mb=100)) as it:
            caller, hosted = await it.begin()
            caller.say("share")
            assert "more than 100 MB of memory" in await asyncio.wait_for(hosted.wait(), PATIENCE)

    run(test())


def test_an_agent_that_blocks_its_loop_is_ended() -> None:
    async def test() -> None:
        async with calls(limits=WorkerLimits(stuck_after=1.5)) as it:
            caller, hosted = await it.begin()
            caller.say("block")
            assert "did not answer for 1.5 s" in await asyncio.wait_for(hosted.wait(), PATIENCE)

    run(test())


def test_who_takes_the_processor_goes_on_behind_the_others() -> None:
    async def test() -> None:
        async with calls(limits=WorkerLimits(cpu=0.02)) as it:
            caller, _ = await it.begin()
            pid = int(await caller.ask("pid"))
            assert await caller.ask("burn") == "warm"
            before = os.getpriority(os.PRIO_PROCESS, os.getpid())
            assert os.getpriority(os.PRIO_PROCESS, pid) == before
            await until(lambda: os.getpriority(os.PRIO_PROCESS, pid) == 19)
            assert await caller.ask("hello") == "you said hello"

    run(test())


def test_twenty_sessions_at_once() -> None:
    async def test() -> None:
        async with calls(warm=4, capacity=20) as it:
            begun = await asyncio.gather(*(it.begin() for _ in range(20)))
            assert it.host.room == 0
            with pytest.raises(Refused) as refused:
                await it.begin()
            assert (refused.value.status, refused.value.retry_after) == (429, 5)
            answers = await asyncio.gather(*(caller.ask(f"{n}") for n, (caller, _) in enumerate(begun)))
            assert answers == [f"you said {n}" for n in range(20)]
            assert len({await caller.ask("pid") for caller, _ in begun}) == 20
            for caller, _ in begun:
                caller.hang_up()
            await until(lambda: it.host.running == 0 and len(it.host.warm) == 4)

    run(test())


def test_the_pool_refills_itself() -> None:
    async def test() -> None:
        async with calls(warm=2) as it:
            first = {worker.child.pid for worker in it.host.warm if worker.child is not None}
            assert len(first) == 2
            for pid in first:
                os.kill(pid, signal.SIGKILL)
            caller, _ = await it.begin()
            assert await caller.ask("hello") == "you said hello"
            await until(lambda: len([worker for worker in it.host.warm if worker.alive]) == 2)

    run(test())


def test_closing_ends_every_call_by_its_name() -> None:
    async def test() -> None:
        async with calls() as it:
            begun = [await it.begin() for _ in range(3)]
        assert [await hosted.wait() for _, hosted in begun] == ["the server was closed"] * 3
        await asyncio.sleep(0)
        assert [caller.closed for caller, _ in begun] == [(1000, "the end")] * 3

    run(test())


def test_signals_for_all_are_the_servers_affair() -> None:
    async def test() -> None:
        async with calls() as it:
            caller, _ = await it.begin()
            await caller.ask("hello")
            for pid in children():
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                    os.kill(pid, number)
            assert await caller.ask("hello") == "you said hello"
            another, _ = await it.begin()
            assert await another.ask("hello") == "you said hello"

    run(test())


def test_what_a_session_has_started_ends_with_it() -> None:
    async def test() -> None:
        async with calls() as it:
            caller, hosted = await it.begin()
            child = int(await caller.ask("child"))
            assert runs(child)
            caller.hang_up()
            await hosted.wait()
            await until(lambda: not Path(f"/proc/{child}").exists())

    run(test())


def test_what_leaves_its_session_is_reaped() -> None:
    async def test() -> None:
        async with calls() as it:
            caller, hosted = await it.begin()
            child = int(await caller.ask("daemon"))
            caller.hang_up()
            await hosted.wait()
            await until(lambda: not Path(f"/proc/{child}").exists())

    run(test())


def test_workers_do_not_see_the_servers_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_PRIVATE_KEYS", "sk_0123456789abcdef")

    async def test() -> None:
        async with calls() as it:
            caller, _ = await it.begin()
            assert await caller.ask("keys") == "none"

    run(test())


def test_no_session_is_lost_with_the_zygote() -> None:
    async def test() -> None:
        async with calls(warm=1) as it:
            caller, _ = await it.begin()
            await until(lambda: len(it.host.warm) == 1)
            os.kill(named("antiphon-zygote"), signal.SIGKILL)
            assert await caller.ask("hello") == "you said hello"
            for _ in range(3):
                another, _ = await it.begin()
                assert await another.ask("hello") == "you said hello"
            assert await caller.ask("hello") == "you said hello"

    run(test())


def test_models_come_back() -> None:
    async def test() -> None:
        async with calls(warm=1) as it:
            caller, _ = await it.begin("shared")
            models = named("antiphon-models")
            assert await caller.ask("pid") == str(models)
            os.kill(models, signal.SIGKILL)
            await until(lambda: not runs(models))
            assert int(await caller.ask("pid")) == named("antiphon-models") != models

    run(test())


def named(name: str) -> int:
    (found,) = [pid for pid in children() if Path(f"/proc/{pid}/comm").read_text().strip() == name]
    return found


SERVER = """
import asyncio, sys
from pathlib import Path
from antiphon.server.settings import ServerSettings
from antiphon.server.workers import WorkerHost

async def main():
    host = WorkerHost(Path(sys.argv[1]), ServerSettings(warm=2))
    await host.start()
    print("ready", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


def test_nobody_outlives_the_server() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(BOT)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "ready\n"
        family = children(server.pid)
        assert len(family) == 4
        server.kill()
        server.wait()

    async def test() -> None:
        await until(lambda: not any(map(runs, family)))

    asyncio.run(test())
    for pid in family:  # the other tests have made this process the one that orphans come to
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def test_a_server_of_processes_drains() -> None:
    """One of twenty is killed, then all are told to stop, as a service manager does: nineteen go on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from antiphon.cli import main; main()", "serve", str(BOT)]
    options = ["--isolation", "process", "--port", str(port)]

    async def connected() -> ClientConnection:
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(OSError):
                    return await connect(f"ws://localhost:{port}/ws")
                await asyncio.sleep(0.1)

    async def said(client: ClientConnection, order: str) -> str:
        await client.send(order)
        return str(await asyncio.wait_for(client.recv(), PATIENCE))

    async def test(server: subprocess.Popen[str]) -> None:
        clients = [await connected() for _ in range(20)]
        pids = [int(await said(client, "pid")) for client in clients]
        assert len(set(pids)) == 20
        os.kill(pids[0], signal.SIGKILL)
        with pytest.raises(ConnectionClosed) as closed:
            await asyncio.wait_for(clients[0].recv(), PATIENCE)
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (
            1011,
            "its process was killed by SIGKILL",
        )
        for pid in [*children(server.pid), server.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for client in clients[1:]:
            assert await said(client, "hello") == "you said hello"
            await client.close()
        await until(lambda: server.poll() is not None)

    with subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True) as server:
        try:
            asyncio.run(asyncio.wait_for(test(server), 4 * PATIENCE))
            family = children()
            assert (server.returncode, family) == (0, [])
        finally:
            server.kill()
            print(server.communicate()[1])  # noqa: T201  shown where the test fails


def test_local_models_are_served(tmp_path: Path) -> None:
    """The real ones keep what their ports promise from another process; the rest is forked."""
    bot = tmp_path / "bot.py"
    bot.write_text("from antiphon import Agent\nagent = Agent('You are brief.')\n")

    async def spoken() -> bytes:
        async def text() -> AsyncIterator[str]:
            yield SAID

        pieces = [item.pcm async for item in Hibari().speak(text()) if isinstance(item, Speech)]
        return resample(b"".join(pieces), Hibari.sample_rate, 16000)

    speech = asyncio.run(spoken())

    async def test() -> None:
        async with calls(bot, warm=1) as it:
            assert it.host.forks
            connection = ModelConnection(it.host.models.address)
            whisper = Whisper("whisper-tiny.en")
            await check_stt(
                lambda: RemoteSpeechToText(whisper, ModelKey("stt", "local"), connection), speech, SAID
            )
            await check_llm(
                lambda: RemoteLanguageModel(ScriptedLLM([]), ModelKey("llm", "local"), connection)
            )
            connection.close()

    run(test())


UNSAFE = {
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=[99], daemon=True).start()",
    "an event loop": "import asyncio\nLOOP = asyncio.new_event_loop()",
    "a connection": "import socket\nPAIR = socket.socketpair()",
}


@pytest.mark.parametrize("what", UNSAFE)
def test_what_cannot_be_forked_is_spawned_and_said_once(
    what: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bot = tmp_path / "bot.py"
    bot.write_text(f"{UNSAFE[what]}\n{BOT.read_text()}")

    async def test() -> None:
        async with calls(bot, warm=1) as it:
            assert not it.host.forks
            for _ in range(2):
                caller, _ = await it.begin()
                assert await caller.ask("hello") == "you said hello"

    with caplog.at_level(logging.WARNING, "antiphon.server"):
        run(test())
    (said,) = [record.getMessage() for record in caplog.records if "cannot be forked" in record.getMessage()]
    assert what in said


@pytest.mark.parametrize(
    ("bot", "reason"),
    [("agent = 1", "has no agent"), ("import nowhere", "nowhere"), ("import os; os._exit(1)", "has ended")],
)
def test_a_file_without_an_agent_is_said_at_the_start(bot: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(bot)

    async def test() -> None:
        with pytest.raises(ConfigurationError, match=reason):
            async with calls(tmp_path / "bot.py"):
                pass

    run(test())
