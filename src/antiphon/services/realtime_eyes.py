"""The eyes of a realtime model: pictures of the user's camera and screen.

At most one picture a second is made of what comes, of the camera and the screen in turn. When the model gets
it depends on what it does with pictures (`RealtimeModel.sees`), and on who decides that a turn is over:

| sees | our turn taking decides | the model decides |
| --- | --- | --- |
| "turns" | the newest of each, as the turn ends | the newest of each, as the user begins to speak |
| "video" | the newest, as a turn begins; then one a second until it ends | one a second |

A typed turn brings the newest pictures in any case. A picture that is the same as the one before is not given
again, nor one that is older than five seconds: the user shows nothing any more.
"""

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from ..clock import offload
from ..context import Image
from ..errors import ConfigurationError
from ..frames import Frame, Signal, SpeechStarted, UserVideo
from ..processor import on
from ..stage import Stage, Work
from .jpeg import jpeg
from .ports import Sees
from .realtime_ears import RealtimeEars
from .realtime_vocabulary import RealtimeInput, UserPicture

__all__ = ["RealtimeEyes"]

EVERY = 1.0  # seconds between two pictures
STALE = 5.0  # seconds after which a picture does not show any more what the user shows


class _Look(NamedTuple):
    """A picture, and when it was taken."""

    at: float
    image: Image


class RealtimeEyes(Stage):
    """Where a `Realtime` stage sees the user: behind its ears.

    `give` takes inputs for the model, which hears the user through `ears`; `sees` is the model's, `detects`
    the stage's. While a picture is made no other is: a slow machine makes fewer.
    """

    def __init__(
        self, give: Callable[[RealtimeInput], object], ears: RealtimeEars, sees: Sees, *, detects: bool
    ) -> None:
        self.sees: Sees = sees
        self._give = give
        self._ears = ears
        self._detects = detects
        self._newest: dict[str, UserVideo] = {}  # by source, of which there is no picture yet
        self._looked: dict[str, float] = {}  # when a picture of each source was last begun
        self._looking: Work | None = None
        self._looks: dict[str, _Look] = {}  # the newest picture of each source, until it is given
        self._given: dict[str, Image] = {}

    def begin(self) -> None:
        """Begin with a new conversation of the model, which has seen nothing."""
        self._given.clear()

    @on(UserVideo)
    def seen(self, frame: UserVideo) -> None:
        self.push(frame)
        if self.sees == "nothing":
            return
        self._newest[frame.source] = frame
        if self._looking is not None and self._looking.alive:
            return
        now = self.session.now
        if now >= max(self._looked.values(), default=-EVERY) + EVERY:
            source = min(self._newest, key=lambda source: self._looked.get(source, -EVERY))
            self._looked[source], self._looking = now, Work(self)
            self.run(self._looking, self._look(self._newest.pop(source)))

    async def _look(self, frame: UserVideo) -> AsyncGenerator[Frame | Signal, None]:
        """Make a picture of a frame."""
        try:
            data = await offload(None, jpeg, frame.pixels, frame.width, frame.height)
        except ConfigurationError:
            self.sees = "nothing"
            raise
        self._looks[frame.source] = _Look(frame.at, Image(data))
        if self.sees == "video" and self._ears.hearing:
            self.show()
        return
        yield  # makes this the generator that `run` expects

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        self.push(frame)
        if self._detects or self.sees == "video":
            self.show()

    def end_turn(self) -> None:
        """Show what belongs to a turn that ends by our judgement."""
        if self.sees == "turns" and not self._detects:
            self.show()

    def show(self) -> None:
        """Give what is new: of a video the newest, else one of each source."""
        looks = sorted(self._looks.items(), key=lambda look: look[1].at)
        for source, look in looks[-1:] if self.sees == "video" else looks:
            del self._looks[source]
            if look.image != self._given.get(source) and self.session.elapsed() <= look.at + STALE:
                self._given[source] = look.image
                self._give(UserPicture(look.image))
