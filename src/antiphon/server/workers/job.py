"""What a process of the server is told when it begins: plain data, in its environment."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from ..host import Agents
from ..settings import PREFIX, ServerSettings
from .bounds import Bounds

__all__ = ["Job"]

VARIABLE = PREFIX + "WORKERS_JOB"
KEYS = {PREFIX + "PRIVATE_KEYS", PREFIX + "PUBLIC_KEYS"}
"""They are the server's alone: agents' code has no use for them."""
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",  # numpy's threads would stand there before the fork
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",  # each arena is memory of its own
}


class Job(msgspec.Struct, frozen=True):
    """For whom a process works, and on what."""

    parent: int
    """The process id of the server."""
    agents: str | None
    """The Python file that has them; None is the demo's agent."""
    settings: ServerSettings
    bounds: Bounds
    models: str
    """The address of the socket at which models answer."""
    level: int
    """What is logged."""

    def environment(self, role: str, base: Mapping[str, str] = os.environ) -> dict[str, str]:
        """The environment of a process with this job; no key of the server is in it."""
        keyless = replace(
            self.settings,
            host="127.0.0.1",  # elsewhere it would want keys
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
        """The job of this process; its environment does not keep it."""
        return msgspec.json.decode(os.environ.pop(VARIABLE), type=cls)

    def load(self) -> Agents:
        """Run the file and give its agents. Raises ConfigurationError where it has none."""
        from ... import agent_file

        return agent_file.served(Path(self.agents) if self.agents else None)
