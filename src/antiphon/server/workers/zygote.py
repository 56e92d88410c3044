"""The process that workers are forked from.

It has imported and loaded everything, but runs nothing: it has one thread, no event loop and no connection
except the one to the server. To have a process forked, the server sends it the socket for that process. A
fork takes milliseconds, and shares all memory until it is written to.

A forked process inherits no threads, so a model that computes in threads would wait for them forever; and it
would share open connections and the event loop's epoll with other processes. So services are loaded here but
opened in the workers, and `unsafe` detects threads, connections and event loops that an agents' file leaves
behind: workers are then started as new programs.
"""

import asyncio
import contextlib
import gc
import logging
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
from ...agent_file import Agents
from ...errors import AntiphonError, YouErred
from ...services.composite import Composite
from ...services.ports import PORTS, Service
from ...transports.loopback import Loopback
from .job import Job
from .model_server import REMOTE, key_of
from .processes import call_this, die_with

__all__ = ["MODELS", "ROLES", "WORKER", "ForkVerdict", "Traces", "loaded", "main", "prepare", "unsafe"]

logger = logging.getLogger("antiphon.server")

WORKER, MODELS = b"w", b"m"
ROLES = {WORKER: "worker", MODELS: "models"}
OPENED_WITHIN = 30  # seconds for all services to open in the check at the start
FIRST = ("numpy", "onnxruntime")
"""Modules to import before `Traces`: onnxruntime starts an idle thread, which a fork does not need."""
EARLY = (  # modules that every session needs
    *("antiphon.server.workers.worker", "antiphon.server.session_transport"),
    *("antiphon.transports.websocket", "antiphon.rtvi", "antiphon.telemetry.latency"),
)
LATER = {"aiortc": "antiphon.transports.webrtc.aiortc", "wrtc": "antiphon.transports.webrtc.wrtc"}
SHARED = {"socket:": "a connection", "pipe:": "a pipe", "anon_inode:[eventpoll]": "an event loop"}
"""Kinds of descriptors that two processes cannot share."""


class ForkVerdict(msgspec.Struct):
    """The result of loading: the agents, and whether the process may be forked."""

    agents: list[str] = []
    served: bool = False
    """True if there may be resident models, which need the models' process."""
    unsafe: list[str] = []
    """Why this process cannot be forked; empty if it can."""
    problem: str = ""
    """Why the server cannot start with these agents; "" if it can."""


class _InPlace(asyncio.SelectorEventLoop):
    """An event loop in which `clock.offload` starts no thread: it runs in place."""

    virtual = True


class Traces:
    """A snapshot of this process's threads and descriptors, to detect new ones."""

    def __init__(self) -> None:
        self._begun = set(threading.enumerate())
        self._threads = _threads()
        self._descriptors = set(_descriptors())

    def new(self) -> Iterator[str]:
        """Yield in words what is new and would not work in a forked process."""
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
    """Return why this process cannot be forked; empty if it can."""
    gc.collect()  # closes what is not referenced any more
    return list(traces.new())


def main(control: socket.socket, job: Job) -> None:
    """Load the agents, send the verdict, and fork a process for each request."""
    for name in FIRST:
        if find_spec(name):
            import_module(name)
    traces = Traces()
    verdict, agents = loaded(job, traces)
    control.send(msgspec.msgpack.encode(verdict))
    if verdict.unsafe or verdict.problem:
        return
    gc.disable()
    gc.freeze()  # so that collections in workers do not write to these pages
    # Python warns of onnxruntime's thread, which is idle
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    while True:
        asked, descriptors, _, _ = socket.recv_fds(control, 1, 1)
        if not asked:  # the server has gone
            return
        with socket.socket(fileno=descriptors[0]) as end:
            _fork(control, asked, end, job, agents)


