"""The reply that is being made, and what of it belongs into the context."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..context import AgentSaid, Entry, ToolAnswered
from ..frames import ReplyEnded, ToolCall
from ..reply import Reply
from .tools import Tool

__all__ = ["Cut", "Generation", "Making"]

PENDING = "still running"
STOPPED = "stopped: the reply was interrupted"


@dataclass(slots=True)
class Generation:
    """One answer of the model within a reply: the reply's text up to `end`, and the calls made after it."""

    end: int
    calls: tuple[ToolCall, ...]


@dataclass(slots=True)
class Cut:
    """A reply that was interrupted, perhaps for nothing."""

    reply: int
    unheard: str
    complete: bool
    """Whether the model had written all of it."""
    running: set[str]
    """Its calls that go on."""
    taken_up: bool = False
    """Whether it is to go on as soon as those have answered."""


@dataclass(slots=True)
class Making:
    """Where a reply goes in the conversation, and what it is made of so far."""

    reply: Reply
    place: int
    generations: list[Generation] = field(default_factory=list[Generation])
    complete: bool = True
    """Whether all of it is written: not while the model has been asked to go on."""
    results: dict[str, str] = field(default_factory=dict[str, str])
    """What its calls have given, by their id."""

    @property
    def unspoken_from(self) -> int:
        """Where the text of the generation at hand begins."""
        return self.generations[-1].end if self.generations else 0

    @property
    def has_all_results(self) -> bool:
        """Whether the calls of the last generation have been answered."""
        return all(call.id in self.results for call in self.generations[-1].calls)

    def cut_off(self, tools: Mapping[str, Tool], ended: ReplyEnded) -> Cut:
        """What is left of it, now that it was interrupted."""
        calls = self.generations[-1].calls if self.generations else ()
        owed = [call for call in calls if call.id not in self.results]
        running = {
            call.id for call in owed if (tool := tools.get(call.name)) and tool.on_interrupt == "finish"
        }
        return Cut(ended.reply, ended.text[len(ended.heard) :].strip(), self.complete, running)

    def entries(
        self, tools: Mapping[str, Tool], heard: int | None = None, *, interrupted: bool = False
    ) -> list[Entry]:
        """The reply as entries of the context, up to `heard` characters of its text."""
        text = self.reply.text
        heard = len(text) if heard is None else heard
        entries: list[Entry] = []
        start = 0
        for generation in [*self.generations, Generation(len(text), ())]:
            said = text[start : min(generation.end, heard)].strip()
            if said or generation.calls:
                cut = interrupted and heard < generation.end
                entries.append(AgentSaid(said, generation.calls, interrupted=cut))
            for call in generation.calls:
                tool = tools.get(call.name)
                stopped = tool is not None and tool.on_interrupt == "cancel"
                owed = STOPPED if stopped else PENDING
                entries.append(ToolAnswered(call, self.results.get(call.id, owed)))
            start = generation.end
        return entries
