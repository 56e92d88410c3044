"""A vendor that notices speech: voice activity by the loudness of the sound."""

from collections.abc import AsyncIterator

from antiphon.audio.levels import rms
from antiphon.services.ports import Vendor, VoiceActivity

QUIET, LOUD = 6.0, 18.0  # dB above the noise: certainly no speech, certainly speech
FLOOR = (-70.0, -35.0)  # dBFS between which the noise is looked for
RISE = 0.02  # dB that the noise is taken to rise in a window, 0.6 dB a second


class Loudness(VoiceActivity):
    """Takes for speech what is louder than the noise, to which it adapts."""

    sample_rate = 16000
    window = 512

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        """Yield how probably each window is speech."""
        noise = FLOOR[0]
        async for pcm in audio:
            level = rms(pcm)
            noise = min(max(FLOOR[0], min(level, noise + RISE)), FLOOR[1])
            yield min(1.0, max(0.0, (level - noise - QUIET) / (LOUD - QUIET)))


VENDOR = Vendor(name="loudness", provides={"vad": "Loudness"}, docs="https://en.wikipedia.org/wiki/DBFS")
