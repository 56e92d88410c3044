"""What is said while an answer takes long."""

from collections.abc import Callable, Sequence

from ..frames import Frame, Text, TextEnded
from ..reply import Reply
from .replies import ReplyInProgress

__all__ = ["Meanwhile"]

Push = Callable[[Frame], object]

PLEASE_WAIT_EVERY = 2.3  # seconds


class Meanwhile:
    """The sentences that a reply says before its answer.

    `fillers` are for tools that run long, in turn; `please_wait` is for a model that writes nothing.
    """

    def __init__(self, fillers: Sequence[str], please_wait: str | None) -> None:
        self.fillers = tuple(fillers)
        self.please_wait = please_wait
        self._asked = (0, 0.0)  # the reply in which the caller was last asked to wait, and when

    def fill(self, current: ReplyInProgress, push: Push) -> None:
        """Say a filler if the tools still run and nothing has been said."""
        reply = current.reply
        if reply.state != "active" or reply.text.strip() or current.has_all_results:
            return
        filler, self.fillers = self.fillers[0], (*self.fillers[1:], self.fillers[0])
        _say(reply, filler, push)
        current.generations[-1].end = len(reply.text)

    def ask_to_wait(self, current: ReplyInProgress, now: float, push: Push) -> None:
        """Ask a caller who hears nothing to wait."""
        reply = current.reply
        number, at = self._asked
        lately = number == reply.number and now < at + PLEASE_WAIT_EVERY
        if self.please_wait is None or reply.speculative or not reply.voiced or lately:
            return
        self._asked = reply.number, now
        _say(reply, self.please_wait, push)
        current.spoken_meanwhile = len(reply.text)


def _say(reply: Reply, sentence: str, push: Push) -> None:
    """Say a sentence at once, after what has been written."""
    space = " " if reply.text and not reply.text[-1].isspace() else ""
    at = reply.write(f"{space}{sentence} ")
    push(Text(reply.number, space + sentence, at))
    push(TextEnded(reply.number, more=True))
