"""The decorator of all values that are shared and never changed: frames, signals, entries of a context."""

from dataclasses import dataclass
from typing import TypeVar, dataclass_transform

__all__ = ["frame"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def frame(cls: type[T]) -> type[T]:
    """Make a class a frozen, slotted dataclass."""
    return dataclass(frozen=True, slots=True)(cls)
