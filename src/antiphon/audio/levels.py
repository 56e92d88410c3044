"""Levels of audio, speech segments of a recording, and fades.

Levels are in dBFS: a full-scale square wave has 0, a sine -3, silence minus infinity.

`find_speech` works on a whole recording; it is not a detector for live audio. Each frame of 5 ms has a level,
the standard deviation within each of its halves, so that offset, hum and rumble hardly count. The peak is the
level that the loudest 100 ms reach; the floor is the 5th percentile or, if that is digital silence, the 1st
percentile of the rest. A sound rises 9 dB above the floor, at a threshold kept 12 to 36 dB below the peak.
Neighbouring sounds form a word, across the gap of a stop consonant, except those of one or two frames
(clicks) and those that stay 28 dB below the peak (breath, reverberation). A word must come within 24 dB of
the peak for 50 ms.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .pcm import samples

_FULL_SCALE = 32768
_FRAME = 0.005  # seconds; the constants below count frames or dB
_SILENCE = -90.0  # dBFS, half a step of 16 bits: anything below is silence
_OVER_FLOOR = 9.0
_UNDER_PEAK = (36.0, 12.0)
_CONTRAST = 10.0  # the least difference between floor and peak
_PEAK = 20  # the number of loudest frames, which allows for a click among them
_PULSES = 6  # the longest gap between the glottal pulses of a creaky voice
_SOUND = 3  # the shortest sound
_AUDIBLE = (28.0, 2)  # how far below the peak, except for at least so many frames
_CLOSURE = 24  # the longest gap within a word, before a stop
_VOICED = (24.0, 10)  # the same for a word


def rms(pcm: bytes) -> float:
    """Return the mean level (RMS) of 16-bit samples in dBFS."""
    values = samples(pcm).astype(np.float64)
    return _dbfs(float(np.sqrt(np.mean(values * values)))) if len(values) else -math.inf


def peak(pcm: bytes) -> float:
    """Return the level of the largest 16-bit sample in dBFS."""
    return _dbfs(float(np.abs(samples(pcm).astype(np.int32)).max(initial=0)))


def find_speech(pcm: bytes, sample_rate: int, pause: float = 0.3) -> list[tuple[int, int]]:
    """Return the speech segments of a mono recording, in order.

    A segment is [start, end) in samples; segments are more than `pause` seconds apart. In a quiet recording
    their ends are accurate to about 10 ms; a recording of uniform loudness has none.
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
        floor = beside if top - beside > _VOICED[0] else floor  # or it would be part of the voice
    threshold = np.clip(floor + _OVER_FLOOR, top - _UNDER_PEAK[0], top - _UNDER_PEAK[1])

    sounds = _joined(_runs(levels > max(threshold, _SILENCE)), _PULSES)
    sounds = sounds[sounds[:, 1] - sounds[:, 0] >= _SOUND]
    sounds = _reaching(sounds, levels > top - _AUDIBLE[0], _AUDIBLE[1])
    words = _reaching(_joined(sounds, _CLOSURE), levels > top - _VOICED[0], _VOICED[1])
    stretches = _joined(words, round(pause / _FRAME))
    return [(int(start) * length, int(end) * length) for start, end in stretches]


def find_speech_end(pcm: bytes, sample_rate: int) -> int | None:
    """Return the position after the last speech in a mono recording.

    Returns None if there is no speech.
    """
    stretches = find_speech(pcm, sample_rate)
    return stretches[-1][1] if stretches else None


def _dbfs(amplitude: float) -> float:
    return 20 * math.log10(amplitude / _FULL_SCALE) if amplitude else -math.inf


def _runs(true: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return (runs, 2): start and end of each run of True."""
    edges = np.flatnonzero(np.diff(true, prepend=False, append=False))
    return edges.reshape(-1, 2)


def _joined(runs: NDArray[np.intp], gap: int) -> NDArray[np.intp]:
    """Return the runs with gaps of at most `gap` frames closed."""
    apart = runs[1:, 0] - runs[:-1, 1] > gap
    first, last = np.concatenate(([True], apart)), np.concatenate((apart, [True]))
    return np.stack((runs[first[: len(runs)], 0], runs[last[: len(runs)], 1]), axis=1)


def _reaching(runs: NDArray[np.intp], loud: NDArray[np.bool_], frames: int) -> NDArray[np.intp]:
    """Return the runs that contain at least `frames` loud frames."""
    before = np.concatenate(([0], np.cumsum(loud)))
    return runs[before[runs[:, 1]] - before[runs[:, 0]] >= frames]


def scaled(pcm: bytes, gain: float) -> bytes:
    """Return the samples multiplied by `gain` (0 to 1)."""
    return (samples(pcm) * gain).astype("<i2").tobytes()


def faded(pcm: bytes) -> bytes:
    """Return the samples with a linear fade-out over their whole length."""
    sound = samples(pcm)
    falling = np.arange(len(sound) - 1, -1, -1, dtype=np.float32) / max(1, len(sound))
    return (sound * falling).astype("<i2").tobytes()
