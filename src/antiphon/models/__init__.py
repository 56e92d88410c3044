"""The local models: a catalogue, and a store that downloads and verifies them.

from antiphon.models import path
folder = path("whisper-base")      # the first call downloads the model
"""

from pathlib import Path

from .catalogue import CATALOGUE, File, Model
from .progress import Progress
from .store import Store

__all__ = ["CATALOGUE", "File", "Model", "Progress", "Store", "path", "pull", "verify"]


def path(name: str) -> Path:
    """Return the folder of a model, downloading it first if needed.

    Blocks. Raises the errors of `Store.pull`.
    """
    return Store.here().path(name)


def pull(name: str, progress: Progress | None = None) -> Path:
    """Download what is missing of a model and return its folder.

    Without `progress`, the progress is shown on stderr.
    """
    return Store.here().pull(name, progress)


def verify(name: str) -> list[str]:
    """Hash every file of a model, and return the problems found, in words."""
    return Store.here().verify(name)
