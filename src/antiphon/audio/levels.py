"""How loud sound is, and where in a recording somebody speaks.

Levels are in dBFS: a square wave of full scale is at 0, a sine at -3, silence at minus infinity.

Speech is found as one looks at a waveform, from the whole recording at once; this is no detector for live
sound. Every 5 ms have a level, the standard deviation within each half of them, so that offset, hum and
rumble hardly count. The peak is what the loudest 100 ms reach; the floor is the level that a twentieth stays
under, or, where that is digital silence, a hundredth of the rest. Sound is what rises 9 dB over the floor,
within 12 to 36 dB under the peak. Neighbouring sounds make a word, across the gap that a stop makes, but not
those of one or two frames (clicks) nor those that stay 28 dB under the peak (breath, reverberation). A word
that does not come within 24 dB of the peak for 50 ms is none.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .pcm import samples

_FULL_SCALE = 32768
_FRAME = 0.005  # seconds; all others below count in it
_SILENCE = -90.0  # dBFS, half a step of 16 bits: nothing below is anything but silence
_OVER_FLOOR = 9.0
_UNDER_PEAK = (36.0, 12.0)
_CONTRAST = 10.0  # between floor and peak, or nothing stands out
_PEAK = 20  # the loudest frames, room for a click among them
_PULSES = 6  # the longest gap between the glottal pulses of a creaky voice
_SOUND = 3  # the shortest sound
_AUDIBLE = (28.0, 2)  # how far under the peak a sound may stay, but for how many frames
_CLOSURE = 24  # the longest gap within a word, before a stop
_VOICED = (24.0, 10)  # how far under the peak a word may stay, but for how many frames


def rms(pcm: bytes) -> float:
    """The mean level of 16-bit samples, in dBFS."""
    values = samples(pcm).astype(np.float64)
    return _dbfs(float(np.sqrt(np.mean(values * values)))) if len(values) else -math.inf


def peak(pcm: bytes) -> float:
    """The level of the largest of 16-bit samples, in dBFS."""
    return _dbfs(float(np.abs(samples(pcm).astype(np.int32)).max(initial=0)))


def find_speech(pcm: bytes, sample_rate: int, pause: float = 0.3) -> list[tuple[int, int]]:
    """Where somebody speaks in a mono recording: the first sample and the one after the last, in order.

    Stretches are more than `pause` seconds apart. In a quiet recording their ends are true to about 10 ms; a
    recording that is as loud everywhere has none.
    """
    part = max(1, round(sample_rate * _FRAME / 2))
    length = 2 * part
    values = samples(pcm).astype(np.float32) / _FULL_SCALE
    parts = values[: len(values) // length * length].reshape(-1, 2, part)
    if not len(parts):
        return []
    levels = 10 * np.log10(np.maximum(parts.var(axis=2).mean(axis=1), 1e-12))
    top = np.sort(levels)[-min(_PEAK, len(levels))]
    floor = np.percentile(levels, 5)
    if top - floor < _CONTRAST or top <= _SILENCE:
        return []
    if floor <= _SILENCE:
        beside = np.percentile(levels[levels > _SILENCE], 1)
        floor = beside if top - beside > _VOICED[0] else floor  # else it is the voice itself
    threshold = np.clip(floor + _OVER_FLOOR, top - _UNDER_PEAK[0], top - _UNDER_PEAK[1])

    sounds = _joined(_runs(levels > max(threshold, _SILENCE)), _PULSES)
    sounds = sounds[sounds[:, 1] - sounds[:, 0] >= _SOUND]
    sounds = _reaching(sounds, levels > top - _AUDIBLE[0], _AUDIBLE[1])
    words = _reaching(_joined(sounds, _CLOSURE), levels > top - _VOICED[0], _VOICED[1])
    stretches = _joined(words, round(pause / _FRAME))
    return [(int(start) * length, int(end) * length) for start, end in stretches]


def find_speech_end(pcm: bytes, sample_rate: int) -> int | None:
    """The sample after the last of speech in a mono recording; None where nobody speaks."""
    stretches = find_speech(pcm, sample_rate)
    return stretches[-1][1] if stretches else None


def _dbfs(amplitude: float) -> float:
    return 20 * math.log10(amplitude / _FULL_SCALE) if amplitude else -math.inf


def _runs(true: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(runs, 2): where each run of True begins, and where the False after it."""
    edges = np.flatnonzero(np.diff(true, prepend=False, append=False))
    return edges.reshape(-1, 2)


def _joined(runs: NDArray[np.intp], gap: int) -> NDArray[np.intp]:
    """The same with gaps of at most `gap` filled."""
    apart = runs[1:, 0] - runs[:-1, 1] > gap
    first, last = np.concatenate(([True], apart)), np.concatenate((apart, [True]))
    return np.stack((runs[first[: len(runs)], 0], runs[last[: len(runs)], 1]), axis=1)


def _reaching(runs: NDArray[np.intp], loud: NDArray[np.bool_], frames: int) -> NDArray[np.intp]:
    """Those with at least so many loud frames."""
    before = np.concatenate(([0], np.cumsum(loud)))
    return runs[before[runs[:, 1]] - before[runs[:, 0]] >= frames]


def scaled(pcm: bytes, gain: float) -> bytes:
    """The same sound, `gain` (0 to 1) times as loud."""
    return (samples(pcm) * gain).astype("<i2").tobytes()


def faded(pcm: bytes) -> bytes:
    """The same sound, falling to silence in a straight line."""
    sound = samples(pcm)
    falling = np.arange(len(sound) - 1, -1, -1, dtype=np.float32) / max(1, len(sound))
    return (sound * falling).astype("<i2").tobytes()
