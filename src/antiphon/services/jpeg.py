"""Pictures of a video as JPEG files, by PyAV."""

from fractions import Fraction
from typing import Any

from ..errors import ConfigurationError

__all__ = ["LONGEST", "jpeg"]

LONGEST = 768  # pixels of the longer side: what models look at of a picture, and enough for large print
QUALITY = 5  # libav's scale from 2, the best, to 31; even noise stays far below half a megabyte


def jpeg(pixels: bytes, width: int, height: int) -> bytes:
    """Return planar I420 as a JPEG file of at most 768 pixels a side.

    It takes some milliseconds, so it belongs in a thread. Raises ConfigurationError without PyAV.
    """
    try:
        from av import CodecContext, VideoFrame
        from av.video.reformatter import ColorRange
    except ImportError as error:
        raise ConfigurationError(
            'pictures for a model need PyAV, which is not installed: pip install "antiphon[webrtc]"'
        ) from error
    import numpy as np

    planes = np.frombuffer(pixels, np.uint8).reshape(height * 3 // 2, width)
    picture = VideoFrame.from_ndarray(planes, "yuv420p")
    picture.color_range = ColorRange.MPEG
    shrunk = min(1.0, LONGEST / max(width, height))
    width, height = (max(2, round(side * shrunk / 2) * 2) for side in (width, height))
    picture = picture.reformat(width, height, "yuvj420p", dst_color_range=ColorRange.JPEG)
    encoder: Any = CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.color_range, encoder.time_base = ColorRange.JPEG, Fraction(1)
    encoder.thread_count, encoder.qmin, encoder.qmax = 1, QUALITY, QUALITY
    packets = [*encoder.encode(picture), *encoder.encode(None)]
    return b"".join(map(bytes, packets))