def loaded(job: Job, traces: Traces) -> tuple[ForkVerdict, Agents]:
    """Load a job's agents and models, and return the verdict and the agents.

    The models are not loaded if the agents' file alone already prevents forking.
    """
    problem = ""
    try:
        agents = job.load()
        found = unsafe(traces)
        served = _served(agents)
        if not found:
            prepare(agents, job)
            found = [f"when its models were loaded, {reason}" for reason in unsafe(traces)]
            problem = "" if found else _problem_in_a_fork(agents)
    except AntiphonError as error:
        return ForkVerdict(problem=str(error)), {}
    return ForkVerdict(list(agents), served, found, problem), agents


def _served(agents: Mapping[str, Any]) -> bool:
    return any(
        not isinstance(agent, AgentDefinition) or any(key_of(name, agent, port) for port in REMOTE)
        for name, agent in agents.items()
    )


def prepare(agents: Mapping[str, Any], job: Job) -> None:
    """Import what sessions need, and load models except those of the models' process."""
    with asyncio.Runner(loop_factory=_InPlace) as runner:
        runner.run(_prepare(agents, job))


async def _prepare(agents: Mapping[str, Any], job: Job) -> None:
    for name in (*EARLY, *([LATER[job.settings.webrtc]] if job.settings.webrtc in LATER else [])):
        with contextlib.suppress(ImportError):
            import_module(name)
    for agent in agents.values():
        if isinstance(agent, AgentDefinition):
            for service in _services_of(agent):
                await service.load()
            agent.session(Loopback())


def _services_of(agent: AgentDefinition) -> list[Service]:
    """Return the services that workers have themselves instead of by proxy."""
    own = [
        agent.service(port)
        for port in PORTS
        if agent.chosen(port) is not None and not (port in REMOTE and agent.is_resident(port))
    ]
    found: list[Service] = []
    for service in own:
        if isinstance(service, Composite):
            proxied = [one for one in (service.stt, service.llm) if one.resident]
            found += [one for one in service.services if one not in proxied]
        else:
            found.append(service)
    return found


def _problem_in_a_fork(agents: Mapping[str, Any]) -> str:
    """Open the services in a forked process, and return the problem, if any.

    A problem is an error of configuration, such as a missing key. Errors of a vendor are only logged, since
    they may be over before the first call.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            signal.alarm(OPENED_WITHIN)
            os.write(writer, asyncio.run(_problem(agents)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as answer:  # noqa: PTH123  a descriptor, not a path
        problem = answer.read().decode()
    os.waitpid(pid, 0)
    return problem


async def _problem(agents: Mapping[str, Any]) -> str:
    definitions = [agent for agent in agents.values() if isinstance(agent, AgentDefinition)]
    for service in [service for agent in definitions for service in _services_of(agent)]:
        try:
            await service.open()
            await service.close()
        except YouErred as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  the first call tries again
            logger.warning("a service cannot be opened now: %r", error)
    return ""


# Forking ----------------------------------------------------------------------------------------------


def _fork(control: socket.socket, role: bytes, end: socket.socket, job: Job, agents: Agents) -> None:
    """Fork twice, so that the server (a subreaper) becomes the process's parent."""
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return
    status = 1
    try:
        pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):  # the server has gone; the new process ends with it
                control.send(pid.to_bytes(4, "big"))
            status = 0
        else:
            control.close()
            begin(ROLES[role])
            gc.enable()
            work(role, end, job, agents)
            status = 0
    except BaseException as error:  # noqa: BLE001  the process must not continue as another zygote
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(status)


def begin(role: str) -> None:
    """Set up a process of the server: its name, session and ignored signals."""
    call_this(f"antiphon-{role}")
    if os.getsid(0) != os.getpid():
        os.setsid()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _ignore)  # not SIG_IGN, which its child processes would inherit


def _ignore(number: int, frame: object) -> None:
    """Ignore a signal that goes to the whole process group: the server handles it."""


def work(role: bytes, end: socket.socket, job: Job, agents: Agents) -> None:
    """Run as a worker or as the models' process until its end."""
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
    """Yield the number of each open descriptor and its kind."""
    for entry in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(OSError):  # the descriptor of this listing, which is closed by now
            yield entry.name, str(entry.readlink())
