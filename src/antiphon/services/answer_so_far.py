"""What a realtime model has said so far of its newest response."""

from collections.abc import Callable

from ..context import AgentSaid, Context
from ..frames import replace
from ..signals import ToolCall
from .realtime_vocabulary import (
    AgentWords,
    CutShort,
    RealtimeEvent,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    UserHeard,
    UserSpeaks,
    UserWords,
    Voice,
)

__all__ = ["AnswerSoFar"]

CHARACTERS = 14.0  # spoken in a second, at least: better a word said twice than one that is missing
HEARD_AFTER = 1.0  # seconds after its last sound in which one is told what was heard of it


class AnswerSoFar:
    """The newest response of a conversation, over however many connections.

    Times within it count from its first sound, while each connection knows only its own part. If the model
    `speaks`, words wait for the first sound: until then all of it can be made anew.
    """

    def __init__(self, bytes_per_second: int, clock: Callable[[], float], *, speaks: bool = True) -> None:
        self.calls = False
        """Whether it has called tools."""
        self.heard_by = 0.0
        """When all of it has been heard, if nobody tells."""
        self._rate, self._clock = bytes_per_second, clock
        self._seconds = self._before = 0.0  # of its voice, and of that over earlier connections
        self._speaks = speaks
        self._words = ""
        self._waiting: list[AgentWords] = []  # for the first sound
        self._user = ""  # what the user said before it, if that is known
        self._complete = self._known = False  # whether it has ended; whether the context has what was heard
        self._joins = False  # whether the next words are said over a new connection
        self.was_cut = False
        """Whether the user has interrupted it."""

    def see(self, event: RealtimeEvent) -> list[RealtimeEvent]:
        """Note an event; returns what is told now, timed from the beginning."""
        match event:
            case AgentWords() if self._speaks and not self._seconds:
                self._waiting.append(event)
                return []
            case Voice() | ToolCall() | ResponseOver():
                words, self._waiting = self._waiting, []
                return [self._note(one) for one in (*words, event)]
            case _:
                return [self._note(event)]

    def _note(self, event: RealtimeEvent) -> RealtimeEvent:
        match event:
            case ResponseBegan():
                self._waiting.clear()
                self._seconds = self._before = 0.0
                self._words, self.calls = "", False
                self._complete = self._known = self.was_cut = False
            case Voice(pcm):
                seconds = len(pcm) / self._rate
                self._seconds += seconds
                self.heard_by = max(self.heard_by, self._clock() + HEARD_AFTER) + seconds
            case AgentWords(text, ends_at):
                if self._joins and self._words and not (self._words[-1] + text)[:2].count(" "):
                    event = replace(event, text=f" {text}")
                self._joins = False
                self._words += event.text
                if ends_at is not None and self._before:
                    return replace(event, ends_at=ends_at + self._before)
            case ToolCall():
                self.calls = True
            case ResponseOver():
                self._complete = True
            case UserSpeaks(True):
                self._user = ""
            case UserHeard(_, text):
                self._user = text
            case _:
                pass
        return event

    def remember(self, item: Remember) -> None:
        """Note whether the context has what was heard of it."""
        entries = item.context.entries
        ended = self.was_cut or bool(entries and isinstance(entries[-1], AgentSaid))
        self._known = self._known or ended

    @property
    def is_known(self) -> bool:
        """Whether nothing was said that the context lacks."""
        return self._known or not self._words

    @property
    def is_over(self) -> bool:
        """Whether it is known, or nobody will tell, so that `after` is all."""
        return self.is_known or (self._complete and self._clock() >= self.heard_by)

    def after(self, context: Context) -> Context:
        """Return the context with a complete response that it lacks."""
        if self.is_known or not self._complete:
            return context
        return replace(context, entries=(*context.entries, AgentSaid(self._words)))

    # Over a new connection ---------------------------------------------------------------------------

    def cut(self, item: CutShort) -> CutShort:
        """Note a cut; returns what the current connection is told of it."""
        self.was_cut = True
        return replace(item, heard=max(0.0, item.heard - self._before)) if self._before else item

    def rest(self, asked: Respond | Say | None, *, detects: bool) -> tuple[RealtimeInput, ...]:
        """Return what asks for the rest; nothing if all must be said again.

        `asked` is what asked for the response. A model that detects turns is told what the user had said,
        since it would answer the turn from the beginning if it heard that again.
        """
        self._waiting.clear()
        if not (self._seconds or self._words) or (detects and asked is None and not self._user):
            return ()
        self._before, self._joins = self._seconds, True
        if isinstance(asked, Say):
            return (Say(self.rest_of(asked.text)),)
        return UserWords(self.note(with_user=detects)), Respond()

    def rest_of(self, text: str) -> str:
        """Return the part of a text that was not said yet."""
        return text[len(self._sounded(text)) :].strip() or text.split()[-1]

    def note(self, *, with_user: bool) -> str:
        """Return the note with which a new connection is asked for the rest."""
        asked = f'The user had said: "{self._user}". ' if with_user and self._user else ""
        return (
            f"(The connection broke off while you spoke. {asked}"
            f'You had said so far: "{self._sounded(self._words).strip()}". '
            "Go on exactly there: repeat nothing, and do not mention the interruption.)"
        )

    def _sounded(self, text: str) -> str:
        """Return what has been spoken of a text, whose words are ahead of the voice."""
        end = int(self._seconds * CHARACTERS)
        return text if end >= len(text) or not self._seconds else text[: text.rfind(" ", 0, end + 1) + 1]
