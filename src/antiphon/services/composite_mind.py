"""The mind of a composite: what was said, and what must be answered."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from ..context import AgentSaid, Context, Entry, Image, ToolAnswered, UserSaid
from ..conversation.meanwhile import PLEASE_WAIT_EVERY
from ..frames import (
    AnswerDelayed,
    Generated,
    Prompt,
    Text,
    TextEnded,
    ToolCall,
    Transcript,
    TurnLost,
    Usage,
    UserTurn,
    UserTurnStarted,
    UtteranceLost,
)
from ..processor import Processor, on
from ..reply import Reply
from .composite_mouth import CUT_SHORT, TellEvent
from .realtime_vocabulary import (
    Consumed,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    ToolOutput,
    UserHeard,
    UserPicture,
    UserSpeaks,
    UserWords,
)

__all__ = ["CompositeMind", "HeardTurns", "OwnTurns"]

NOT_RECOGNISED = "the user's words were not recognised"


class CompositeMind(Processor):
    """Has the language model answer, with all that was said."""

    def __init__(self, context: Context, tell: TellEvent, please_wait: str | None) -> None:
        self.turns_due = 0
        """Turns of the user whose words are missing."""
        self.turns = 0
        """Turns of the user whose words are known, or lost."""
        self._context = context
        self._since: list[Entry] = []  # what was said since that context
        self._heard: list[UserSaid] = []  # words of turns that have no answer yet
        self._tell = tell
        self._please_wait = please_wait
        self._picture: Image | None = None  # the newest that no turn has yet
        self._waiting = False  # whether an answer is to be made once the words are there
        self._waited = (0, 0)  # a reply, and where the words end in it that asked to wait
        self._waited_at = 0.0
        self._calls: dict[str, ToolCall] = {}

    def take(self, item: RealtimeInput) -> None:
        """Take an input that is not sound."""
        match item:
            case Remember(context):
                self._heard = self._missing_in(context)
                self._context = context
                self._since = [*self._heard]
            case UserWords(text):
                self._add_said(text)
            case UserPicture(image):
                self._picture = image
            case ToolOutput(call, name, output):
                known = self._calls.pop(call, ToolCall(call, name, "{}"))
                self._since.append(ToolAnswered(known, output))
            case Respond() if self.turns_due:
                self._waiting = True
            case Respond():
                self.answer()
            case Say(text):
                self.session.new_reply(lambda reply: self._say(reply, text))
            case _:
                pass

    def cut_short(self) -> None:
        """Stop the answer, or do not begin it."""
        if self._waiting:
            self._waiting = False
            self.end("cancelled", CUT_SHORT)
        self.session.interrupt(CUT_SHORT, force=True)

    def end(self, status: Literal["cancelled", "failed"], reason: str) -> None:
        """Tell of a response that never began to be made."""
        self._tell(ResponseBegan())
        self._tell(ResponseOver(status, reason))

    def answer(self) -> None:
        """Begin an answer."""
        self.session.new_reply(self._ask)

    def heard(self, text: str | None) -> None:
        """Take the words of a turn; None if they were lost."""
        if text is not None:
            self._tell(UserHeard(self.turns, text, True))
        self.turns += 1
        if text:
            self._heard.append(self._add_said(text))

    def go_on(self, problem: str = "") -> None:
        """Make the answer that waited for words, if there are any now."""
        if not self._waiting or self.turns_due:
            return
        self._waiting = False
        if problem:
            self.end("failed", problem)
        elif self._since and isinstance(self._since[-1], UserSaid | ToolAnswered):
            self.answer()
        else:
            self.end("cancelled", "there were no words")

    def _add_said(self, text: str) -> UserSaid:
        picture, self._picture = self._picture, None
        said = UserSaid(text, (picture,) if picture is not None else ())
        self._since.append(said)
        return said

    def _missing_in(self, context: Context) -> list[UserSaid]:
        """Return what was heard and is not in a new context.

        That context was written before its writer was told of the words.
        """
        before, now = _user_words(self._context), _user_words(context)
        return [said for said in self._heard if now.count(said.text) <= before.count(said.text)]

    def _ask(self, reply: Reply) -> None:
        self._tell(ResponseBegan())
        self._heard = []
        entries = (*self._context.entries, *self._since)
        context = Context(self._context.instructions, entries, self._context.tools)
        self.push(Prompt(reply.number, context))

    def _say(self, reply: Reply, text: str) -> None:
        self._tell(ResponseBegan())
        self.push(Text(reply.number, text, reply.write(text)))
        self.push(TextEnded(reply.number))

    @on(AnswerDelayed)
    def delayed(self, signal: AnswerDelayed) -> None:
        """Ask the user to wait for a model that has written nothing yet."""
        reply, sentence = self.session.reply, self._please_wait
        if sentence is None or reply is None or reply.number != signal.reply:
            return
        if self._waited[0] == reply.number and self.session.now < self._waited_at + PLEASE_WAIT_EVERY:
            return
        at = reply.write(f"{sentence} ")
        self._waited, self._waited_at = (reply.number, len(reply.text)), self.session.now
        self.push(Text(reply.number, sentence, at))
        self.push(TextEnded(reply.number, more=True))

    @on(Generated)
    def generated(self, signal: Generated) -> None:
        """Have all of the text spoken, and tell the calls."""
        for call in signal.calls:
            self._calls[call.id] = call
            self._tell(call)
        reply = self.session.reply
        if reply is not None and reply.number == signal.reply:
            if signal.calls:
                number, waited = self._waited
                said = reply.text[waited if number == reply.number else 0 :]
                self._since.append(AgentSaid(said, signal.calls))
            self.push(TextEnded(signal.reply))

    @on(Usage)
    def used(self, signal: Usage) -> None:
        self._tell(Consumed(signal.unit, signal.amount, signal.vendor, signal.model))


def _user_words(context: Context) -> str:
    return "\n".join(entry.text for entry in context.entries if isinstance(entry, UserSaid))


@dataclass(slots=True)
class HeardStretch:
    """Sound of the user that is a turn, or nothing; it may hold several utterances."""

    asked: int = 0
    """Utterances of it that are over."""
    answered: int = 0
    """Those whose words are there, or lost."""
    texts: list[str] = field(default_factory=list[str])
    lost: bool = False
    """True if words of it were lost."""
    ended: Literal["", "turn", "discarded"] = ""

    @property
    def text(self) -> str:
        """All words so far."""
        return " ".join(text for text in self.texts if text)


class HeardTurns(Processor):
    """Makes the words of utterances those of turns that were decided on outside."""

    def __init__(self, mind: CompositeMind, tell: TellEvent) -> None:
        self._mind, self._tell = mind, tell
        self._stretches = deque[HeardStretch]()

    def begin(self) -> None:
        """Begin a stretch of sound."""
        self._stretches.append(HeardStretch())

    def ask(self, ended: Literal["", "turn", "discarded"] = "") -> None:
        """Note that an utterance is over, and perhaps the stretch with it."""
        if not self._stretches:
            self.begin()
        stretch = self._stretches[-1]
        stretch.asked += 1
        stretch.ended = ended
        self._mind.turns_due += ended == "turn"

    @on(Transcript)
    def words(self, frame: Transcript) -> None:
        if not self._stretches:
            return
        stretch = self._stretches[0]
        if frame.final:
            stretch.texts.append(frame.text)
            self._answered(stretch)
        elif stretch.ended != "discarded":
            said = " ".join(filter(None, (stretch.text, frame.text)))
            self._tell(UserHeard(self._mind.turns, said, False))

    @on(UtteranceLost)
    def words_lost(self, frame: UtteranceLost) -> None:
        if self._stretches:
            self._stretches[0].lost = True
            self._answered(self._stretches[0])

    def _answered(self, stretch: HeardStretch) -> None:
        if stretch.answered < stretch.asked:  # else it was the recogniser's own decision
            stretch.answered += 1
        if not stretch.ended or stretch.answered < stretch.asked:
            return
        self._stretches.popleft()
        if stretch.ended == "discarded":
            return
        self._mind.turns_due -= 1
        lost = stretch.lost and not stretch.text
        self._mind.heard(None if lost else stretch.text)
        self._mind.go_on(NOT_RECOGNISED if lost else "")


class OwnTurns(Processor):
    """Tells of the turns of the composite's own turn taking, and has them answered."""

    def __init__(self, mind: CompositeMind, tell: TellEvent) -> None:
        self._mind, self._tell = mind, tell
        self._began = self._has_words = self._speaks = False

    @on(UserTurnStarted)
    def started(self, signal: UserTurnStarted) -> None:
        self._began = True
        self._speak()

    @on(Transcript)
    def words(self, frame: Transcript) -> None:
        self._has_words = self._has_words or bool(frame.text)
        self._speak()
        if self._speaks and not frame.final:
            self._tell(UserHeard(self._mind.turns, frame.text, False))

    def _speak(self) -> None:
        """Tell of a turn once it has words; before that it may be a noise."""
        if self._began and self._has_words and not self._speaks:
            self._speaks = True
            self._tell(UserSpeaks(True))

    def _over(self, text: str | None) -> None:
        """Tell of the turn's words, then of its end.

        Whoever is told counts a short turn because it has words already.
        """
        self._began = self._has_words = True
        self._speak()
        self._began = self._has_words = self._speaks = False
        self._mind.heard(text)
        self._tell(UserSpeaks(False))

    @on(UserTurn)
    def turn(self, frame: UserTurn) -> None:
        self._over(frame.text)
        self._mind.answer()

    @on(TurnLost)
    def lost(self, frame: TurnLost) -> None:
        self._over(None)
        self._mind.end("failed", NOT_RECOGNISED)
