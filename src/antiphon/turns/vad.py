"""Stretches of speech, made from the probability of speech in each window.

There is no clock here: time is an input.
"""

from dataclasses import dataclass
from typing import Literal

from ..errors import ConfigurationError
from ..frames import SoundHeard, SpeechPaused, SpeechResumed, SpeechStarted, SpeechStopped

__all__ = ["ON_THE_WAY", "SpeechRules", "VADSettings"]

ON_THE_WAY = 0.12
"""Seconds of audio that a punctual machine may not have judged yet.

A packet, a window of the detector, and jitter. Who needs to know whether there was speech up to now is
content with the audio up to this much earlier.
"""

SpeechEvent = SoundHeard | SpeechStarted | SpeechPaused | SpeechResumed | SpeechStopped


@dataclass(frozen=True, slots=True)
class VADSettings:
    """Thresholds of speech: probabilities from 0 to 1, durations in seconds."""

    start_above: float = 0.5
    """A window is loud if its probability is at least this."""
    stop_below: float = 0.35
    """During speech, a window is quiet if its probability is below this."""
    start_after: float = 0.096
    """Speech has started after this much loud sound."""
    pause_after: float = 0.032
    """Speech may have ended after this much quiet: transcription and turn detection can begin."""
    stop_after: float = 0.192
    """Speech has ended after this much quiet: six windows of 32 ms, where 0.2 would be seven."""

    def __post_init__(self) -> None:
        if not 0 < self.stop_below <= self.start_above < 1:
            raise ConfigurationError("VAD: the settings must satisfy 0 < stop_below <= start_above < 1")
        if not 0 <= self.pause_after <= self.stop_after:
            raise ConfigurationError("VAD: the settings must satisfy 0 <= pause_after <= stop_after")


class SpeechRules:
    """The rules that find the stretches of speech of one conversation.

    States: silent, starting (loud, but not for long enough), speaking, pausing (quiet, but not for long
    enough), paused.
    """

    def __init__(self, settings: VADSettings | None = None) -> None:
        self.settings = settings or VADSettings()
        self.state: Literal["silent", "starting", "speaking", "pausing", "paused"] = "silent"
        self._since = 0.0

    def feed(self, probability: float, begun: float, ended: float) -> SpeechEvent | None:
        """Judge the window between two times; returns the event that it caused, if any."""
        rules = self.settings
        if self.state in ("silent", "starting"):
            if probability < rules.start_above:
                gone, self.state = self.state == "starting", "silent"
                return SoundHeard(self._since, gone=True, judged=ended) if gone else None
            if fresh := self.state == "silent":
                self.state, self._since = "starting", begun
            if ended - self._since >= rules.start_after - 1e-6:
                self.state = "speaking"
                return SpeechStarted(self._since, ended)
            return SoundHeard(begun, judged=ended) if fresh else None
        if probability >= (rules.stop_below if self.state == "speaking" else rules.start_above):
            paused, self.state = self.state == "paused", "speaking"
            return SpeechResumed(begun, ended) if paused else None
        if self.state == "speaking":
            self.state, self._since = "pausing", begun
        quiet = ended - self._since + 1e-6
        if quiet >= rules.stop_after:
            self.state = "silent"
            return SpeechStopped(self._since, judged=ended)
        if self.state == "pausing" and quiet >= rules.pause_after:
            self.state = "paused"
            return SpeechPaused(self._since, judged=ended)
        return None
