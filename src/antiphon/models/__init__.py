"""The models that run on this machine: what there is, where it comes from, and getting it here.

from antiphon.models import path
folder = path("whisper-base")      # pulled at the first call; then at once
"""

from pathlib import Path

from .catalogue import CATALOGUE, File, Model
from .progress import Progress
from .store import Store

__all__ = ["CATALOGUE", "File", "Model", "Progress", "Store", "path", "pull", "verify"]


def path(name: str) -> Path:
    """The folder of a ready model, pulled first where it is not here. Blocks; raises as `Store.pull`."""
    return Store.here().path(name)


def pull(name: str, progress: Progress | None = None) -> Path:
    """Fetch what is missing of a model and give its folder; without `progress` it is shown on stderr."""
    return Store.here().pull(name, progress)


def verify(name: str) -> list[str]:
    """Hash every file of a model: what is wrong, in words; nothing where it is sound."""
    return Store.here().verify(name)
