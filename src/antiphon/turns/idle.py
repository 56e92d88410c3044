"""What happens when nobody speaks: prompts, "away", and the end of the call.

There is no clock here: `due` says what follows and when, and the engine calls `done` once it has happened.
"""

from dataclasses import dataclass
from math import inf

from ..errors import ConfigurationError
from ..frames import SessionStarted, SpeechStarted, SpeechStopped, TalkButton, Transcript, UserKey, UserText
from .decisions import BeIdle, Due, ReplyBegan, ReplyOver

__all__ = ["Idle", "IdleSettings"]


@dataclass(frozen=True, slots=True)
class IdleSettings:
    """What happens if nobody speaks. Durations in seconds; None is never."""

    prompt_after: float | None = None
    """How long it is quiet before each of the `prompts`, and after the last one before the call ends."""
    prompts: tuple[str, ...] = ("Are you still there?",)
    """What the agent says, one after the other, until the user is heard again."""
    then_end: bool = True
    """Whether the call ends if the user does not react to the last prompt."""
    away_after: float | None = None
    """How long there is no sign of the user, prompts or not, before the user is reported away."""

    def __post_init__(self) -> None:
        for name, seconds in (("prompt_after", self.prompt_after), ("away_after", self.away_after)):
            if seconds is not None and not 0 < seconds < inf:
                raise ConfigurationError(f"idle: {name} must be above 0 seconds, or None for never")


_AWAY, _END = BeIdle("away"), BeIdle("end")


class Idle:
    """A timer of how long nobody has spoken, and what follows from it."""

    def __init__(self, settings: IdleSettings | None = None) -> None:
        self.settings = settings or IdleSettings()
        self._quiet: float | None = None  # since when nobody has spoken; None before the call
        self._alone = 0.0  # since when there has been no sign of the user
        self._user_speaks = self._agent_speaks = False
        self._away = self._over = False
        self._prompts = 0  # how many have been said since the user was last heard

    def observe(self, fact: object, now: float) -> None:
        """Note a fact of the conversation; most change nothing here."""
        match fact:
            case SpeechStarted() | TalkButton(pressed=True):
                self._user_speaks = True
            case SpeechStopped() | TalkButton():
                self._user_speaks = False
            case ReplyBegan():
                self._agent_speaks = True
                return
            case ReplyOver():
                self._agent_speaks = False
                self._quiet = now
                if not self._prompts:
                    self._alone = now
                return
            case SessionStarted() | UserText() | UserKey():
                pass
            case Transcript(text=text) if text:
                pass
            case _:
                return
        self._quiet = self._alone = now
        self._prompts, self._away = 0, False

    @property
    def due(self) -> Due | None:
        """What follows if it stays quiet.

        None while somebody speaks, before the call and after it.
        """
        rules = self.settings
        if self._quiet is None or self._user_speaks or self._agent_speaks or self._over:
            return None
        steps: list[Due] = []
        if rules.away_after is not None and not self._away:
            steps.append(Due(self._alone + rules.away_after, _AWAY))
        if rules.prompt_after is not None:
            at = self._quiet + rules.prompt_after
            if self._prompts < len(rules.prompts):
                steps.append(Due(at, BeIdle("prompt", rules.prompts[self._prompts])))
            elif rules.then_end:
                steps.append(Due(at, _END))
        return min(steps, key=lambda due: due.at, default=None)

    def done(self, now: float) -> None:
        """Note that the step that was due has been carried out."""
        due = self.due
        if due is None:
            return
        if due.decision == _AWAY:
            self._away = True
        else:
            self._quiet = now
            self._prompts += 1
            self._over = due.decision == _END
