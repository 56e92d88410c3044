"""WebRTC's audio processing, as in every browser: noise, echo and level.

https://github.com/strands-labs/pywebrtc-audio

`Cleaner("noise+echo+gain")`, or some of the three. Per second of audio, echo takes 6 ms of processor time,
noise 0.8 ms and gain 0.4 ms. What each is good for: docs/guides/cleaning.md.
"""

from typing import Any

import numpy as np

from ..errors import ConfigurationError
from ..services.ports import AudioFilter, Vendor

PARTS = ("noise", "echo", "gain")
NOISE = 2  # level 0 to 3: up to 6, 12, 18 or 21 dB
GAIN = 20.0  # dB by which a quiet voice is raised at most
DELAY = {"noise": 96, "echo": 128}  # samples of delay that each part adds


class Cleaner(AudioFilter):
    """The audio processing that `what` names, for one conversation.

    `what` joins some of "noise" (suppression), "echo" (cancellation) and "gain" (control) by "+". `noise` (0
    to 3): how much is removed at most, 6, 12, 18 or 21 dB. `gain`: the largest amplification in dB.
    """

    sample_rate = 16000
    block = 160
    light = True

    def __init__(self, what: str = "echo", *, noise: int = NOISE, gain: float = GAIN) -> None:
        parts = what.split("+")
        if unknown := [part for part in parts if part not in PARTS]:
            raise ConfigurationError(
                f"webrtc_audio has no {unknown[0]!r}: join some of {', '.join(PARTS)} by +"
            )
        try:
            from pywebrtc_audio import AudioProcessor
        except ImportError as error:
            raise ConfigurationError(
                'webrtc_audio needs pywebrtc-audio, which is not installed: pip install "antiphon[cleaning]"'
            ) from error
        self.echo = "echo" in parts
        self.delay = sum(DELAY.get(part, 0) for part in set(parts))
        self._processor: Any = AudioProcessor(
            self.sample_rate,
            echo_cancellation=self.echo,
            noise_suppression="noise" in parts,
            auto_gain_control="gain" in parts,
            high_pass_filter=True,
            ns_level=noise,
            agc_max_gain_db=gain,
        )

    def process(self, near: bytes, far: bytes | None) -> bytes:
        """Clean whole blocks of 10 ms."""
        heard = np.frombuffer(near, np.int16)
        if far is None:
            return self._processor.process(heard).tobytes()
        return self._processor.process(heard, np.frombuffer(far, np.int16)).tobytes()

    def reset(self) -> None:
        """Forget the noise, the echo path and the level."""
        self._processor.reset()


VENDOR = Vendor(
    name="webrtc_audio",
    provides={"cleaning": "Cleaner"},
    docs="https://github.com/strands-labs/pywebrtc-audio",
    extra="cleaning",
    default={"cleaning": "echo"},
)
