"""Sample rate conversion of streams, with little delay and bit-reproducible.

A polyphase FIR filter: output sample n is the input at the time n / target_hz, a weighted sum of the
samples around that time. A weight depends only on how n falls between two input samples, which repeats
every `up` outputs (`down` inputs), so a matrix holds the weights of whole periods and a call is a matrix
product. Weights are integers and the product is in float64, which makes it exact: the result depends
neither on how the stream was cut into chunks nor on the machine.

The passband reaches 0.85 of the lower rate's Nyquist frequency (0.1 dB), the stopband (75 dB) starts at 1.07
of it. The delay is the look-ahead of 22 periods of the lower rate: 2.8 ms at 8 kHz, 1.4 ms at 16 kHz.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from .pcm import RATES, samples

_REACH = 22  # periods of the lower rate that the filter covers on each side
_BETA = 8.52  # of the Kaiser window: 86 dB
_CUTOFF = 0.473  # the fraction of the lower rate at which the filter has -6 dB
_UNIT = 1 << 24  # the sum of the weights of one output
_COLUMNS = 64  # outputs that one product computes for each row
_LONGEST = 512  # outputs in the longest period that uses matrices; for a longer one weights are gathered
_WORK = 1 << 18  # multiplications in one product; with more, BLAS would use threads
_GATHERED = 1 << 12  # input samples converted at a time if weights are gathered


@dataclass(frozen=True, slots=True)
class _Band:
    """The weights that turn a row of inputs into some of its outputs.

    The inputs are those from `first` on, and the outputs `columns`.
    """

    first: int
    columns: slice
    matrix: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Plan:
    """The constants that all resamplers of one pair of rates share."""

    up: int
    down: int
    reach: int
    """Input samples on each side of an output."""
    weights: NDArray[np.float64]
    """(up, 2 * reach): output n of a period, over the inputs from n * down // up - reach + 1 on."""
    periods: int
    """Periods computed from one row of `width` inputs."""
    width: int
    bands: tuple[_Band, ...]
    """Empty for a period longer than _LONGEST."""
    most: int
    """Input samples to convert at a time."""


@lru_cache(maxsize=32)
def _plan(source_hz: int, target_hz: int) -> _Plan:
    common = math.gcd(source_hz, target_hz)
    up, down = target_hz // common, source_hz // common
    ratio = max(1.0, source_hz / target_hz)
    reach = math.ceil(_REACH * ratio)

    fraction = (np.arange(up) * down % up / up)[:, np.newaxis]
    distance = (np.arange(1 - reach, reach + 1) - fraction) / ratio
    window = np.i0(_BETA * np.sqrt(np.maximum(0.0, 1.0 - (distance / _REACH) ** 2)))
    window[np.abs(distance) >= _REACH] = 0.0
    weights = np.sinc(2 * _CUTOFF * distance) * window
    weights = np.rint(weights * (_UNIT / weights.sum(axis=1, keepdims=True)))
    if up > _LONGEST:
        return _Plan(up, down, reach, weights, 1, 0, (), _GATHERED)

    periods = max(1, min(reach // down, _COLUMNS // up))
    starts = np.arange(up * periods) * down // up
    bands: list[_Band] = []
    for begin in range(0, len(starts), _COLUMNS):
        columns = starts[begin : begin + _COLUMNS] - starts[begin]
        matrix = np.zeros((columns[-1] + 2 * reach, len(columns)))
        for column, start in enumerate(columns):
            matrix[start : start + 2 * reach, column] = weights[(begin + column) % up]
        bands.append(_Band(int(starts[begin]), slice(begin, begin + len(columns)), matrix))
    rows = max(3, _WORK // max(band.matrix.size for band in bands))
    width = int(starts[-1]) + 2 * reach
    return _Plan(up, down, reach, weights, periods, width, tuple(bands), (rows - 2) * down * periods)


class Resampler:
    """A streaming converter of mono 16-bit PCM from one sample rate to another.

    Input and output are aligned to the sample: k inputs and a flush yield ceil(k * target / source) outputs,
    and output n is the signal at n / target_hz. Raises UsageError for a rate outside 4 to 192 kHz and for
    half a sample.
    """

    def __init__(self, source_hz: int, target_hz: int) -> None:
        if source_hz not in RATES or target_hz not in RATES:
            raise UsageError(
                f"cannot resample {source_hz} to {target_hz} Hz: rates are {RATES[0]} to {RATES[-1]}"
            )
        self.source_hz = source_hz
        self.target_hz = target_hz
        self._plan = None if source_hz == target_hz else _plan(source_hz, target_hz)
        self._begin()

    def _begin(self) -> None:
        self._held = np.zeros(self._plan.reach - 1 if self._plan else 0)
        self._place = 0  # of the next output in its period; the inputs in `_held` start with that period's

    @property
    def delay(self) -> float:
        """Seconds of input that must follow a sample before it is output."""
        return self._plan.reach / self.source_hz if self._plan else 0.0

    def __call__(self, pcm: bytes) -> bytes:
        """Return the output that is complete so far; with equal rates, `pcm` itself."""
        if self._plan is None:
            return pcm
        fresh, most = samples(pcm), self._plan.most
        if len(fresh) <= most:
            return self._convert(self._plan, fresh)
        pieces = (fresh[at : at + most] for at in range(0, len(fresh), most))
        return b"".join([self._convert(self._plan, piece) for piece in pieces])

    def flush(self) -> bytes:
        """Return the rest, as if silence followed; a new stream may begin after it."""
        if self._plan is None:
            return b""
        rest = self._convert(self._plan, np.zeros(self._plan.reach, "<i2"))
        self._begin()
        return rest

    def _convert(self, plan: _Plan, fresh: NDArray[np.int16]) -> bytes:
        up, down, place = plan.up, plan.down, self._place
        held = len(self._held)
        known = held + len(fresh)
        count = -((known - 2 * plan.reach + 1) * up // -down)  # outputs of the period whose inputs are known
        rows = -(count // -(up * plan.periods))
        stride = down * plan.periods

        inputs = np.zeros(max(known, (rows - 1) * stride + plan.width))
        inputs[:held] = self._held
        inputs[held:known] = fresh
        if count <= place:
            self._held = inputs[:known]
            return b""
        if plan.bands:
            strides = (stride * inputs.itemsize, inputs.itemsize)
            windows = np.ndarray((rows, plan.width), inputs.dtype, inputs, 0, strides).copy()
            sums = np.empty((rows, up * plan.periods))
            for band in plan.bands:
                sums[:, band.columns] = windows[:, band.first : band.first + len(band.matrix)] @ band.matrix
            sums = sums.reshape(-1)[place:count]
        else:
            n = np.arange(place, count)
            windows = np.lib.stride_tricks.sliding_window_view(inputs, 2 * plan.reach)[n * down // up]
            sums = np.einsum("ij,ij->i", windows, plan.weights[n % up])

        begun, self._place = divmod(count, up)
        self._held = inputs[begun * down : known].copy()
        sums *= 1 / _UNIT
        np.rint(sums, out=sums)
        np.minimum(sums, 32767.0, out=sums)
        np.maximum(sums, -32768.0, out=sums)
        return sums.astype("<i2").tobytes()


def resample(pcm: bytes, source_hz: int, target_hz: int) -> bytes:
    """Convert a whole recording.

    Returns ceil(samples * target_hz / source_hz) samples, aligned with the input.
    """
    resampler = Resampler(source_hz, target_hz)
    return resampler(pcm) + resampler.flush()
