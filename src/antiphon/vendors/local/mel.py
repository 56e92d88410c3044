"""Log-mel features as Whisper's encoder reads them.

They have 80 bands, and 100 frames for each second of 16 kHz audio. The frames are those of a 400-sample Hann
window around every 160th sample, with the audio mirrored at both ends:
https://github.com/openai/whisper/blob/main/whisper/audio.py. The features of silence that pads a window are
not computed but filled in.
"""

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...errors import UsageError

FloatArray = NDArray[np.float32]

SAMPLE_RATE = 16000
HOP = 160
WINDOW = 400
BANDS = 80


def samples(pcm: bytes) -> FloatArray:
    """Return 16-bit samples as floats between -1 and 1."""
    if len(pcm) % 2:
        raise UsageError(f"audio is 16-bit samples, two bytes each; these are {len(pcm)} bytes")
    return np.frombuffer(pcm, "<i2").astype(np.float32) * np.float32(1 / 32768)


def features(audio: FloatArray, frames: int) -> FloatArray:
    """Return (80, frames) of the audio, padded with at least 0.04 s of silence."""
    heard = mel_power(np.concatenate([audio, np.zeros(WINDOW, np.float32)]))
    power = np.zeros((frames, BANDS), np.float32)
    power[: len(heard)] = heard
    return compressed(power)


def standardised_features(audio: FloatArray, frames: int) -> FloatArray:
    """Return (80, frames) of silence followed by the audio.

    The whole is first scaled to mean 0 and variance 1.
    """
    total = frames * HOP
    silence = total - len(audio)
    mean = audio.sum(dtype=np.float64) / total
    variance = (((audio - mean) ** 2).sum(dtype=np.float64) + silence * mean**2) / total
    scale = 1 / np.sqrt(variance + 1e-7)
    alike = max(0, (silence - WINDOW // 2) // HOP)  # frames of pure silence, all like frame 0
    tail = np.full(total - alike * HOP, -mean * scale, np.float32)
    if len(audio):
        tail[-len(audio) :] = (audio - mean) * scale
    power = mel_power(tail)[:-1]
    return compressed(np.concatenate([np.repeat(power[:1], alike, axis=0), power]))


def mel_power(audio: FloatArray) -> FloatArray:
    """Return (frames, 80): the energy of each band around every 160th sample.

    The first and the last sample are included.
    """
    framed = sliding_window_view(np.pad(audio, WINDOW // 2, mode="reflect"), WINDOW)[::HOP]
    spectrum = np.fft.rfft(framed * _hann(), axis=1)
    energy = spectrum.real**2 + spectrum.imag**2
    return energy.astype(np.float32, copy=False) @ _bands()


def compressed(power: FloatArray) -> FloatArray:
    """Return (80, frames): the energies in decibels, scaled to about -1 to 1.

    They are clipped at 80 dB below the loudest.
    """
    log = np.log10(np.maximum(power, 1e-10))
    return np.ascontiguousarray((np.maximum(log, log.max() - 8) + 4).T / 4, np.float32)


@cache
def _hann() -> FloatArray:
    return np.hanning(WINDOW + 1)[:-1].astype(np.float32)


@cache
def _bands() -> FloatArray:
    """Return (201, 80): the weights of the frequencies in each band.

    They are triangles of equal area, evenly spaced on Slaney's mel scale, 0 to 8 kHz.
    """
    step = np.log(6.4) / 27  # the scale is linear to 1 kHz (15 mel), then logarithmic
    top = 15 + float(np.log(SAMPLE_RATE / 2 / 1000) / step)
    mels = np.arange(BANDS + 2) * (top / (BANDS + 1))
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * step))
    bins = np.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1)[:, None]
    low, mid, high = edges[:-2], edges[1:-1], edges[2:]
    triangles = np.minimum((bins - low) / (mid - low), (high - bins) / (high - mid))
    return (np.maximum(triangles, 0) * 2 / (high - low)).astype(np.float32)
