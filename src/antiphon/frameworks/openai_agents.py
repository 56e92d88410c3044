"""Agents of the OpenAI Agents SDK as language models.

    from antiphon.frameworks import openai_agents
    Agent("You answer the phone.", llm=openai_agents.OpenAIAgentsModel(agent))

The agent gets the whole conversation as its input each time, so it needs no session; Antiphon's instructions
stand before it. Tools of Antiphon's agent are offered to its model beside its own ones; after a handoff the
other agent does not have them. https://openai.github.io/openai-agents-python/streaming
"""

import asyncio
from collections.abc import AsyncGenerator
from importlib import import_module
from typing import Any

from ..context import Context, ToolSpec
from ..errors import ConfigurationError
from ..frames import ToolCall
from ..services.chat_messages import response_items
from ..services.ports import TextDelta, TokenUsage
from ..services.vendor_values import string, token_count
from .foreign_agent import AgentEvent, ForeignAgent, StepEnded, refuse_others

__all__ = ["OpenAIAgentsModel"]

SPOKEN = ("response.output_text.delta", "response.refusal.delta")
STOPPED_WITHIN = 1.0  # seconds that a run which was cancelled may take to end


class OpenAIAgentsModel(ForeignAgent):
    """An `agents.Agent` whose output is text.

    `context` and `run_config` are passed to each run. The SDK uploads traces to OpenAI unless
    `RunConfig(tracing_disabled=True)` is given, or its own variable is set.
    """

    framework = "OpenAI Agents"
    takes_tools = True

    def __init__(
        self,
        agent: object,
        *,
        context: object = None,
        run_config: object = None,
        max_turns: int = 10,
        within: float = 20.0,
        acts: bool = True,
    ) -> None:
        refuse_others(agent, "output_type", "an agent of the OpenAI Agents SDK: pass an agents.Agent")
        super().__init__(within=within, acts=acts)
        self._agent: Any = agent
        if self._agent.output_type not in (None, str):
            raise ConfigurationError(
                f"the agent must answer with text to be spoken, not with {self._agent.output_type!r}: "
                "leave out its output_type"
            )
        self._context = context
        self._run_config = run_config
        self._max_turns = max_turns

    async def run(self, context: Context) -> AsyncGenerator[AgentEvent]:
        """Yield what the agent's model writes, and its calls of Antiphon's tools."""
        ours = {tool.name for tool in context.tools}
        running = import_module("agents").Runner.run_streamed(
            self._with_tools(context.tools),
            [{"role": "system", "content": context.instructions}, *response_items(context)],
            context=self._context,
            run_config=self._run_config,
            max_turns=self._max_turns,
        )
        try:
            async for event in running.stream_events():
                match event.type:
                    case "raw_response_event":
                        if event.data.type in SPOKEN:
                            yield TextDelta(string(event.data.delta))
                        elif event.data.type == "response.completed":
                            yield StepEnded(acted=False)
                    case "run_item_stream_event" if event.name == "tool_called":
                        call = event.item.raw_item
                        if getattr(call, "name", None) in ours:
                            yield ToolCall(call.call_id, call.name, call.arguments)
                        else:
                            yield StepEnded(acted=True)
                    case _:
                        pass
        finally:
            await _stopped(running)
        usage = running.context_wrapper.usage
        counts = (usage.input_tokens, usage.output_tokens, usage.input_tokens_details.cached_tokens)
        yield TokenUsage(*map(token_count, counts))

    def _with_tools(self, tools: tuple[ToolSpec, ...]) -> Any:
        """Return the agent with Antiphon's tools: a call of one ends the run."""
        if not tools:
            return self._agent
        if self._agent.tool_use_behavior != "run_llm_again":
            raise ConfigurationError(
                "an agent with a tool_use_behavior of its own cannot be given Antiphon's tools: leave out one"
            )
        agents = import_module("agents")
        made = [
            agents.FunctionTool(
                name=tool.name,
                description=tool.description,
                params_json_schema=tool.parameters,
                on_invoke_tool=_left_to_antiphon,
                strict_json_schema=False,
            )
            for tool in tools
        ]
        return self._agent.clone(
            tools=[*self._agent.tools, *made],
            tool_use_behavior=agents.StopAtTools(stop_at_tool_names=[tool.name for tool in tools]),
        )


async def _left_to_antiphon(context: object, arguments: str) -> str:
    """Answer a call that Antiphon carries out: the run ends with it."""
    return ""


async def _stopped(running: Any) -> None:
    """Cancel a run unless it is over, and wait for its task."""
    running.cancel()
    if (task := running.run_loop_task) is not None and not task.done():
        await asyncio.wait([task], timeout=STOPPED_WITHIN)
