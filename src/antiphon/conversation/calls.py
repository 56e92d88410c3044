"""The calls of tools: each is run once, within its time, and ends with a ToolEnded."""

from collections.abc import AsyncGenerator, Iterable, Mapping

from ..clock import Timer
from ..frames import Frame, Signal, ToolCall, ToolEnded, ToolStarted, replace
from ..stage import Stage, Work
from .tools import Tool

__all__ = ["ToolRunner"]

GRACE = 1.0  # seconds that a tool that has run out of time is given to stop


class ToolRunner:
    """Runs tools for a stage. `used`: ids of calls that were made before."""

    def __init__(self, stage: Stage, tools: Mapping[str, Tool], used: Iterable[str]) -> None:
        self._stage = stage
        self._tools = tools
        self._ids = set(used)
        self._overdue: dict[str, Timer] = {}  # of calls that run, by their id

    def named(self, call: ToolCall) -> ToolCall:
        """The call with an id of its own: some models count anew each time."""
        name = base = call.id or "call"
        count = 1
        while name in self._ids:
            name = f"{base}-{(count := count + 1)}"
        self._ids.add(name)
        return replace(call, id=name)

    def start(self, call: ToolCall, reply: int) -> None:
        """Run a call for a reply."""
        stage, tool = self._stage, self._tools.get(call.name)
        work = Work(stage, reply, outlives=tool is None or tool.on_interrupt == "finish")
        stage.push(ToolStarted(reply, call))
        stage.run(work, self._run(call, reply, tool))
        if tool is not None:
            self._overdue[call.id] = stage.after(
                tool.timeout + GRACE, lambda: self._give_up(work, call, reply, tool)
            )

    def ended(self, call: ToolCall) -> None:
        """It has answered."""
        if (timer := self._overdue.pop(call.id, None)) is not None:
            timer.cancel()

    def _give_up(self, work: Work, call: ToolCall, reply: int, tool: Tool) -> None:
        self._overdue.pop(call.id, None)
        if work.alive:
            work.cancel()
            self._stage.push(ToolEnded(reply, call, *tool.late()))

    async def _run(
        self, call: ToolCall, reply: int, tool: Tool | None
    ) -> AsyncGenerator[Frame | Signal, None]:
        if tool is None:
            known = ", ".join(self._tools) or "none"
            result, failed = f"There is no tool named {call.name}; the tools are: {known}.", True
        else:
            result, failed = await tool.call(call, self._stage.session)
        yield ToolEnded(reply, call, result, failed)
