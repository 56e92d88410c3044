"""G.722, wideband telephony: 16 kHz in 64 kbit/s, one byte for two samples.

ITU-T G.722 codes two bands as differences from a prediction, so a stream has state and its bytes must be in
order. They are not framed: any number of bytes may be sent and decoded. By a historic mistake the RTP clock
rate of G.722 is 8 kHz (RFC 3551 section 4.5.2).
"""

from . import libav

SAMPLE_RATE = 16000
_STEP = 80  # samples encoded at a time: 5 ms


class G722Encoder:
    """A streaming encoder of 16 kHz PCM.

    Less than 5 ms is buffered until more follows.
    """

    def __init__(self) -> None:
        self._codec = libav.LibavEncoder("g722", SAMPLE_RATE, _STEP, {"frame_size": str(_STEP)})

    def __call__(self, pcm: bytes) -> bytes:
        """Return the bytes that are complete. Raises UsageError for half a sample."""
        return b"".join(self._codec.encode(pcm))

    def flush(self) -> bytes:
        """Return the rest, padded with silence; the stream may go on."""
        return b"".join(self._codec.flush())


class G722Decoder:
    """A streaming decoder to 16 kHz PCM, with a delay of 1.4 ms."""

    def __init__(self) -> None:
        self._codec = libav.LibavDecoder("g722", SAMPLE_RATE)

    def __call__(self, data: bytes) -> bytes:
        """Return two samples for each byte."""
        return self._codec.decode(data)
