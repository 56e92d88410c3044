"""The audio of a call, at the rates that it began with, whatever is agreed on later."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...audio.resample import Resampler

__all__ = ["CallAudio"]

MOST = 16000 * 2  # bytes read at once: a second of the best voice codec
Convert = Callable[[bytes], bytes]


class CallAudio:
    """Mono 16-bit PCM both ways: `heard_hz` in, `spoken_hz` out. On hold nothing goes either way."""

    def __init__(self, sip: Any, call: Any, info: Any) -> None:
        self.heard_hz: int = info.rx_sample_rate
        self.spoken_hz: int = info.tx_sample_rate
        self._sip = sip
        self._call = call
        self._agreed: tuple[int, ...] = ()
        self._hear: Convert = bytes
        self._speak: Convert = bytes
        self._fit(info)

    def read(self) -> bytes:
        """What has arrived since the last time."""
        try:
            pcm: bytes = self._call.audio.read(MOST)
        except self._sip.AudioRestarted:
            self._probe()
            return b""
        except self._sip.AudioNotActive:
            return b""
        return self._hear(pcm) if pcm and not self._held else b""

    def write(self, pcm: bytes) -> None:
        """Play this after what waits; where there is no line, or it is full, it is lost."""
        if self._held:
            return
        try:
            self._call.audio.write(self._speak(pcm))
        except self._sip.AudioRestarted:
            if self._probe() is not None:
                self._call.audio.write(self._speak(pcm))
        except self._sip.AudioNotActive:
            pass

    def clear(self) -> None:
        """Forget what has not gone out."""
        try:
            self._call.audio.flush_tx()
        except (self._sip.AudioRestarted, self._sip.AudioNotActive):
            self._probe()

    @property
    def stands(self) -> bool:
        """Whether there is audio at all."""
        return self._probe() is not None

    @property
    def waiting(self) -> float:
        """Seconds of audio that have not gone out; 0 on hold, where none ever will."""
        info = self._probe()
        if info is None or self._held:
            return 0.0
        return info.tx_buffered / (2 * info.tx_channels * info.tx_sample_rate)

    @property
    def _held(self) -> bool:
        return self._call.is_on_hold or self._call.remote_on_hold

    def _probe(self) -> Any:
        """How the audio stands; None where there is none now."""
        try:
            info = self._call.audio.info()
        except self._sip.AudioNotActive:
            return None
        if not (info.tx_ready and info.rx_ready):
            return None
        self._fit(info)
        return info

    def _fit(self, info: Any) -> None:
        agreed = (info.rx_sample_rate, info.rx_channels, info.tx_sample_rate, info.tx_channels)
        if agreed != self._agreed:
            self._agreed = agreed
            heard = Resampler(info.rx_sample_rate, self.heard_hz)
            spoken = Resampler(self.spoken_hz, info.tx_sample_rate)
            self._hear = lambda pcm: heard(_mono(pcm, info.rx_channels))
            self._speak = lambda pcm: _each(spoken(pcm), info.tx_channels)


def _mono(pcm: bytes, channels: int) -> bytes:
    if channels == 1:
        return pcm
    return np.frombuffer(pcm, np.int16).reshape(-1, channels).mean(axis=1).astype(np.int16).tobytes()


def _each(pcm: bytes, channels: int) -> bytes:
    return pcm if channels == 1 else np.frombuffer(pcm, np.int16).repeat(channels).tobytes()
