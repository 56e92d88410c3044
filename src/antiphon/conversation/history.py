"""The history: what was said and heard, and the model's context made of it."""

from collections.abc import Sequence

from ..context import Context, Entry, ToolAnswered, ToolCall, UserSaid
from ..encodable import encodable_data
from ..errors import ConfigurationError
from ..frames import ReplyEnded, Transcript, UserText, UserTurn, replace
from ..reply import Reply
from .replies import ReplyInProgress
from .tools import Tool
from .wordless_turns import WordlessTurns

__all__ = ["History"]


class History:
    """What the user said and what was heard of the agent's replies, in order.

    A reply is `in_progress` while it is made and joins the `entries` when it ends, as far as it was heard.
    The history handles no frames and decides nothing: the `Conversation` records into it.
    """

    def __init__(self, instructions: str, tools: Sequence[Tool] = (), entries: Sequence[Entry] = ()) -> None:
        self.instructions = encodable_data(instructions)
        self.tools = {tool.spec.name: tool for tool in tools}
        if len(self.tools) < len(tools):
            raise ConfigurationError("two tools have the same name; rename one with @tool(name=...)")
        self._wordless = WordlessTurns[UserSaid]()
        self.entries: list[Entry] = list(encodable_data(tuple(entries)))
        self.in_progress: ReplyInProgress | None = None
        self._specs = tuple(tool.spec for tool in tools)

    @property
    def context(self) -> Context:
        """The context that the model would read now, without the reply in progress."""
        return self._context()

    def context_after(self, words: str) -> Context:
        """Return the context if the user's turn were these words."""
        return self._context(UserSaid(words))

    def prompt(self, guess: str | None = None) -> Context:
        """Return the context from which the model continues the reply in progress.

        `guess`: the words of a turn that is probably over, to which that reply is a speculative answer.
        """
        guessed = () if guess is None else (UserSaid(guess),)
        current = self.in_progress
        return self._context(*guessed, *(current.entries(self.tools) if current is not None else ()))

    def record_user(self, text: str) -> None:
        """Add words of the user."""
        self.entries.append(UserSaid(text))

    def record_turn(self, turn: UserTurn | UserText) -> None:
        """Add a turn; the words of a spoken one may still be missing."""
        entry = UserSaid(turn.text)
        self.entries.append(entry)
        if isinstance(turn, UserTurn) and turn.words_late:
            self._wordless.add(turn, entry)

    def mend(self, words: Transcript) -> bool:
        """Give a turn the words that have come late; returns False if there is none."""
        if (entry := self._wordless.take(words)) is None:
            return False
        index = next(index for index, one in enumerate(self.entries) if one is entry)
        self.entries[index] = replace(entry, text=words.text)
        return True

    def begin_reply(self, reply: Reply) -> None:
        """Set the reply in progress; its place is after all that was said before."""
        self.in_progress = ReplyInProgress(reply, len(self.entries))

    def reply_in_progress(self, number: int) -> ReplyInProgress | None:
        """Return the reply in progress if it has this number."""
        current = self.in_progress
        return current if current is not None and current.reply.number == number else None

    def end_reply(self, ended: ReplyEnded) -> ReplyInProgress | None:
        """Record what was heard of a reply and what its tools did.

        Returns the reply, or None if nothing was recorded: a speculative reply that was dropped leaves no
        trace.
        """
        current, self.in_progress = self.reply_in_progress(ended.reply), None
        if current is None or ended.speculative:
            return None
        self.entries[current.place : current.place] = current.entries(
            self.tools, len(ended.heard), interrupted=ended.interrupted
        )
        return current

    def settle(self, call: ToolCall, result: str) -> None:
        """Record the result of a call whose reply is over already."""
        for index, entry in enumerate(self.entries):
            if isinstance(entry, ToolAnswered) and entry.call.id == call.id:
                self.entries[index] = ToolAnswered(call, result)

    def _context(self, *more: Entry) -> Context:
        said = (entry for entry in self.entries if not isinstance(entry, UserSaid) or entry.text)
        return Context(self.instructions, (*said, *more), self._specs)
