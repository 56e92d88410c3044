"""The audio of a SIP call.

The sample rates stay those of the call's start, even if another codec is negotiated later.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...audio.resample import Resampler

__all__ = ["CallAudio"]

MOST = 16000 * 2  # bytes read at once: a second at 16 kHz
ConvertSamples = Callable[[bytes], bytes]


class CallAudio:
    """A call's mono 16-bit PCM both ways: `heard_hz` in, `spoken_hz` out.

    While the call is on hold, nothing goes either way. The buffers are the stack's. They are bounded; if we
    read too late, the oldest received audio is dropped.
    """

    def __init__(self, sip: Any, call: Any, info: Any) -> None:
        self.heard_hz: int = info.rx_sample_rate
        self.spoken_hz: int = info.tx_sample_rate
        self._sip = sip
        self._call = call
        self._agreed: tuple[int, ...] = ()
        self._hear: ConvertSamples = bytes
        self._speak: ConvertSamples = bytes
        self._adapt(info)

    def read(self) -> bytes:
        """Return the audio that has arrived since the last call."""
        try:
            pcm: bytes = self._call.audio.read(MOST)
        except self._sip.AudioRestarted:
            self._probe()
            return b""
        except self._sip.AudioNotActive:
            return b""
        return self._hear(pcm) if pcm and not self._on_hold else b""

    @property
    def dropped(self) -> int:
        """Bytes of received audio that the stack dropped because we read too late.

        0 if there is no media connection.
        """
        try:
            return self._call.audio.stats().rx_dropped_bytes
        except self._sip.AudioNotActive:
            return 0

    def write(self, pcm: bytes) -> None:
        """Queue audio to be sent.

        It is lost if there is no media connection or the buffer is full.
        """
        if self._on_hold:
            return
        try:
            self._call.audio.write(self._speak(pcm))
        except self._sip.AudioRestarted:
            if self._probe() is not None:
                self._call.audio.write(self._speak(pcm))
        except self._sip.AudioNotActive:
            pass

    def clear(self) -> None:
        """Discard audio that has not been sent."""
        try:
            self._call.audio.flush_tx()
        except (self._sip.AudioRestarted, self._sip.AudioNotActive):
            self._probe()

    @property
    def connected(self) -> bool:
        """True while the call has a media connection."""
        return self._probe() is not None

    @property
    def waiting(self) -> float:
        """Seconds of audio that wait to be sent; 0 on hold, when none is sent."""
        info = self._probe()
        if info is None or self._on_hold:
            return 0.0
        return info.tx_buffered / (2 * info.tx_channels * info.tx_sample_rate)

    @property
    def _on_hold(self) -> bool:
        return self._call.is_on_hold or self._call.remote_on_hold

    def _probe(self) -> Any:
        """Return the stack's description of the media, or None if not connected.

        Adapts the conversion if the sample rates have changed.
        """
        try:
            info = self._call.audio.info()
        except self._sip.AudioNotActive:
            return None
        if not (info.tx_ready and info.rx_ready):
            return None
        self._adapt(info)
        return info

    def _adapt(self, info: Any) -> None:
        agreed = (info.rx_sample_rate, info.rx_channels, info.tx_sample_rate, info.tx_channels)
        if agreed != self._agreed:
            self._agreed = agreed
            heard = Resampler(info.rx_sample_rate, self.heard_hz)
            spoken = Resampler(self.spoken_hz, info.tx_sample_rate)
            self._hear = lambda pcm: heard(_mono(pcm, info.rx_channels))
            self._speak = lambda pcm: _to_channels(spoken(pcm), info.tx_channels)


def _mono(pcm: bytes, channels: int) -> bytes:
    if channels == 1:
        return pcm
    return np.frombuffer(pcm, np.int16).reshape(-1, channels).mean(axis=1).astype(np.int16).tobytes()


def _to_channels(pcm: bytes, channels: int) -> bytes:
    return pcm if channels == 1 else np.frombuffer(pcm, np.int16).repeat(channels).tobytes()
