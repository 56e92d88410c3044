"""Runs each session in a process of its own, forked from a warm zygote: `isolation="process"`."""

from .limits import WorkerLimits
from .pool import WorkerHost

__all__ = ["WorkerHost", "WorkerLimits"]
