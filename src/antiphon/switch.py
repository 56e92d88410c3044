"""Alternatives of which one is on, and the next takes over if it fails: `Switch`."""

from collections.abc import Mapping

from .errors import ConfigurationError, UsageError
from .flow import Frame, Signal
from .frames import (
    Failed,
    Generated,
    Prompt,
    ReplyEnded,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Text,
    Transcript,
    replace,
)
from .pipeline import Branch, Parallel, Part
from .processor import Hop, on
from .service_health import Health, shared_health

__all__ = ["Switch", "rest_of"]

SETTLED = 1.0  # seconds after final words of the user in which more of them may come
AT_ONCE = 1.0  # seconds after its failure in which an alternative is no spare: all may be failing in turn


class Switch(Parallel):
    """Alternatives of which exactly one is on: Switch(main=TTS(a), spare=TTS(b)).

    If a stage of the chosen one fails, another takes over. If nothing made for the current reply has come out
    yet, that gets the frames of the reply again, so that nothing is lost. If a voice fails in the middle of a
    reply, it gets the text from there on. Otherwise it takes over with the next reply. A recogniser hears
    what the one before it has not answered.

    An alternative that failed rests for 30 s, then 60, up to 300. After that the first one is chosen again,
    between replies and while the user is silent. If all rest, it is the one that failed longest ago. A new
    session leaves a service alone that rests in the other sessions of this process.

    `use(name)` chooses by hand.
    """

    def __init__(self, *branches: Part, **named: Part) -> None:
        names = [*map(str, range(len(branches))), *named]
        if not names:
            raise ConfigurationError("a Switch needs at least one alternative")
        super().__init__(*branches, off=names[1:], **named)
        self._preferred = self.inner[names[0]]
        self._health = {branch: Health() for branch in self.inner.values()}
        self._shared: dict[str, Health] = {}  # by the name of the part, in sessions that call services
        self._reply: int | None = None
        self._given: list[tuple[Hop, Frame]] = []  # the frames of this reply that went in
        self._failed: set[Branch] = set()  # those that have failed in this reply
        self._from: int | None = None  # the offset of its text at which the chosen one took over
        self._answered = False  # whether something that the chosen one made for it has come out
        self._speaking = False  # whether the user is
        self._awaited = False  # whether final words of the user are still to come out

    @property
    def chosen(self) -> str:
        """The name of the alternative that is on."""
        return self._chosen.name

    @property
    def _chosen(self) -> Branch:
        return next(branch for branch in self.inner.values() if branch.on)

    # Choosing --------------------------------------------------------------------------------------

    def use(self, name: str) -> None:
        """Choose this alternative, from the next reply on if one is being made."""
        self.switch(name, True)

    def switch(self, name: str, on: bool) -> None:
        """Do the same as `use`; raises UsageError if `on` is false."""
        if not on:
            raise UsageError(f"one alternative of {self.name} is always on: choose another with use(name)")
        super().switch(name, on)

    def _turn(self, branch: Branch, on: bool) -> None:
        self._preferred, self._health[branch] = branch, Health()
        if not (self._awaited or (self._has_frames() and self._answered)):
            self._put_on(branch)

    def _choose(self) -> None:
        """Let the best alternative take over, unless words of the user are awaited."""
        best = self._best()
        if best is not None and not self._awaited:
            self._put_on(best)

    def _best(self, *but: Branch) -> Branch | None:
        """Return the first that does not rest, else the one that failed longest ago."""
        others = [branch for branch in self.inner.values() if branch is not self._preferred]
        branches = [branch for branch in (self._preferred, *others) if branch not in but]
        now = self.session.now
        healthy = (branch for branch in branches if not self._health[branch].rests_at(now))
        longest_ago = min(branches, key=lambda branch: self._health[branch].failed_at, default=None)
        return next(healthy, longest_ago)

    def _put_on(self, branch: Branch, resume_at: int | None = None) -> None:
        old = self._chosen
        if branch is old:
            return
        unanswered = self.hand_over()
        self._off(old)
        super()._turn(branch, True)
        self.take_over(unanswered)
        if self._has_frames():
            self._from = self._from if resume_at is None else resume_at
            self._answered = False
            for split, frame in self._given:
                if (rest := rest_of(frame, self._from)) is not None:
                    split(rest)

    def _has_frames(self) -> bool:
        """Return whether frames of the current reply have gone in."""
        reply = self.session.reply
        return reply is not None and reply.number == self._reply

    # Failures --------------------------------------------------------------------------------------

    def spare(self, branch: Branch) -> Branch | None:
        """Return the alternative that takes over if this one fails, or None.

        Each is tried once for a reply. Outside of replies, one that has just failed is left alone.
        """
        if not branch.on:
            return None
        if self._has_frames():
            return self._best(branch, *self._failed)
        since = self.session.now - AT_ONCE
        return self._best(branch, *(one for one, health in self._health.items() if health.failed_at > since))

    def recovers(self, failed: Failed) -> bool:
        """Return whether the failed one has made nothing, or the rest can be made."""
        can_go_on = not self._answered or failed.resume_at is not None
        return failed.reply is None or (failed.reply == self._reply and can_go_on)

    def replace(self, branch: Branch, failed: Failed) -> None:
        """Note that a branch has failed, and let its spare, if it has one, take over."""
        if not branch.on:
            return
        spare, recovers = self.spare(branch), self.recovers(failed)
        self._health[branch].fail(self.session.now)
        if (shared := self._shared.get(failed.part)) is not None:
            shared.fail(self.session.clock.now())
        if failed.reply is not None and failed.reply == self._reply:
            self._failed.add(branch)
        if spare is not None and recovers:
            self.session.inputs.call("replace", None, lambda: self._put_on(spare, failed.resume_at))

    def _succeeded(self) -> None:
        chosen = self._chosen
        self._health[chosen].recover()
        for part in chosen.parts:
            if (shared := self._shared.get(part.name)) is not None:
                shared.recover()

    # The health that sessions share ----------------------------------------------------------------

    async def open(self) -> None:
        """Let those rest whose service rests in other sessions; the journal records it."""
        resting: dict[str, float] = {}
        for branch in self.inner.values():
            for part in branch.parts:
                if (service := getattr(part, "service", None)) is not None:
                    health = self._shared[part.name] = shared_health(service)
                    if (seconds := health.rests_until - self.session.clock.now()) > 0:
                        resting[branch.name] = round(seconds, 3)
        if resting:
            self.session.inputs.call("rest", (self.name, resting), lambda: self.rest(resting))

    def rest(self, seconds: Mapping[str, float]) -> None:
        """Do not try these alternatives, by name, for so many seconds."""
        for name, rest in seconds.items():
            health, now = self._health[self.inner[name]], self.session.now
            health.failures, health.failed_at, health.rests_until = 1, now, now + rest
        self._choose()

    # What goes in and comes out --------------------------------------------------------------------

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        if signal.reply == self._reply and self._answered and self._chosen not in self._failed:
            self._succeeded()
        self._choose()

    def sends(self, branch: Branch, signal: Signal) -> bool:
        """Note the end of a model's answer, which may have tool calls alone."""
        if type(signal) is Generated and signal.reply == self._reply:
            self._answered = True
        return True

    def _split(self, kind: type[Frame], ways: list[tuple[Branch, Hop | None]], past: Hop | None) -> Hop:
        split = super()._split(kind, ways, past)

        def remember(frame: Frame) -> None:
            reply = getattr(frame, "reply", None)
            if reply is not None:
                if reply != self._reply or kind is Prompt:
                    self._begin(reply)
                self._given.append((split, frame))
            elif kind in (SpeechStarted, SpeechResumed):
                self._speaking = self._awaited = True
            elif kind is SpeechStopped:
                self._speaking = False
            split(frame)

        return remember

    def _begin(self, reply: int) -> None:
        """Choose who works for a new reply, or for a further prompt of the same."""
        if reply != self._reply:
            self._failed = set()
        self._reply, self._given, self._from, self._answered = None, [], None, False
        self._choose()
        self._reply = reply

    def _emerge(self, branch: Branch, frame: Frame, hop: Hop) -> None:
        if not self._answered and getattr(frame, "reply", None) == self._reply:
            self._answered = not any(frame is given for _, given in self._given)
        if type(frame) is Transcript and not self._entered(frame):
            self._hear(frame)
        super()._emerge(branch, frame, hop)

    def _hear(self, words: Transcript) -> None:
        """Note words of the user; once they are final, another recogniser may take over."""
        self._awaited = self._speaking or not words.final
        if words.final and words.text:
            self._succeeded()
        if not self._awaited and self._best() is not self._chosen:
            self.after(SETTLED, self._choose)


def rest_of(frame: Frame, offset: int | None) -> Frame | None:
    """Return what of a frame comes after an offset of the text; all if it is None."""
    if offset is None or not isinstance(frame, Text):
        return frame
    said = frame.text[max(0, offset - frame.at) :]
    return replace(frame, text=said, at=max(frame.at, offset)) if said else None
