"""Sessions in processes of their own, forked from a warm zygote: `isolation="process"`."""

from .bounds import Bounds
from .pool import WorkerHost

__all__ = ["Bounds", "WorkerHost"]
