"""The process that workers are forked from: everything is imported and loaded, nothing has begun.

It has one thread, no event loop and no connection but the one to the server, which asks it for a process and
sends along the socket that this one is to have. A fork then takes milliseconds, and shares all memory until
somebody writes to it.

What is not forked: threads, so a model that computes in its own would wait for them for ever; an event loop,
whose poll would be shared; a connection, from which two would read. An agent's file that leaves one of these
behind is found out (`unsafe`), and workers are started from nothing.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from ...agent import AgentDefinition
from ...errors import AntiphonError
from ...transports.loopback import Loopback
from ..host import Agents
from .job import Job
from .model_server import PORTS, key_of
from .processes import call_this, die_with

__all__ = ["MODELS", "ROLES", "WORKER", "ForkVerdict", "main", "unsafe"]

WORKER, MODELS = b"w", b"m"
ROLES = {WORKER: "worker", MODELS: "models"}
FIRST = ("numpy", "onnxruntime")
"""They are imported before anything is judged: onnxruntime begins a thread then, whose loss does no harm."""
EARLY = (
    *("antiphon.server.workers.worker", "antiphon.server.session_transport"),
    *("antiphon.transports.websocket", "antiphon.rtvi", "antiphon.telemetry.latency"),
)
LATER = {"aiortc": "antiphon.transports.webrtc.aiortc", "wrtc": "antiphon.transports.webrtc.wrtc"}
SHARED = {"socket:": "a connection", "pipe:": "a pipe", "anon_inode:[eventpoll]": "an event loop"}
"""What a descriptor may be that two processes cannot have in common."""


class ForkVerdict(msgspec.Struct):
    """What came of the loading: whether it may be forked, or what stands against it."""

    agents: list[str] = []
    served: bool = False
    """Whether there are models that one process must hold for all."""
    unsafe: list[str] = []
    problem: str = ""
    """What is wrong with the agents; nothing can be served then."""


class _InPlace(asyncio.SelectorEventLoop):
    """An event loop in which models are loaded without a thread: see `clock.offload`."""

    virtual = True


class Traces:
    """What this process has that would not survive a fork, by comparison with before."""

    def __init__(self) -> None:
        self._begun = set(threading.enumerate())
        self._threads = _threads()
        self._descriptors = set(_descriptors())

    def new(self) -> Iterator[str]:
        """What there is now and was not then, in words."""
        names = sorted(thread.name for thread in set(threading.enumerate()) - self._begun)
        if names:
            yield f"it has started threads ({', '.join(names[:3])})"
        elif (more := len(_threads() - self._threads)) > 0:
            yield f"a library has started {more} threads"
        opened = set(_descriptors()) - self._descriptors
        for start, name in SHARED.items():
            if any(kind.startswith(start) for _, kind in opened):
                yield f"it has opened {name}"


def unsafe(traces: Traces) -> list[str]:
    """Why this process cannot be forked; nothing where it can."""
    gc.collect()  # what nobody holds any more closes now
    return list(traces.new())


def main(control: socket.socket, job: Job) -> None:
    """Load, say what came of it, and fork a process whenever the server asks for one."""
    for name in FIRST:
        if find_spec(name):
            import_module(name)
    traces = Traces()
    verdict, agents = _loaded(job, traces)
    control.send(msgspec.msgpack.encode(verdict))
    if verdict.unsafe or verdict.problem:
        return
    gc.disable()
    gc.freeze()  # collections in the workers leave these pages alone
    # Python sees the thread of onnxruntime, which is idle and not missed
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    while True:
        asked, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not asked:  # the server has gone
            return
        with socket.socket(fileno=descriptors[0]) as end:
            _fork(control, asked, end, job, agents)


def _loaded(job: Job, traces: Traces) -> tuple[ForkVerdict, Agents]:
    try:
        agents = job.load()
        found = unsafe(traces)
        served = _served(agents)
        if not found:
            prepare(agents, job)
            found = [f"when its models were loaded, {reason}" for reason in unsafe(traces)]
    except AntiphonError as error:
        return ForkVerdict(problem=str(error)), {}
    return ForkVerdict(list(agents), served, found), agents


def _served(agents: Mapping[str, Any]) -> bool:
    return any(
        not isinstance(agent, AgentDefinition) or any(key_of(name, agent, port) for port in PORTS)
        for name, agent in agents.items()
    )


def prepare(agents: Mapping[str, Any], job: Job) -> None:
    """Import what a session needs, and load the models that are not served elsewhere."""
    with asyncio.Runner(loop_factory=_InPlace) as runner:
        runner.run(_prepare(agents, job))


async def _prepare(agents: Mapping[str, Any], job: Job) -> None:
    for name in (*EARLY, *([LATER[job.settings.webrtc]] if job.settings.webrtc in LATER else [])):
        with contextlib.suppress(ImportError):
            import_module(name)
    for agent in agents.values():
        if isinstance(agent, AgentDefinition):
            for port in ("vad", "eot", "tts"):
                if getattr(agent, port) is not None:
                    service = agent.service(port)
                    if hasattr(service, "load"):
                        await service.load()
            agent.session(Loopback())


# Forking ----------------------------------------------------------------------------------------------


def _fork(control: socket.socket, role: bytes, end: socket.socket, job: Job, agents: Agents) -> None:
    """Fork a process that is the server's own: by one between, which ends."""
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return
    status = 1
    try:
        pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):  # the server has gone, and its process will
                control.send(pid.to_bytes(4, "big"))
            status = 0
        else:
            control.close()
            begin(ROLES[role])
            gc.enable()
            work(role, end, job, agents)
            status = 0
    except BaseException as error:  # noqa: BLE001  it must not go on as another zygote
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(status)


def begin(role: str) -> None:
    """What every process of the server does first, so that it ends by the server's word alone."""
    call_this(f"antiphon-{role}")
    if os.getsid(0) != os.getpid():
        os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _heedless)  # not SIG_IGN, which programs that it starts would inherit


def _heedless(number: int, frame: object) -> None:
    """Go on: a signal for all, as of a terminal or a service manager, is the server's affair."""


def work(role: bytes, end: socket.socket, job: Job, agents: Agents) -> None:
    """Be what one was made for, then end without looking back."""
    if role == MODELS:
        from .model_server import serve_models

        die_with(job.parent)
        serve_models(end, agents)
    else:
        from .worker import run

        run(end, job, agents)
    sys.stdout.flush()
    sys.stderr.flush()


def _threads() -> set[str]:
    return {entry.name for entry in Path("/proc/self/task").iterdir()}


def _descriptors() -> Iterator[tuple[str, str]]:
    """The number of each open descriptor and what it is."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):  # that of this listing
            yield entry.name, str(entry.readlink())
