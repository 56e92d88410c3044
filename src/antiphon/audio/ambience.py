"""Endless sounds, to be mixed under a voice or played in place of silence.

    comfort   comfort noise: the hiss of an open line, so that it does not seem dead
    room      the low hum of a quiet room
    thinking  two soft notes, repeated: the agent is working

Or a recording, whose end is cross-faded into its beginning. Levels are the mean over the loop in dBFS.
"""

import math
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ConfigurationError
from .pcm import samples
from .resample import resample
from .wav import read as read_wav

Floats = NDArray[np.float32]
Real = NDArray[np.floating[Any]]

_SECONDS = 8.0  # length of the noise loops
_SEAM = 0.05  # seconds of the cross-fade from a recording's end to its beginning
_NOTES = ((0.0, 523.0), (0.35, 392.0))  # start in seconds and frequency in Hz
_ROUND = 1.6  # seconds of the two notes and the pause after them


class SoundLoop:
    """An endless sound with a read position."""

    def __init__(self, sound: Floats) -> None:
        self._sound = sound
        self._at = 0

    def read(self, count: int) -> Floats:
        """Return the next `count` samples, (count,) float32, and advance."""
        places = np.arange(self._at, self._at + count) % len(self._sound)
        self._at = (self._at + count) % len(self._sound)
        return self._sound[places]

    def rewind(self) -> None:
        """Move to the beginning."""
        self._at = 0


def loop(what: str | os.PathLike[str], sample_rate: int, level: float) -> SoundLoop:
    """Return one of the sounds above by its name, or the loop of a wav file.

    Raises ConfigurationError if `what` is neither.
    """
    return SoundLoop(_sound(os.fspath(what), sample_rate, level))


def mixed(pcm: bytes, *under: Floats) -> bytes:
    """Mix a voice with the sounds under it, clipped to 16 bits."""
    total = samples(pcm) + np.sum(under, axis=0)
    return np.rint(total).clip(-32768, 32767).astype("<i2").tobytes()


@lru_cache(maxsize=32)
def _sound(what: str, sample_rate: int, level: float) -> Floats:
    if what in SOUNDS:
        sound = SOUNDS[what](sample_rate)
    elif Path(what).suffix.lower() == ".wav":
        sound = _recording(what, sample_rate)
    else:
        raise ConfigurationError(f"there is no sound {what!r}: choose {', '.join(SOUNDS)} or a .wav file")
    loud = math.sqrt(float(np.mean(sound * sound)))
    return (sound * (32768 * 10 ** (level / 20) / max(loud, 1e-9))).astype(np.float32)


def _noise(sample_rate: int, strength: Callable[[Real], Real]) -> Floats:
    """Make noise with the given spectrum (amplitude by Hz).

    It is periodic, so the loop has no seam.
    """
    count = round(_SECONDS * sample_rate)
    frequencies = np.fft.rfftfreq(count, 1 / sample_rate)
    phases = np.random.default_rng(1).uniform(0, 2 * np.pi, len(frequencies))
    return np.fft.irfft(strength(frequencies) * np.exp(1j * phases), count).astype(np.float32)


def _comfort(sample_rate: int) -> Floats:
    return _noise(sample_rate, lambda hz: (hz > 100) / np.sqrt(1 + (hz / 1000) ** 2) * (hz < 3800))


def _room(sample_rate: int) -> Floats:
    return _noise(sample_rate, lambda hz: (hz > 60) / (1 + (hz / 150) ** 2))


def _thinking(sample_rate: int) -> Floats:
    sound = np.zeros(round(_ROUND * sample_rate), np.float32)
    time = np.arange(round(0.5 * sample_rate)) / sample_rate
    for begun, hz in _NOTES:
        swell = np.minimum(time / 0.02, 1) * np.exp(-time / 0.08)
        at = round(begun * sample_rate)
        sound[at : at + len(time)] += (swell * np.sin(2 * np.pi * hz * time)).astype(np.float32)
    return sound


def _recording(path: str, sample_rate: int) -> Floats:
    recorded = read_wav(path)
    sound = samples(resample(recorded.mono(), recorded.sample_rate, sample_rate)).astype(np.float32)
    seam = round(_SEAM * sample_rate)
    if len(sound) < 4 * seam:
        raise ConfigurationError(f"{path} is shorter than {4 * _SEAM:g} s: too short for a loop")
    rising = np.linspace(0, 1, seam, dtype=np.float32)
    body = sound[:-seam].copy()
    body[:seam] = body[:seam] * rising + sound[-seam:] * (1 - rising)
    return body


SOUNDS = {"comfort": _comfort, "room": _room, "thinking": _thinking}
