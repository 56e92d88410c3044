"""An interpreter: says again what the user says, while the user goes on.

    [transport.input, VAD(...), realtime.ears, Interpreter("Say it in French."), realtime, Playout(...), ...]

It stands where turn taking and conversation stand in other pipelines. Nobody takes turns here: each phrase of
the user, up to a short pause, gets a reply, and no reply is interrupted. Phrases that come while one is being
said are said together, so that the interpreter never falls far behind.
"""

from collections.abc import Sequence

from ..context import Entry
from ..frames import (
    Generated,
    Prompt,
    ReplyEnded,
    ReplyStarted,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    TextEnded,
    Transcript,
    UserTurn,
)
from ..processor import Processor, on
from ..reply import Reply
from .history import History

__all__ = ["Interpreter"]

RECENT = 40  # entries of the history that the model still reads
SHORTEST = 0.25  # seconds of sound that may be a phrase, if its words are not awaited


class Interpreter(Processor):
    """A processor that has each phrase of the user said again by the model behind it.

    `by_words`: whether a speech to text tells the phrases; else the model hears them itself, as a `Realtime`
    stage does. Such a phrase ends after `longest` seconds at the first gap in the sound, however small.
    """

    def __init__(
        self,
        instructions: str,
        *,
        by_words: bool = False,
        longest: float = 5.0,
        history: Sequence[Entry] = (),
    ) -> None:
        self.history = History(instructions, (), history)
        self.by_words = by_words
        self.longest = longest
        self._started = 0.0  # when the phrase began
        self._due = False  # whether something was said that no reply has

    # The user's phrases ------------------------------------------------------------------------------

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        self._started = frame.at
        self.push(frame)

    @on(SpeechPaused)
    def speech_paused(self, frame: SpeechPaused) -> None:
        self.push(frame)
        if not self.by_words and frame.at - self._started > self.longest:
            self._phrase(frame.at)

    @on(SpeechStopped)
    def speech_stopped(self, frame: SpeechStopped) -> None:
        self.push(frame)
        if not self.by_words and frame.at - self._started > SHORTEST:
            self._phrase(frame.at)

    def _phrase(self, ended: float) -> None:
        """Let the model hear a phrase; its words come later."""
        phrase = UserTurn("", self._started, ended, "a phrase", words_late=True)
        self._started = ended
        self.push(phrase)
        self.history.record_turn(phrase)
        self._say_again()

    @on(Transcript)
    def words(self, frame: Transcript) -> None:
        self.push(frame)
        if not frame.final:
            return
        if not self.by_words:
            self.history.mend(frame)
        elif frame.text.strip():
            self.push(UserTurn(frame.text, frame.started, frame.ended, "a phrase"))
            self.history.record_user(frame.text)
            self._say_again()

    # What is said again ------------------------------------------------------------------------------

    def _say_again(self) -> None:
        self._due = True
        self._next()

    def _next(self) -> None:
        if self._due and not self.session.replies.owed:
            self.session.new_reply(self._prompt, interruptible=False)

    def _prompt(self, reply: Reply) -> None:
        self._due = False
        self.push(Prompt(reply.number, self.history.prompt()))

    @on(ReplyStarted)
    def reply_started(self, signal: ReplyStarted) -> None:
        if (reply := self.session.reply) is not None:
            self.history.begin_reply(reply)

    @on(Generated)
    def generated(self, signal: Generated) -> None:
        self.push(TextEnded(signal.reply))

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        self.history.end_reply(signal)
        del self.history.entries[:-RECENT]
        self._next()
