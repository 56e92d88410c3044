"""The configuration of a child process, passed in its environment."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from ...agent_file import Agents
from ..settings import PREFIX, ServerSettings
from .limits import WorkerLimits

__all__ = ["Job"]

VARIABLE = PREFIX + "WORKERS_JOB"
KEYS = {PREFIX + "PRIVATE_KEYS", PREFIX + "PUBLIC_KEYS"}
"""Variables that child processes do not get, since agents' code must not see the keys."""
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",  # otherwise numpy starts threads, which prevent forking
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",  # each arena takes memory
}


class Job(msgspec.Struct, frozen=True):
    """The configuration of a zygote, a worker or the model process."""

    parent: int
    """The process id of the server."""
    agents: str | None
    """The Python file that defines the agents; None for the demo's agent."""
    settings: ServerSettings
    limits: WorkerLimits
    models: str
    """The address of the model process's socket."""
    level: int
    """The log level."""

    def environment(self, role: str, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return a child process's environment, with this job and without any keys."""
        keyless = replace(
            self.settings,
            host="127.0.0.1",  # the only host that settings without keys allow
            public_keys=(),
            private_keys=(),
            observe="always" if self.settings.observed else "never",
        )
        job = msgspec.structs.replace(self, settings=keyless)
        kept = {name: text for name, text in base.items() if name not in KEYS}
        threads = ONE_THREAD if role != "models" else {}
        return threads | kept | {VARIABLE: msgspec.json.encode(job).decode()}

    @classmethod
    def given(cls) -> "Job":
        """Return this process's job, and remove it from the environment."""
        return msgspec.json.decode(os.environ.pop(VARIABLE), type=cls)

    def load(self) -> Agents:
        """Import the agents' file and return its agents.

        Raises ConfigurationError if it defines none.
        """
        from ... import agent_file

        return agent_file.served(Path(self.agents) if self.agents else None)
