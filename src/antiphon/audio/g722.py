"""G.722, the telephone's wide band: 16 kHz in 64 kbit/s, a byte for two samples.

ITU-T G.722: two bands, each coded by what it differs from a prediction, so that a stream has a state and its
bytes belong in order. The bytes have no frames: any number may be cut off, sent and decoded. RTP counts its
time at 8 kHz, by mistake and for ever (RFC 3551 section 4.5.2).
"""

from . import libav

SAMPLE_RATE = 16000
_STEP = 80  # samples that are encoded at once: 5 ms


class G722Encoder:
    """A stream of 16 kHz PCM to G.722; less than 5 ms of it waits for what follows."""

    def __init__(self) -> None:
        self._codec = libav.LibavEncoder("g722", SAMPLE_RATE, _STEP, {"frame_size": str(_STEP)})

    def __call__(self, pcm: bytes) -> bytes:
        """What is complete. Raises UsageError for half a sample."""
        return b"".join(self._codec.encode(pcm))

    def flush(self) -> bytes:
        """The rest, made whole with silence; the stream may go on."""
        return b"".join(self._codec.flush())


class G722Decoder:
    """A stream of G.722 to 16 kHz PCM, 1.4 ms later than it was encoded."""

    def __init__(self) -> None:
        self._codec = libav.LibavDecoder("g722", SAMPLE_RATE)

    def __call__(self, data: bytes) -> bytes:
        """Two samples for each byte."""
        return self._codec.decode(data)
