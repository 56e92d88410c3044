"""The reply in progress: its parts so far, and its entries in the history."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..context import AgentSaid, Entry, ToolAnswered, ToolCall
from ..frames import ReplyEnded
from ..reply import Reply
from .tools import Tool

__all__ = ["Generation", "InterruptedReply", "ReplyInProgress"]

PENDING = "still running"
STOPPED = "stopped: the reply was interrupted"


@dataclass(slots=True)
class Generation:
    """One answer of the model within a reply: text up to `end`, then these calls."""

    end: int
    calls: tuple[ToolCall, ...]


@dataclass(slots=True)
class InterruptedReply:
    """A reply that was cut off, to be resumed if the interruption was false."""

    reply: int
    unheard: str
    complete: bool
    """Whether the model had finished writing it."""
    voiced: bool
    running: set[str]
    """Ids of its tool calls that are still running."""
    resumes: bool = False
    """Whether to resume it once the last of `running` has ended."""


@dataclass(slots=True)
class ReplyInProgress:
    """A reply, its place in the history, its generations and its tool results."""

    reply: Reply
    place: int
    generations: list[Generation] = field(default_factory=list[Generation])
    complete: bool = True
    """False while the model is asked to write (more of) it."""
    spoken_meanwhile: int = 0
    """Offset behind the last sentence that was said because the model took long."""
    results: dict[str, str] = field(default_factory=dict[str, str])
    """Results of its tool calls, by the call's id."""

    @property
    def unspoken_from(self) -> int:
        """Offset at which the text of the current generation begins."""
        return max(self.spoken_meanwhile, self.generations[-1].end if self.generations else 0)

    @property
    def has_all_results(self) -> bool:
        """Whether every call of the last generation has its result."""
        return all(call.id in self.results for call in self.generations[-1].calls)

    def interrupted(self, tools: Mapping[str, Tool], ended: ReplyEnded) -> InterruptedReply:
        """Return what is needed to resume it later."""
        calls = self.generations[-1].calls if self.generations else ()
        pending = [call for call in calls if call.id not in self.results]
        running = {
            call.id for call in pending if (tool := tools.get(call.name)) and tool.on_interrupt == "finish"
        }
        unheard = ended.text[len(ended.heard) :].strip()
        return InterruptedReply(ended.reply, unheard, self.complete, self.reply.voiced, running)

    def entries(
        self, tools: Mapping[str, Tool], heard: int | None = None, *, interrupted: bool = False
    ) -> list[Entry]:
        """Return the reply as entries of the history, up to `heard` characters."""
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
                missing = STOPPED if stopped else PENDING
                entries.append(ToolAnswered(call, self.results.get(call.id, missing)))
            start = generation.end
        return entries
