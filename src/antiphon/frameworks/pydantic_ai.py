"""Agents of pydantic-ai as language models.

    from antiphon.frameworks import pydantic_ai
    Agent("You answer the phone.", llm=pydantic_ai.PydanticAIModel(agent))

The agent gets the whole conversation as its message history each time, and Antiphon's instructions after its
own. Tools of Antiphon's agent are offered to its model beside its own ones, as external tools.
https://pydantic.dev/docs/ai/core-concepts/agent
"""

from collections.abc import AsyncGenerator, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from ..errors import ConfigurationError, UsageError
from ..frames import ToolCall
from ..services.chat_messages import INTERRUPTED
from ..services.ports import TextDelta, TokenUsage
from ..services.vendor_values import string, token_count
from .foreign_agent import AgentEvent, ForeignAgent, StepEnded, refuse_others

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelMessage

__all__ = ["PydanticAIModel"]


class PydanticAIModel(ForeignAgent):
    """An agent whose output is text. `deps` are passed to each run."""

    framework = "pydantic-ai"
    takes_tools = True

    def __init__(
        self, agent: "Agent[Any, str]", *, deps: object = None, within: float = 20.0, acts: bool = True
    ) -> None:
        refuse_others(agent, "output_type", "an agent of pydantic-ai: pass a pydantic_ai.Agent")
        super().__init__(within=within, acts=acts)
        if agent.output_type is not str:
            raise ConfigurationError(
                f"the agent must answer with text to be spoken, not with {agent.output_type!r}: "
                "leave out its output_type"
            )
        self._agent = agent
        self._deps = deps

    async def run(self, context: Context) -> AsyncGenerator[AgentEvent]:
        """Yield what the agent's model writes, and its calls of Antiphon's tools."""
        agent: Any = self._agent
        ours = {tool.name for tool in context.tools}
        async with agent.iter(
            None,
            message_history=_history(context),
            instructions=context.instructions,
            deps=self._deps,
            **_external(context),
        ) as run:
            async for node in run:
                if agent.is_model_request_node(node):
                    yield StepEnded(acted=False)
                    async with node.stream(run.ctx) as events:
                        async for event in events:
                            if text := _text_of(event):
                                yield TextDelta(text)
                elif agent.is_call_tools_node(node):
                    called = {call.tool_name for call in node.model_response.tool_calls}
                    yield StepEnded(acted=bool(called - ours))
            output, usage = run.result.output, run.usage
        for call in getattr(output, "calls", ()):
            yield ToolCall(call.tool_call_id, call.tool_name, call.args_as_json_str())
        counts = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens)
        yield TokenUsage(*map(token_count, counts))


def _text_of(event: Any) -> str:
    """Return the text that an event of a model's stream adds; "" if it adds none."""
    match event.event_kind:
        case "part_start":
            return string(event.part.content) if event.part.part_kind == "text" else ""
        case "part_delta":
            return string(event.delta.content_delta) if event.delta.part_delta_kind == "text" else ""
        case _:
            return ""


def _external(context: Context) -> dict[str, Any]:
    """Return what offers Antiphon's tools: a call of one ends the run."""
    if not context.tools:
        return {}
    tools = import_module("pydantic_ai.tools")
    toolset = import_module("pydantic_ai.toolsets").ExternalToolset(
        [
            tools.ToolDefinition(
                name=tool.name, description=tool.description, parameters_json_schema=tool.parameters
            )
            for tool in context.tools
        ]
    )
    return {"toolsets": [toolset], "output_type": [str, tools.DeferredToolRequests]}


def _history(context: Context) -> "list[ModelMessage]":
    """Return the conversation as messages, in which the two sides alternate."""
    told = import_module("pydantic_ai.messages")
    history: list[Any] = []
    for entry in context.entries:
        kind = told.ModelResponse if isinstance(entry, AgentSaid) else told.ModelRequest
        parts = list(_parts(entry, told))
        if history and type(history[-1]) is kind:
            history[-1] = kind(parts=[*history[-1].parts, *parts])
        elif parts:
            history.append(kind(parts=parts))
    return history


def _parts(entry: Entry, told: Any) -> Iterator[Any]:
    match entry:
        case UserSaid(text, pictures):
            shown = [told.BinaryContent(image.data, media_type=image.media_type) for image in pictures]
            yield told.UserPromptPart([*([text] if text else []), *shown] if shown else text)
        case AgentSaid(text, calls, interrupted, pictures):
            if pictures:
                raise UsageError("pydantic-ai takes pictures of the user, none of the agent")
            if text:
                yield told.TextPart(text + INTERRUPTED * interrupted)
            for call in calls:
                yield told.ToolCallPart(call.name, call.arguments, tool_call_id=call.id)
        case ToolAnswered(call, result):
            yield told.ToolReturnPart(call.name, result, tool_call_id=call.id)
