"""What would not survive a fork is found, and services that connect are opened after it."""

import asyncio
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from antiphon.server.settings import ServerSettings
from antiphon.server.workers.job import Job
from antiphon.server.workers.limits import WorkerLimits
from antiphon.server.workers.model_client import ModelConnection, with_remote_models
from antiphon.server.workers.zygote import ForkVerdict, Traces, loaded, unsafe

pytestmark = pytest.mark.skipif(not hasattr(socket, "send_fds"), reason="reads /proc")


def test_plain_objects_are_safe() -> None:
    traces = Traces()
    with open(__file__) as file:  # noqa: PTH123  a file may be shared
        assert file.readline()
        assert unsafe(traces) == []


def test_a_connection_is_not() -> None:
    traces = Traces()
    one, other = socket.socketpair()
    with one, other:
        assert unsafe(traces) == ["it has opened a connection"]
    assert unsafe(traces) == []


def test_an_event_loop_is_not_unless_it_is_closed() -> None:
    traces = Traces()
    loop = asyncio.new_event_loop()
    found = unsafe(traces)
    assert "it has opened an event loop" in found
    loop.close()
    assert unsafe(traces) == []


def test_a_thread_is_not() -> None:
    traces = Traces()
    done = threading.Event()
    thread = threading.Thread(target=done.wait, name="mine")
    thread.start()
    try:
        assert unsafe(traces) == ["it has started threads (mine)"]
        assert unsafe(Traces()) == [], "what was there before is not new"
    finally:
        done.set()
        thread.join()


# The life of services --------------------------------------------------------------------------------

BOT = """
import socket

from antiphon import Agent
from antiphon.errors import ConfigurationError
from antiphon.services.composite import Composite
from antiphon.testing import LoudVAD, ScriptedLLM, ScriptedSTT, ScriptedTTS


class Connects(ScriptedLLM):
    loaded = False

    async def load(self):
        self.loaded = True

    async def open(self):
        if {missing}:
            raise ConfigurationError("the key is missing")
        self.ends = socket.socketpair()

    async def close(self):
        for end in self.ends:
            end.close()


class Resident(ScriptedSTT):
    resident = True

    async def load(self):
        raise AssertionError("this process must not load what it cannot fork")


parts = {{"stt": Resident([]), "llm": Connects([]), "tts": ScriptedTTS()}}
agent = Agent("x", vad=None, eot=None, **{parts})
"""


def verdict_on(folder: Path, *, missing: bool, parts: str = "parts") -> tuple[ForkVerdict, Any]:
    file = folder / "bot.py"
    file.write_text(BOT.format(missing=missing, parts=parts))
    job = Job(os.getpid(), str(file), ServerSettings(), WorkerLimits(), "/nowhere", 30)
    return loaded(job, Traces())


def test_what_connects_in_open_is_forked_and_what_is_resident_is_not(tmp_path: Path) -> None:
    verdict, agents = verdict_on(tmp_path, missing=False)
    assert verdict == ForkVerdict(["bot"], served=True)
    assert agents["bot"].llm.loaded
    assert not hasattr(agents["bot"].llm, "ends"), "it is opened in the worker"
    remote: Any = with_remote_models(agents, ModelConnection("/nowhere"))
    assert remote["bot"].llm is agents["bot"].llm
    assert remote["bot"].stt is not agents["bot"].stt


COMPOSITE = '{"realtime": Composite(**parts, vad=LoudVAD())}'


def test_what_is_resident_in_a_composite_is_not_forked(tmp_path: Path) -> None:
    verdict, agents = verdict_on(tmp_path, missing=False, parts=COMPOSITE)
    assert verdict == ForkVerdict(["bot"], served=True)
    own = agents["bot"].realtime
    assert own.llm.loaded
    remote: Any = with_remote_models(agents, ModelConnection("/nowhere"))
    proxy = remote["bot"].realtime
    assert (proxy.llm, proxy.tts, proxy.detection) == (own.llm, own.tts, "either")
    assert proxy.stt is not own.stt
    assert own.resident
    assert not proxy.resident


def test_a_missing_key_is_told_at_the_start(tmp_path: Path) -> None:
    verdict, _ = verdict_on(tmp_path, missing=True)
    assert verdict.problem == "the key is missing"
