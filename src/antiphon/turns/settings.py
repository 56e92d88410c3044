"""A turn policy: every number by which the engine decides who has the floor."""

import re
from dataclasses import dataclass, field, replace
from math import inf
from typing import Literal

from ..errors import ConfigurationError
from .backchannels import BackchannelSettings
from .endpointing import EndpointingSettings
from .idle import IdleSettings
from .interruption import InterruptionSettings

__all__ = ["SpeculationSettings", "TurnLimit", "TurnSettings"]

WORDLESS = 0.6  # seconds of speech that interrupt the agent if there are no words to judge by


@dataclass(frozen=True, slots=True)
class SpeculationSettings:
    """When a speculative reply is begun, before the turn is certain to be over."""

    eager_above: float = 0.35
    """The probability that the turn is over from which a reply is begun; above 1 none ever is."""
    tries: int = 3
    """The most speculative replies in one turn."""
    wasted_at_most: int = 4000
    """Once so many characters have been generated and discarded in a conversation, speculation stops."""

    def __post_init__(self) -> None:
        if self.eager_above < 0 or self.tries < 0 or self.wasted_at_most < 0:
            raise ConfigurationError("speculation: eager_above, tries and wasted_at_most must be 0 or more")


@dataclass(frozen=True, slots=True)
class TurnLimit:
    """How long a turn of the user may become; None means without limit."""

    seconds: float | None = None
    """The longest turn, in seconds."""
    words: int | None = None
    """The longest turn, in words."""

    def __post_init__(self) -> None:
        if not (self.seconds is None or self.seconds > 0) or not (self.words is None or self.words > 0):
            raise ConfigurationError("turn limit: seconds and words must be above 0, or None for no limit")

    def deadline(self, started: float) -> float | None:
        """Return when a turn that began at `started` is ended, or None."""
        return None if self.seconds is None else started + self.seconds

    def reached(self, started: float, now: float, text: str = "") -> str | None:
        """Return why the turn is ended now, or None."""
        if self.seconds is not None and now >= started + self.seconds - 1e-6:
            return f"spoke for {self.seconds:g} s"
        if self.words is not None and len(text.split()) >= self.words:
            return f"said {self.words} words"
        return None


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """The policy of a conversation. Durations in seconds, probabilities from 0 to 1."""

    endpointing: EndpointingSettings = field(default_factory=EndpointingSettings)
    interruption: InterruptionSettings = field(default_factory=InterruptionSettings)
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    backchannels: BackchannelSettings = field(default_factory=BackchannelSettings)
    idle: IdleSettings = field(default_factory=IdleSettings)
    limit: TurnLimit = field(default_factory=lambda: TurnLimit(seconds=120.0))
    words_within: float = 6.0
    """How long to wait for words after the end of speech if there are none yet, or none of its end."""
    final_within: float = 0.6
    """How long to wait for final words if interim ones cover all of it, which are then used as final."""
    keys_within: float = 2.0
    """How long to wait for the next key after a key of the telephone."""
    last_key: str = "#"
    """The key that ends the turn at once; "" for none."""
    starts_by: Literal["speech", "button"] = "speech"
    """What takes the floor: "speech", or only the push-to-talk "button"."""
    wake_phrase: str | None = None
    """A regular expression. Turns are ignored until one matches it; None ignores none."""
    awake_for: float = 30.0
    """How long after the last exchange the wake phrase is needed again."""

    wordless: bool = False
    """Whether a turn is over without its words: for a model that hears by itself, whose words come late."""

    def without_speculation(self) -> "TurnSettings":
        """Return the policy for a model that cannot begin an answer in vain."""
        return replace(self, speculation=replace(self.speculation, tries=0))

    def without_words(self) -> "TurnSettings":
        """Return the policy for a model that hears by itself.

        Its words come late or never.         What interrupts the agent is then judged by its length alone.
        """
        certain = min(self.interruption.certain_after, WORDLESS)
        interruption = replace(self.interruption, certain_after=certain)
        return replace(self.without_speculation(), wordless=True, interruption=interruption)

    def __post_init__(self) -> None:
        for seconds in (self.words_within, self.final_within, self.keys_within, self.awake_for):
            if not 0 <= seconds < inf:
                raise ConfigurationError("turns: durations must be 0 seconds or more")
        if len(self.last_key) > 1:
            raise ConfigurationError(
                f'turns: last_key must be one key, or "" for none, not {self.last_key!r}'
            )
        if self.starts_by not in ("speech", "button"):
            raise ConfigurationError(f"turns: starts_by must be 'speech' or 'button', not {self.starts_by!r}")
        if self.wake_phrase is not None:
            try:
                re.compile(self.wake_phrase)
            except re.error as error:
                raise ConfigurationError(
                    f"turns: wake_phrase is not a valid regular expression: {error}"
                ) from error
