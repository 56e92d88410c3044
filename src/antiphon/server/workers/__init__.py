"""Sessions in processes of their own, for `isolation="process"`."""

from .limits import WorkerLimits
from .pool import WorkerHost

__all__ = ["WorkerHost", "WorkerLimits"]
