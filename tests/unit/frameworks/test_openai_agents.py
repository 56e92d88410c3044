"""How runs of the OpenAI Agents SDK are read, with a stand-in for the package."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from antiphon.context import AgentSaid, Context, ToolCall, ToolSpec, UserSaid
from antiphon.errors import ConfigurationError
from antiphon.frameworks import openai_agents
from antiphon.services.ports import TextDelta, TokenUsage

HANG_UP = ToolSpec("hang_up", "End the call.", {"type": "object", "properties": {}})
PLAIN = Context("Be brief.", (AgentSaid("Good morn", interrupted=True), UserSaid("Hello?")), (HANG_UP,))


def of_model(kind: str, delta: str = "") -> Any:
    return SimpleNamespace(type="raw_response_event", data=SimpleNamespace(type=kind, delta=delta))


def of_run(name: str, tool: str = "") -> Any:
    call = SimpleNamespace(name=tool, call_id="1", arguments='{"day": 1}')
    return SimpleNamespace(type="run_item_stream_event", name=name, item=SimpleNamespace(raw_item=call))


class Run:
    """A run with these events; None is one that never comes."""

    def __init__(self, events: list[Any]) -> None:
        self.events = events
        self.cancelled = False
        self.run_loop_task: asyncio.Task[None] = asyncio.create_task(self._loop())
        details = SimpleNamespace(cached_tokens=8)
        usage = SimpleNamespace(input_tokens=12, output_tokens=3, input_tokens_details=details)
        self.context_wrapper = SimpleNamespace(usage=usage)

    async def _loop(self) -> None:
        if None in self.events:
            await asyncio.get_running_loop().create_future()

    def cancel(self) -> None:
        self.cancelled = True
        self.run_loop_task.cancel()

    async def stream_events(self) -> AsyncIterator[Any]:
        for event in self.events:
            if event is None:
                await self.run_loop_task
            yield event


class StandIn:
    """The package as it is documented; what it was told."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.runs: list[Run] = []
        self.told: list[tuple[Any, Any, dict[str, Any]]] = []
        self.Runner = SimpleNamespace(run_streamed=self._run)
        self.FunctionTool: Callable[..., Any] = SimpleNamespace
        self.StopAtTools: Callable[..., Any] = dict

    def _run(self, agent: Any, told: Any, **options: Any) -> Run:
        self.told.append((agent, told, options))
        self.runs.append(Run(self.events))
        return self.runs[-1]


class SomeAgent:
    """What is used of an agent."""

    def __init__(self, **changed: Any) -> None:
        self.output_type: Any = changed.get("output_type")
        self.tools: list[Any] = changed.get("tools", ["own"])
        self.tool_use_behavior: Any = changed.get("tool_use_behavior", "run_llm_again")

    def clone(self, **changed: Any) -> "SomeAgent":
        return SomeAgent(**changed)


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = StandIn()
    monkeypatch.setitem(sys.modules, "agents", made)  # pyright: ignore[reportArgumentType]
    return made


def ask(context: Context = PLAIN, agent: SomeAgent | None = None) -> list[Any]:
    async def run() -> list[Any]:
        service = openai_agents.OpenAIAgentsModel(agent or SomeAgent(), context="who calls", max_turns=3)
        return [item async for item in service.generate(context)]

    return asyncio.run(run())


def test_text_tools_and_usage(package: StandIn) -> None:
    package.events = [
        of_model("response.reasoning_summary_text.delta", "to think"),
        of_model("response.output_text.delta", "One moment."),
        of_model("response.completed"),
        of_run("tool_called", "own"),
        of_run("tool_output"),
        of_model("response.refusal.delta", "I may not."),
        of_run("tool_called", "hang_up"),
        SimpleNamespace(type="agent_updated_stream_event"),
    ]
    assert ask() == [
        TextDelta("One moment."),
        TextDelta(" I may not."),
        ToolCall("1", "hang_up", '{"day": 1}'),
        TokenUsage(12, 3, 8),
    ]


def test_what_the_agent_is_told(package: StandIn) -> None:
    ask()
    agent, told, options = package.told[0]
    assert told == [
        {"role": "system", "content": "Be brief."},
        {"type": "message", "role": "assistant", "content": "Good morn […]"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello?"}]},
    ]
    assert options == {"context": "who calls", "run_config": None, "max_turns": 3}
    own, offered = agent.tools
    assert (own, offered.name, offered.params_json_schema) == ("own", "hang_up", HANG_UP.parameters)
    assert agent.tool_use_behavior == {"stop_at_tool_names": ["hang_up"]}


def test_leaving_stops_the_run(package: StandIn) -> None:
    package.events = [of_model("response.output_text.delta", "One moment."), None]

    async def run() -> None:
        answer: Any = openai_agents.OpenAIAgentsModel(SomeAgent()).generate(PLAIN)
        assert await anext(answer) == TextDelta("One moment.")
        await answer.aclose()
        assert package.runs[0].cancelled
        assert package.runs[0].run_loop_task.cancelled()

    asyncio.run(run())


def test_what_cannot_be_spoken_or_offered_is_refused(package: StandIn) -> None:
    with pytest.raises(ConfigurationError, match="output_type"):
        openai_agents.OpenAIAgentsModel(SomeAgent(output_type=int))
    with pytest.raises(ConfigurationError, match="tool_use_behavior"):
        ask(agent=SomeAgent(tool_use_behavior="stop_on_first_tool"))
