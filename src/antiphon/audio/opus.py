"""The Opus codec (RFC 6716).

Packets have 2.5 to 60 ms, narrowband to fullband, at 6 to 510 kbit/s. Each packet states its own bandwidth,
so encoder and decoder may use different sample rates.
"""

from ..errors import UsageError
from . import libav
from .resample import Resampler

RATES = (8000, 12000, 16000, 24000, 48000)
FRAMES = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.06)
_HZ = 48000  # the rate at which packets are decoded


class OpusEncoder:
    """A streaming encoder of mono PCM to packets of `frame` seconds.

    The delay is 6.5 ms. `complexity` is 0 to 10: higher is better and slower. Raises UsageError for rates or
    frames that Opus does not support.
    """

    def __init__(
        self, sample_rate: int = 48000, *, bitrate: int = 32000, frame: float = 0.02, complexity: int = 5
    ) -> None:
        if sample_rate not in RATES or frame not in FRAMES:
            raise UsageError(
                f"Opus encodes {_listed(RATES)} Hz in frames of {_listed(FRAMES)} s, "
                f"not {sample_rate} Hz in {frame:g} s"
            )
        if not 6000 <= bitrate <= 256000 or not 0 <= complexity <= 10:
            raise UsageError(
                f"Opus supports 6000 to 256000 bit/s for one channel and a complexity of 0 to 10, "
                f"not {bitrate} and {complexity}"
            )
        self.sample_rate = sample_rate
        options = {
            "b": str(bitrate),
            "application": "voip",
            "compression_level": str(complexity),
            "frame_duration": f"{frame * 1000:g}",
        }
        self._codec = libav.LibavEncoder("libopus", sample_rate, round(sample_rate * frame), options)

    def __call__(self, pcm: bytes) -> list[bytes]:
        """Return the packets that are complete. Raises UsageError for half a sample."""
        return list(self._codec.encode(pcm))

    def flush(self) -> list[bytes]:
        """Return the rest, padded with silence; the stream may go on."""
        return list(self._codec.flush())


class OpusDecoder:
    """A streaming decoder to mono PCM at `sample_rate`; stereo is mixed down."""

    def __init__(self, sample_rate: int = 48000) -> None:
        self.sample_rate = sample_rate
        self._codec = libav.LibavDecoder("libopus", _HZ)
        self._resample = Resampler(_HZ, sample_rate)

    def __call__(self, packet: bytes) -> bytes:
        """Decode a packet. Raises BadResponseError if it is corrupt."""
        return self._resample(self._codec.decode(packet))


def _listed(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)
