"""Pictures over aiortc, with bounded queues before and after its video decoder."""

import asyncio
import queue
import threading
from collections.abc import Callable, Coroutine
from fractions import Fraction
from typing import Any

import aiortc
import numpy as np
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from ...errors import ConfigurationError
from ..capture import CaptureBuffer

__all__ = [
    "MOST_DECODED",
    "MOST_ENCODED",
    "BoundedDecoderQueue",
    "PictureQueue",
    "PictureTrack",
    "bound_video",
    "picture_frame",
    "private",
    "replace_private",
]

DECODER_QUEUE = "_RTCRtpReceiver__decoder_queue"  # private to aiortc, as the next
DECODER_ERROR = "_RTCRtpReceiver__decoder_error"  # an event; when set, aiortc requests a keyframe
MOST_ENCODED = 30  # pictures that wait for the decoder: one to two seconds
MOST_DECODED = 2  # pictures that wait for the event loop, up to 3 MB each
VIDEO_HZ = 90000


class BoundedDecoderQueue(queue.Queue[Any]):
    """A bounded replacement for the queue before aiortc's video decoder.

    The decoder runs in another thread and cannot skip single pictures. If it falls behind, all waiting
    pictures are dropped, and `on_overflow` makes aiortc request a keyframe.
    """

    def __init__(self, on_overflow: Callable[[], object]) -> None:
        super().__init__()
        self.dropped = 0
        self._on_overflow = on_overflow

    def _put(self, item: Any) -> None:
        if item is not None and len(self.queue) >= MOST_ENCODED:
            self.dropped += len(self.queue)
            self.queue.clear()
            self._on_overflow()
        super()._put(item)


class PictureQueue(CaptureBuffer[VideoFrame]):
    """A replacement for the queue after aiortc's video decoder.

    It hands the newest pictures to the event loop.
    """

    def put(self, item: VideoFrame | None) -> Coroutine[Any, Any, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Add a picture; None marks the end.

        The decoder's thread calls this, and schedules the coroutine that it returns.
        """
        if item is not None:
            super().put(item)
        return _nothing()


async def _nothing() -> None:
    pass


def bound_video(receiver: aiortc.RTCRtpReceiver, handle: Callable[[VideoFrame], object]) -> PictureQueue:
    """Bound the queues of a video receiver that has not started.

    Returns the queue of decoded pictures.
    """
    decoded = PictureQueue(asyncio.get_running_loop(), handle, MOST_DECODED)
    error: threading.Event = private(receiver, DECODER_ERROR)
    replace_private(receiver, DECODER_QUEUE, BoundedDecoderQueue(error.set))
    replace_private(receiver.track, "_queue", decoded)
    return decoded


class PictureTrack(aiortc.MediaStreamTrack):
    """The agent's pictures: only the latest is sent, and only once."""

    kind = "video"

    def __init__(self) -> None:
        super().__init__()
        self._latest: VideoFrame | None = None
        self._available = asyncio.Event()

    def show(self, picture: VideoFrame) -> None:
        self._latest = picture
        self._available.set()

    async def recv(self) -> VideoFrame:
        await self._available.wait()
        picture, self._latest = self._latest, None
        if picture is None:
            raise MediaStreamError
        self._available.clear()
        return picture

    def stop(self) -> None:
        super().stop()
        self._latest = None
        self._available.set()


def picture_frame(pixels: bytes, width: int, height: int, at: float) -> VideoFrame:
    planes = np.frombuffer(pixels, np.uint8).reshape(height * 3 // 2, width)
    picture = VideoFrame.from_ndarray(planes, "yuv420p")
    picture.pts, picture.time_base = round(at * VIDEO_HZ), Fraction(1, VIDEO_HZ)
    return picture


def private(part: object, name: str) -> Any:
    """Return a private attribute of an aiortc object.

    Raises ConfigurationError if this version of aiortc does not have it.
    """
    try:
        return getattr(part, name)
    except AttributeError as error:
        raise ConfigurationError(
            f"aiortc {aiortc.__version__} differs internally from the version that this engine was written "
            'for: pip install "antiphon[webrtc]"'
        ) from error


def replace_private(part: object, name: str, value: object) -> None:
    private(part, name)
    setattr(part, name, value)
