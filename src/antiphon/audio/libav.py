"""FFmpeg's audio codecs through PyAV, mono, one object for each stream.

PyAV is imported when it is used.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import BadResponseError, ConfigurationError
from .pcm import samples

if TYPE_CHECKING:
    from av import AudioCodecContext, Packet


class LibavEncoder:
    """A streaming encoder of PCM to packets of `frame` samples each.

    Raises ConfigurationError if PyAV is not installed.
    """

    def __init__(self, codec: str, sample_rate: int, frame: int, options: Mapping[str, str]) -> None:
        self._context = _context(codec, "w", sample_rate)
        self._context.format = "s16"
        self._context.options = dict(options)
        self._context.open()
        self._frame = frame
        self._buffered = b""

    def encode(self, pcm: bytes) -> Iterator[bytes]:
        """Yield the packets that are complete; the rest is buffered.

        Raises UsageError for half a sample.
        """
        from av import AudioFrame

        sound = samples(self._buffered + pcm)
        whole = len(sound) // self._frame * self._frame
        self._buffered = sound[whole:].tobytes()
        for begun in range(0, whole, self._frame):
            frame = AudioFrame.from_ndarray(sound[np.newaxis, begun : begun + self._frame], "s16", "mono")
            frame.sample_rate = self._context.sample_rate
            for packet in self._context.encode(frame):  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  a generic without its argument
                yield bytes(cast("Packet[Any]", packet))

    def flush(self) -> Iterator[bytes]:
        """Yield the buffered rest, padded with silence."""
        missing = -(len(self._buffered) // 2) % self._frame
        return self.encode(bytes(2 * missing))


class LibavDecoder:
    """A streaming decoder of packets to PCM at the codec's own rate.

    Raises ConfigurationError if PyAV is not installed.
    """

    def __init__(self, codec: str, sample_rate: int) -> None:
        self._name = codec
        self._context = _context(codec, "r", sample_rate)
        self._context.open()

    def decode(self, data: bytes) -> bytes:
        """Decode a packet.

        Raises BadResponseError if it is corrupt; the next one can still be decoded.
        """
        from av import Packet
        from av.error import FFmpegError

        if not data:  # an empty packet would end the stream
            return b""
        try:
            frames = self._context.decode(Packet(data))  # pyright: ignore[reportUnknownMemberType]  the same
        except FFmpegError as error:
            raise BadResponseError(f"{len(data)} bytes came that are not {self._name}: {error}") from error
        return b"".join([frame.to_ndarray().tobytes() for frame in frames])


def _context(codec: str, mode: str, sample_rate: int) -> "AudioCodecContext":
    try:
        from av import AudioCodecContext, CodecContext
    except ImportError as error:
        raise ConfigurationError(
            f'{codec} needs PyAV, which is not installed: pip install "antiphon[webrtc]"'
        ) from error
    context = CodecContext.create(codec, "w" if mode == "w" else "r")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = sample_rate
    context.layout = "mono"
    return context
