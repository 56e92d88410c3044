"""Notes that are to be answered: each waits until nobody speaks.

A tool that runs in the background ends with one; a program sends `ContextNote(text, answered=True)`.
"""

from math import inf

from ..frames import (
    ContextNote,
    EagerTurn,
    ReplyEnded,
    SpeechStarted,
    SpeechStopped,
    ToolReported,
    TurnLost,
    UserText,
    UserTurn,
)
from ..processor import Processor, on

__all__ = ["Notes"]

QUIET = 1.5  # seconds after speech in which its turn may still be ended


class Notes(Processor):
    """A processor before the conversation: holds notes back while somebody speaks.

    If the user says something meanwhile, the answer to that has read them.
    """

    def __init__(self) -> None:
        self._held: list[str] = []
        self._quiet_at = 0.0  # when the user is believed to be silent; infinite while there is speech

    @on(ToolReported)
    def reported(self, signal: ToolReported) -> None:
        self._hold(f"[{signal.call.name} has ended. Tell the user: {signal.result}]")

    @on(ContextNote)
    def note(self, frame: ContextNote) -> None:
        if frame.answered:
            self._hold(frame.text)
        else:
            self.push(frame)

    def _hold(self, text: str) -> None:
        self._held.append(text)
        self._release()

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        self._quiet_at = inf
        self.push(frame)

    @on(SpeechStopped)
    def speech_stopped(self, frame: SpeechStopped) -> None:
        self._quiet_at = self.session.now + QUIET
        self.push(frame)
        self._release()

    @on(EagerTurn, UserTurn, UserText, TurnLost)
    def turn(self, frame: EagerTurn | UserTurn | UserText | TurnLost) -> None:
        """Let the answer to a turn read the notes."""
        if not isinstance(frame, TurnLost):
            held, self._held = self._held, []
            for text in held:
                self.push(ContextNote(text))
        self._quiet_at = self.session.now
        self.push(frame)

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        self._release()

    def _release(self) -> None:
        """Have the notes answered, once nobody speaks."""
        if not self._held or self.session.replies.owed:
            return
        if self._quiet_at > self.session.now:
            if self._quiet_at < inf:
                self.after(self._quiet_at - self.session.now, self._release)
            return
        *others, last = self._held
        self._held = []
        for text in others:
            self.push(ContextNote(text))
        self.push(ContextNote(last, answered=True))
