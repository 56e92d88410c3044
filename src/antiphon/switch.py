"""Alternatives of which one is on: `Switch`."""

from .errors import ConfigurationError, UsageError
from .flow import Frame
from .frames import Failed, Prompt, ReplyEnded, Text, replace
from .pipeline import Branch, Parallel, Part
from .processor import Hop, on

__all__ = ["Switch"]


class Switch(Parallel):
    """Alternatives of which exactly one is on: Switch(main=TTS(a), spare=TTS(b)).

    `use(name)` chooses by hand. If a stage of the chosen one fails, the next one takes over. If nothing made
    for the current reply has come out yet, the new one gets the frames of that reply again, so that nothing
    is lost. If a voice fails in the middle of a reply, the new one gets the text from there on. Otherwise it
    takes over with the next reply.
    """

    def __init__(self, *branches: Part, **named: Part) -> None:
        names = [*map(str, range(len(branches))), *named]
        if not names:
            raise ConfigurationError("a Switch needs at least one alternative")
        super().__init__(*branches, off=names[1:], **named)
        self._reply: int | None = None
        self._given: list[tuple[Hop, Frame]] = []  # the frames of this reply that went in
        self._from: int | None = None  # the offset of its text at which the chosen one took over
        self._answered = False  # whether something that the chosen one made for it has come out
        self._following: Branch | None = None  # takes over once the current reply has ended

    @property
    def chosen(self) -> str:
        """The name of the alternative that is on."""
        return next(name for name, branch in self.inner.items() if branch.on)

    def use(self, name: str) -> None:
        """Switch to this alternative."""
        self.switch(name, True)

    def switch(self, name: str, on: bool) -> None:
        """Do the same as `use`; raises UsageError if `on` is false."""
        if not on:
            raise UsageError(f"one alternative of {self.name} is always on: choose another with use(name)")
        super().switch(name, on)

    def _turn(self, branch: Branch, on: bool, resume_at: int | None = None) -> None:
        reply, old = self.session.reply, self.inner[self.chosen]
        is_given = reply is not None and reply.number == self._reply
        self._following = branch if is_given and self._answered and resume_at is None else None
        if self._following is not None or branch is old:
            return
        self._off(old)
        super()._turn(branch, on)
        if is_given:
            self._from = self._from if resume_at is None else resume_at
            self._answered = False
            for split, frame in self._given:
                if (rest := _after(frame, self._from)) is not None:
                    split(rest)

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        if self._following is not None:
            self._turn(self._following, True)

    def spare(self, branch: Branch) -> Branch | None:
        """Return the next alternative if this one is on, or None."""
        branches = list(self.inner.values())
        return next(iter(branches[branches.index(branch) + 1 :]), None) if branch.on else None

    def recovers(self, failed: Failed) -> bool:
        """Return whether the failed one has made nothing, or the rest can be made."""
        can_go_on = not self._answered or failed.resume_at is not None
        return failed.reply is None or (failed.reply == self._reply and can_go_on)

    def replace(self, branch: Branch, failed: Failed) -> None:
        """Let the next alternative take over."""
        if (spare := self.spare(branch)) is not None:
            self.session.inputs.call("replace", None, lambda: self._turn(spare, True, failed.resume_at))

    def _split(self, kind: type[Frame], ways: list[tuple[Branch, Hop | None]], past: Hop | None) -> Hop:
        split = super()._split(kind, ways, past)

        def remember(frame: Frame) -> None:
            reply = getattr(frame, "reply", None)
            if reply is not None:
                if reply != self._reply or type(frame) is Prompt:
                    self._reply, self._given, self._from, self._answered = reply, [], None, False
                self._given.append((split, frame))
            split(frame)

        return remember

    def _emerge(self, frame: Frame, hop: Hop) -> None:
        if not self._answered and getattr(frame, "reply", None) == self._reply:
            self._answered = not any(frame is given for _, given in self._given)
        super()._emerge(frame, hop)


def _after(frame: Frame, offset: int | None) -> Frame | None:
    """Return what of a frame comes after an offset of the text; all if it is None."""
    if offset is None or not isinstance(frame, Text):
        return frame
    said = frame.text[max(0, offset - frame.at) :]
    return replace(frame, text=said, at=max(frame.at, offset)) if said else None
