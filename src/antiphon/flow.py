"""Frames and signals, and how a session queues and records media among them.

Each class of audio or pictures declares how it is treated: a journal without media leaves it out, a stage's
inbox has a limit for it, and if the stage cannot keep up, the oldest are dropped or the producer is held.
"""

from typing import Any, ClassVar, Literal, TypeVar, cast, dataclass_transform

import msgspec

__all__ = ["Audio", "Frame", "Picture", "Signal", "frame", "replace"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def frame(cls: type[T]) -> type[T]:
    """Make a class a frame: frozen and slotted, with the fields that it annotates.

    It becomes a `msgspec.Struct`: compiled code makes such classes and their objects, in a fraction of the
    time that dataclasses take.
    """
    bases = tuple(base for base in cls.__bases__ if base is not object)
    members = {name: member for name, member in vars(cls).items() if name not in ("__dict__", "__weakref__")}
    make_class: Any = type(msgspec.Struct)
    return make_class(cls.__name__, (*bases, msgspec.Struct), members, frozen=True)


def replace(value: T, **changes: Any) -> T:
    """Return a copy of a frame with other values in some fields."""
    return cast(T, msgspec.structs.replace(cast(msgspec.Struct, value), **changes))


class Frame:
    """A value that flows downstream to the next part that handles its type."""

    __slots__ = ()

    media: ClassVar[bool] = False
    """True for audio and pictures. A journal without media leaves them out."""
    late: ClassVar[Literal["hold", "drop oldest"]] = "hold"
    """What happens if a stage cannot keep up: hold the producer, or drop the oldest.

    A microphone and a camera cannot be held back, and their old frames are of no use.
    """
    most_waiting: ClassVar[int | None] = None
    """The most of this type in a stage's inbox, besides its limit in seconds; None: no such limit."""

    @property
    def duration(self) -> float:
        """Its length in seconds; 0 if it is not audio."""
        return 0.0

    @property
    def size_bytes(self) -> int:
        """The size of its media."""
        return 0


class Audio(Frame):
    """A frame of 16-bit mono samples."""

    __slots__ = ()
    media = True
    pcm: bytes
    sample_rate: int

    @property
    def duration(self) -> float:
        return len(self.pcm) / 2 / self.sample_rate

    @property
    def size_bytes(self) -> int:
        return len(self.pcm)


class Picture(Frame):
    """A frame that is one picture of a video; a late one is of no use."""

    __slots__ = ()
    media = True
    late = "drop oldest"
    most_waiting = 3  # 1.4 MB each at 720p, and a stage slower than the camera wants the newest
    pixels: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.pixels)


class Signal:
    """A fact that is delivered to every part that subscribed to its type."""

    __slots__ = ()

    media: ClassVar[bool] = False
