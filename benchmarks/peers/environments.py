"""Which peers are measured, and in which versions? Each has an environment of its own, `.peers/<peer>/`."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from tomllib import loads

from antiphon.errors import ConfigurationError, UnavailableError

ROOT = Path(__file__).parents[2]
TIMEOUT = 1800  # seconds for an installation


@dataclass(frozen=True, slots=True)
class Peer:
    """A framework to compare with: its title in the table, and what pip installs for it."""

    title: str
    requirements: tuple[str, ...]


def _local_models() -> tuple[str, ...]:
    """Return what Antiphon's local models need, by pyproject.toml."""
    project = loads((ROOT / "pyproject.toml").read_text())["project"]
    return (*project["dependencies"], *project["optional-dependencies"]["local"])


# Besides its core, each has what the smallest bot with the same vendors needs: OpenAI, Deepgram, Silero; and
# the runtimes of the local models.
PEERS = {
    "pipecat": Peer(
        "Pipecat 1.14.0",
        ("pipecat-ai[deepgram,openai,silero,websocket]==1.14.0", *_local_models()),
    ),
    "livekit": Peer(
        "LiveKit Agents 1.8.9",
        (
            "livekit-agents==1.8.9",
            "livekit-plugins-deepgram==1.8.9",
            "livekit-plugins-openai==1.8.9",
            "livekit-plugins-silero==1.8.9",
            *_local_models(),
        ),
    ),
}


def prepare(name: str) -> Path:
    """Return the Python of a peer's environment, which is created if it is missing or out of date.

    Raises ConfigurationError if no environment can be created, UnavailableError if pip cannot install.
    """
    peer, home = PEERS[name], ROOT / ".peers" / name
    python, stamp = home / "bin" / "python", home / "requirements.txt"
    wanted = "\n".join(peer.requirements) + "\n"
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    shutil.rmtree(home, ignore_errors=True)
    made = _run(sys.executable, "-m", "venv", str(home))
    if made.returncode:
        raise ConfigurationError(
            f"no environment for {peer.title} could be made in {home.relative_to(ROOT)}: {_last(made)}. "
            "If Python has no venv module: apt-get install python3-venv"
        )
    filled = _run(
        str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *peer.requirements
    )
    if filled.returncode:
        by_hand = " ".join([f".peers/{name}/bin/python -m pip install", *map(repr, peer.requirements)])
        raise UnavailableError(
            f"{peer.title} could not be installed: {_last(filled)}. "
            f"It needs a package index that pip reaches; by hand: {by_hand}"
        )
    stamp.write_text(wanted)
    return python


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"not done after {TIMEOUT} s")


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line and "WARNING" not in line]
    return lines[-1].strip() if lines else f"exit status {done.returncode}"
