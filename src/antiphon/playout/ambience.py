"""Background sound: a room or an open line behind the voice; a thinking sound.

    [..., Playout(...), Ambience(AmbienceSettings(background="room")), transport.output]

With it the output is never silent: between replies it sends audio of its own, as reply 0.
"""

from dataclasses import dataclass
from os import PathLike

from ..audio.ambience import SoundLoop, loop, mixed
from ..clock import Timer, offload
from ..errors import ConfigurationError
from ..frames import (
    AgentAudio,
    Interrupted,
    PlayoutPaused,
    PlayoutResumed,
    ReplyCommitted,
    ReplyEnded,
    ReplyStarted,
    SessionStarted,
)
from ..processor import Processor, on

__all__ = ["Ambience", "AmbienceSettings"]

PIECE = 0.02  # seconds of audio that are sent at once
LATE = 0.25  # seconds behind time after which it skips ahead instead of catching up
SWELL = 0.2  # seconds in which the thinking sound fades in and out


@dataclass(frozen=True)
class AmbienceSettings:
    """The sounds and their levels.

    A sound is "comfort", "room", "thinking", or the path of a wav file; None for no sound. Levels are in
    dBFS; speech is at about -20. `thinking` begins when the agent has worked on its answer for
    `thinking_after` seconds and nothing of it is heard yet.
    """

    background: str | PathLike[str] | None = "comfort"
    background_level: float = -56.0
    thinking: str | PathLike[str] | None = "thinking"
    thinking_level: float = -38.0
    thinking_after: float = 1.2

    def __post_init__(self) -> None:
        if max(self.background_level, self.thinking_level) > -6 or self.thinking_after < 0:
            raise ConfigurationError(
                "ambience: levels must be at most -6 dBFS and thinking_after must not be negative, not "
                f"{self.background_level:g}, {self.thinking_level:g} and {self.thinking_after:g}"
            )


class Ambience(Processor):
    """A processor after playout that adds background sound, also between replies."""

    def __init__(self, settings: AmbienceSettings | None = None) -> None:
        self.settings = settings or AmbienceSettings()
        self._background: SoundLoop | None = None
        self._thinking: SoundLoop | None = None
        self._rate = 24000
        self._piece = 480
        self._lead = 0.0
        self._at = 0  # the output timeline is filled up to this sample
        self._quiet_since: float | None = None  # set while an answer is being made and is not heard yet
        self._swell = 0.0  # how loud the thinking sound is, 0 to 1
        self._timer: Timer | None = None

    async def open(self) -> None:
        """Load the sounds at playout's sample rate.

        Raises ConfigurationError if there is no playout.
        """
        playout = self.session.playout
        if playout is None:
            raise ConfigurationError("Ambience needs a Playout before it: add one to the pipeline")
        self._rate, self._lead = playout.sample_rate, playout.lead
        self._piece = round(PIECE * self._rate)
        settings = self.settings
        if settings.background is not None:
            self._background = await offload(
                None, loop, settings.background, self._rate, settings.background_level
            )
        if settings.thinking is not None:
            self._thinking = await offload(None, loop, settings.thinking, self._rate, settings.thinking_level)

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._fill()

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        """Append the voice to what was sent, at most two pieces later than intended."""
        self._catch_up(frame.at)
        if self._quiet_since is not None:
            self._quiet_since = (frame.at + len(frame.pcm) // 2) / self._rate
        self._push(frame.reply, frame.pcm + bytes(-len(frame.pcm) % (2 * self._piece)))

    @on(ReplyStarted, ReplyCommitted)
    def began(self, signal: ReplyStarted | ReplyCommitted) -> None:
        if not (isinstance(signal, ReplyStarted) and signal.speculative):
            self._quiet_since = self.session.now

    @on(ReplyEnded)
    def ended(self, signal: ReplyEnded) -> None:
        if not signal.speculative:
            self._quiet_since = None

    @on(PlayoutResumed)
    def resumed(self, signal: PlayoutResumed) -> None:
        self._quiet_since = self.session.now

    @on(Interrupted, PlayoutPaused)
    def cleared(self, signal: Interrupted | PlayoutPaused) -> None:
        """Go on from now if the transport has a buffer, which it has just discarded."""
        self._quiet_since = None
        if self._lead:
            self._at = round(self.session.now * self._rate)
            self._wake(self.session.now)

    def _fill(self) -> None:
        """Send what is due, at most one piece early.

        More would delay the voice, which comes after what was already sent.
        """
        ahead = min(self._lead, PIECE)
        due = round((self.session.now + ahead) * self._rate)
        self._catch_up(due)
        if self._at <= due:
            self._push(0, bytes(2 * self._piece))
        self._wake(self._at / self._rate - ahead)

    def _catch_up(self, at: int) -> None:
        """Send background sound up to sample `at`, or skip it if that is too much.

        It sends whole pieces.
        """
        if self._at < at - LATE * self._rate:
            self._at = at
        while self._at <= at - self._piece:
            self._push(0, bytes(2 * self._piece))

    def _wake(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.session.timer(self, when, self._fill)

    def _push(self, reply: int, pcm: bytes) -> None:
        """Send a piece with the background mixed in."""
        count = len(pcm) // 2
        under = [self._background.read(count)] if self._background is not None else []
        if self._thinking is not None:
            goal = float(self._thinks)
            step = count / self._rate / SWELL
            swell = min(self._swell + step, goal) if goal else max(self._swell - step, 0.0)
            if swell or self._swell:
                if not self._swell:
                    self._thinking.rewind()
                between = self._swell + (swell - self._swell) * 0.5
                under.append(self._thinking.read(count) * between)
            self._swell = swell
        self.push(AgentAudio(reply, mixed(pcm, *under) if under else pcm, self._rate, self._at))
        self._at += count

    @property
    def _thinks(self) -> bool:
        since = self._quiet_since
        return since is not None and self._at / self._rate - since >= self.settings.thinking_after
