"""An environment for each peer, `.peers/<peer>/`, with the versions that are named here."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from antiphon.errors import ConfigurationError, UnavailableError

ROOT = Path(__file__).parents[2]
PATIENCE = 1800  # seconds that an installation may take


@dataclass(frozen=True, slots=True)
class Peer:
    """A framework beside us: its title in the table, and what pip installs for it."""

    title: str
    requirements: tuple[str, ...]


# Besides its core, each has what the smallest bot with the same vendors needs: OpenAI, Deepgram, Silero.
PEERS = {
    "pipecat": Peer("Pipecat 1.14.0", ("pipecat-ai[deepgram,openai,silero,websocket]==1.14.0",)),
    "livekit": Peer(
        "LiveKit Agents 1.8.9",
        (
            "livekit-agents==1.8.9",
            "livekit-plugins-deepgram==1.8.9",
            "livekit-plugins-openai==1.8.9",
            "livekit-plugins-silero==1.8.9",
        ),
    ),
}


def prepare(name: str) -> Path:
    """The Python of a peer's environment, made first where it is missing or holds other versions.

    Raises ConfigurationError where no environment can be made, UnavailableError where pip cannot fill it.
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
            "Where Python has no venv module: apt-get install python3-venv"
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
        return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"not done after {PATIENCE} s")


def _last(done: subprocess.CompletedProcess[str]) -> str:
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line and "WARNING" not in line]
    return lines[-1].strip() if lines else f"exit status {done.returncode}"
