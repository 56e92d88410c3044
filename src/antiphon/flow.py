"""The two things that move through a session, frames and signals, and how media among them is queued.

A class of audio or pictures says by itself what is done with it: a journal without media leaves it out,
a stage's inbox has a limit for it, and if the stage cannot keep up, it is dropped or its producer is held.
"""

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar, dataclass_transform

__all__ = ["Audio", "Frame", "Picture", "Signal", "frame"]

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def frame(cls: type[T]) -> type[T]:
    """Make a class a frame: a frozen, slotted dataclass."""
    return dataclass(frozen=True, slots=True)(cls)


class Frame:
    """Flows downstream to the next part that handles its type."""

    __slots__ = ()

    media: ClassVar[bool] = False
    """True for audio and pictures. A journal without media leaves them out."""
    late: ClassVar[Literal["hold", "drop oldest"]] = "hold"
    """What happens if a stage cannot keep up: hold back the producer, or drop the oldest that wait.

    A microphone and a camera cannot be held back, and what is old is of no use.
    """
    most_waiting: ClassVar[int | None] = None
    """How many may wait in a stage's inbox, besides its limit in seconds; None: no limit by number."""

    @property
    def duration(self) -> float:
        """Seconds that it plays; 0 for what is not audio."""
        return 0.0

    @property
    def size_bytes(self) -> int:
        """Bytes of its media."""
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
    """A frame that is one picture of a video. One that comes late is of no use, whoever made it."""

    __slots__ = ()
    media = True
    late = "drop oldest"
    most_waiting = 3  # 1.4 MB each for 720p, and whoever is slower than the camera wants the newest
    pixels: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.pixels)


class Signal:
    """Reaches every part that subscribed to its type."""

    __slots__ = ()

    media: ClassVar[bool] = False
