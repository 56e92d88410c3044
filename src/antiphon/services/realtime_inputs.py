"""The queue of a realtime model's inputs."""

from ..media_queue import MediaQueue
from .realtime_vocabulary import RealtimeInput, UserPicture, UserSound

__all__ = ["realtime_inputs"]

WAITING = 60.0  # seconds of the user's sound that may wait for a model
A_PICTURE = 0.5  # seconds of them that a picture counts


def realtime_inputs(sample_rate: int) -> MediaQueue[RealtimeInput]:
    """Return a queue for a model's inputs that drops the oldest if it is full.

    `sample_rate` is the model's `input_rate`.
    """

    def seconds(item: RealtimeInput) -> float:
        if isinstance(item, UserPicture):
            return A_PICTURE
        return len(item.pcm) / 2 / sample_rate if isinstance(item, UserSound) else 0.0

    return MediaQueue[RealtimeInput](WAITING, seconds, "drop oldest")
