"""Alternatives that are asked at once, and the first to answer is heard: `Race`."""

from .clock import Timer
from .errors import ConfigurationError
from .flow import Frame, Signal
from .frames import (
    Failed,
    Generated,
    Prompt,
    ReplyEnded,
    SegmentEnded,
    SegmentStarted,
    SessionStarted,
    Text,
    UserAudio,
    WordTimed,
)
from .pipeline import Branch, Parallel, Part
from .processor import Hop, on
from .switch import rest_of

__all__ = ["Race"]

PRELUDE = (SegmentStarted, SegmentEnded, WordTimed)  # no answer yet: it comes out with the first audio


class Race(Parallel):
    """Alternatives that race for each answer: Race(LLM(a), LLM(b)).

    All get the prompt of a model, or the text of a voice. The first whose answer comes out wins: the others
    are cancelled, and nothing of theirs comes out. One that fails has lost; if a voice that has won fails in
    the middle of a reply, the others race for the rest of it.

    `after` makes it a hedge: each further alternative is asked only if no answer has come this many seconds
    after the one before was asked, or if all that were asked have failed.
    """

    def __init__(self, *branches: Part, after: float = 0.0, **named: Part) -> None:
        super().__init__(*branches, off=(), **named)
        if not self.inner:
            raise ConfigurationError("a Race needs at least one alternative")
        if after < 0:
            raise ConfigurationError(f"after={after!r}: it is a number of seconds, 0 or more")
        for branch in self.inner.values():
            if branch.handles(UserAudio):
                raise ConfigurationError(
                    "recognisers cannot race: they cut speech at different words, and the first to answer "
                    "may have heard the least. Put them in a Switch"
                )
            if branch.handles(Prompt) and branch.handles(Text):
                raise ConfigurationError(
                    "a model and a voice race apart: [Race(LLM(a), LLM(b)), Race(TTS(c), TTS(d))]"
                )
        self._after = after
        self._reply: int | None = None
        self._given: list[tuple[dict[Branch, Hop | None], Frame]] = []  # the frames that went in, and how
        self._from: int | None = None  # the offset of the reply's text from which it is raced for
        self._waiting: list[Branch] = []  # those that have not been asked
        self._asked: list[Branch] = []  # those that have, and have not failed
        self._winner: Branch | None = None
        self._held: dict[Branch, list[tuple[Hop, Frame]]] = {}  # what came out before an answer
        self._timer: Timer | None = None

    # What goes in ----------------------------------------------------------------------------------

    def _split(self, kind: type[Frame], ways: list[tuple[Branch, Hop | None]], past: Hop | None) -> Hop:
        split, hops = super()._split(kind, ways, past), dict(ways)

        def give(frame: Frame) -> None:
            reply = getattr(frame, "reply", None)
            if not reply or not any(branch.on for branch in hops):
                split(frame)
                return
            self._note(frame)
            if reply != self._reply or kind is Prompt:
                self._begin(reply)
            self._given.append((hops, frame))
            for branch in list(self._asked):
                self._give(branch, hops, frame)
            self._ask()

        return give

    def _begin(self, reply: int) -> None:
        """Begin a race for a reply, or for a model's answer to its tools' results."""
        self._stop()
        self._reply = reply
        self._waiting = [branch for branch in self.inner.values() if branch.on]

    def _ask(self) -> None:
        """Ask those whose time has come."""
        while self._waiting and self._winner is None and self._timer is None:
            branch = self._waiting.pop(0)
            if not branch.on:
                continue
            self._asked.append(branch)
            if self._after and self._waiting:
                self._timer = self.after(self._after, self._next)
            for hops, frame in list(self._given):
                self._give(branch, hops, frame)

    def _next(self) -> None:
        self._timer = None
        self._ask()

    def _give(self, branch: Branch, hops: dict[Branch, Hop | None], frame: Frame) -> None:
        """Give a frame to one that may still win."""
        if self._winner in (None, branch) and branch.on:
            hop, rest = hops.get(branch), rest_of(frame, self._from)
            if hop is not None and rest is not None:
                hop(rest)

    # What comes out --------------------------------------------------------------------------------

    def _emerge(self, branch: Branch, frame: Frame, hop: Hop) -> None:
        if self._entered(frame):
            super()._emerge(branch, frame, hop)
        elif getattr(frame, "reply", None) != self._reply or self._reply is None:
            if branch is next(one for one in self.inner.values() if one.on):
                hop(frame)  # it is of no race
        elif self._winner is None and isinstance(frame, PRELUDE):
            self._held.setdefault(branch, []).append((hop, frame))
        elif self._wins(branch):
            hop(frame)

    def sends(self, branch: Branch, signal: Signal) -> bool:
        """Return whether a signal from a branch is told: a model's answer, if it has won."""
        return type(signal) is not Generated or signal.reply != self._reply or self._wins(branch)

    def _wins(self, branch: Branch) -> bool:
        """Return whether this one has won, or does so now."""
        if self._winner is None and branch in self._asked:
            self._winner = branch
            self._stop_timer()
            lost = {one for one in self.inner.values() if one is not branch}
            number = self._reply
            self.session.works.cancel(
                lambda work: work.reply == number and not lost.isdisjoint(work.stage.branches)
            )
            held, self._held = self._held.pop(branch, []), {}
            for hop, frame in held:
                hop(frame)
        return self._winner is branch

    # Failures --------------------------------------------------------------------------------------

    races = True

    def spare(self, branch: Branch) -> Branch | None:
        """Return another that may still answer the current reply, or None."""
        reply = self.session.reply
        if reply is None or reply.number != self._reply or self._winner not in (None, branch):
            return None
        left = [one for one in (*self._asked, *self._waiting) if one is not branch and one.on]
        return left[0] if left and branch in self._asked else None

    def recovers(self, failed: Failed) -> bool:
        """Return whether the others can still do all the work that failed."""
        return failed.reply == self._reply and (self._winner is None or failed.resume_at is not None)

    def replace(self, branch: Branch, failed: Failed) -> None:
        """Note that one has lost; if it had won before, the others race for the rest.

        The last one stays, to say that there is no answer.
        """
        if self.spare(branch) is None or not self.recovers(failed):
            return
        self._asked.remove(branch)
        self._held.pop(branch, None)
        if self._winner is branch:
            self._winner, self._from = None, failed.resume_at
            self._waiting, self._asked = [*self._asked, *self._waiting], []
            self.session.inputs.call("replace", None, self._forget_losers)
        if not self._asked:
            self._stop_timer()
            self.session.inputs.call("replace", None, self._ask)

    def _forget_losers(self) -> None:
        """Let those that race again begin anew."""
        for branch in self._waiting:
            self.session.signals.deliver(SessionStarted(), branch)

    # The end ---------------------------------------------------------------------------------------

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        if signal.reply == self._reply:
            self._stop()

    def _stop(self) -> None:
        """Forget the race."""
        self._stop_timer()
        self._reply = self._from = self._winner = None
        self._given, self._held, self._waiting, self._asked = [], {}, [], []

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
