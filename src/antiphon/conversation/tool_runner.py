"""Tool calls: each runs once, within its time limit, and ends with a ToolEnded."""

from collections.abc import AsyncGenerator, Iterable, Mapping

from ..clock import Timer
from ..context import ToolCall
from ..frames import Frame, Signal, ToolEnded, ToolReported, ToolStarted, replace
from ..stage import Stage, Work
from .arguments import as_json
from .scope import Scope
from .tools import Tool

__all__ = ["ToolRunner"]

BEGUN = "It has begun. Its result will be told to you; until then, say only that you are at it."
GRACE = 1.0  # seconds between a tool's own timeout and the watchdog that gives it up


class ToolRunner:
    """A runner of tool calls, as tasks of a stage.

    `used` are the ids of calls that earlier sessions made.
    """

    def __init__(self, tools: Mapping[str, Tool], used: Iterable[str]) -> None:
        self._tools = tools
        self._ids = set(used)
        self._watchdogs: dict[str, Timer] = {}  # by the id of the running call

    def with_unique_id(self, call: ToolCall) -> ToolCall:
        """Return the call with a unique id and, if possible, with valid JSON arguments.

        Some models count from 1 in each answer, and an endpoint refuses a history whose JSON is broken.
        """
        name = base = call.id or "call"
        count = 1
        while name in self._ids:
            name = f"{base}-{(count := count + 1)}"
        self._ids.add(name)
        return replace(call, id=name, arguments=as_json(call.arguments))

    def start(self, stage: Stage, scope: Scope) -> None:
        """Run a call, as a task of the stage."""
        call, reply = scope.call, scope.reply
        tool = self._tools.get(call.name)
        work = Work(stage, reply, outlives=tool is None or tool.on_interrupt == "finish")
        stage.push(ToolStarted(reply, call))
        stage.run(work, self._run(scope, tool))
        if tool is not None:
            watchdog = stage.after(
                tool.timeout + GRACE, lambda: self._give_up(work, stage, call, reply, tool)
            )
            if not tool.background:
                self._watchdogs[call.id] = watchdog

    def ended(self, call: ToolCall) -> None:
        """Cancel the watchdog of a call that has its result."""
        if (timer := self._watchdogs.pop(call.id, None)) is not None:
            timer.cancel()

    def _give_up(self, work: Work, stage: Stage, call: ToolCall, reply: int, tool: Tool) -> None:
        """End a call whose function did not stop when it was cancelled."""
        self._watchdogs.pop(call.id, None)
        if work.alive:
            work.cancel()
            stage.push(_over(tool, call, reply, *tool.timed_out()))

    async def _run(self, scope: Scope, tool: Tool | None) -> AsyncGenerator[Frame | Signal, None]:
        call, reply = scope.call, scope.reply
        if tool is not None and tool.background:
            yield ToolEnded(reply, call, BEGUN)
        if tool is None:
            known = ", ".join(self._tools) or "none"
            result, failed = f"There is no tool named {call.name}; the tools are: {known}.", True
        else:
            result, failed = await tool.call(scope)
        yield _over(tool, call, reply, result, failed)


def _over(tool: Tool | None, call: ToolCall, reply: int, result: str, failed: bool) -> Signal:
    """Return the signal that tells how a call ended."""
    if tool is not None and tool.background:
        return ToolReported(call, result, failed)
    return ToolEnded(reply, call, result, failed)
