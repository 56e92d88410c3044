"""A turn policy: every number that decides who has the floor."""

import re
from dataclasses import dataclass, field
from math import inf
from typing import Literal

from ..errors import ConfigurationError
from .endpointing import EndpointingSettings
from .interruption import InterruptionSettings
from .listening import BackchannelSettings, IdleSettings, TurnLimit

__all__ = ["SpeculationSettings", "TurnSettings"]


@dataclass(frozen=True, slots=True)
class SpeculationSettings:
    """When a reply is begun before the turn is certain to be over."""

    eager_above: float = 0.35
    """The likelihood from which a reply is begun, unheard; above 1 none ever is."""
    tries: int = 3
    """How often in one turn."""
    wasted_at_most: int = 4000
    """Characters written in vain, in one conversation, after which no more replies are begun early."""

    def __post_init__(self) -> None:
        if self.eager_above < 0 or self.tries < 0 or self.wasted_at_most < 0:
            raise ConfigurationError("speculation: eager_above, tries and wasted_at_most are 0 or more")


@dataclass(frozen=True, slots=True)
class TurnSettings:
    """The policy of a conversation. Durations in seconds, probabilities from 0 to 1."""

    endpointing: EndpointingSettings = field(default_factory=EndpointingSettings)
    interruption: InterruptionSettings = field(default_factory=InterruptionSettings)
    speculation: SpeculationSettings = field(default_factory=SpeculationSettings)
    backchannels: BackchannelSettings = field(default_factory=BackchannelSettings)
    idle: IdleSettings = field(default_factory=IdleSettings)
    limit: TurnLimit = field(default_factory=lambda: TurnLimit(seconds=120.0))
    words_within: float = 2.0
    """How long after the end of speech its words are waited for where there are none yet."""
    final_within: float = 0.6
    """The same where there are interim ones, which are then taken for final."""
    keys_within: float = 2.0
    """How long after a key of the telephone the next one is waited for."""
    last_key: str = "#"
    """The key that ends the turn at once; "" for none."""
    starts_by: Literal["speech", "button"] = "speech"
    """What takes the floor: speech, or only the button to talk."""
    wake_phrase: str | None = None
    """A regular expression without which no turn is one, until it has been said."""
    awake_for: float = 30.0
    """How long after the last exchange the wake phrase is not needed again."""

    def __post_init__(self) -> None:
        for seconds in (self.words_within, self.final_within, self.keys_within, self.awake_for):
            if not 0 <= seconds < inf:
                raise ConfigurationError("turns: durations are seconds, 0 or more")
        if len(self.last_key) > 1:
            raise ConfigurationError(f"turns: last_key is one key, or none, not {self.last_key!r}")
        if self.starts_by not in ("speech", "button"):
            raise ConfigurationError(f"turns: starts_by is 'speech' or 'button', not {self.starts_by!r}")
        if self.wake_phrase is not None:
            try:
                re.compile(self.wake_phrase)
            except re.error as error:
                raise ConfigurationError(f"turns: wake_phrase is no regular expression: {error}") from error
