"""Graphs of LangGraph as language models.

    from antiphon.frameworks import langgraph
    Agent("You answer the phone.", llm=langgraph.LangGraphModel(graph))

The graph gets the whole conversation as its messages each time, so it needs no memory of its own. One that
was compiled with a checkpointer runs without it: what that remembers was generated, not heard.
https://docs.langchain.com/oss/python/langgraph/streaming
"""

from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from ..context import Context
from ..services.chat_messages import messages
from ..services.ports import TextDelta, TokenUsage
from ..services.vendor_values import fields, plain_text, token_count
from .foreign_agent import AgentEvent, ForeignAgent, StepEnded, refuse_others

if TYPE_CHECKING:
    from langgraph.pregel import Pregel  # pyright: ignore[reportMissingTypeStubs]

__all__ = ["LangGraphModel"]

OF_MODELS = ("ai", "AIMessageChunk")  # types of messages; others are those of tools and of the user


class LangGraphModel(ForeignAgent):
    """A compiled graph, whose state has `messages`.

    `nodes`: whose words are spoken; None speaks what all models of the graph write, also the one of a router.
    `subgraphs`: speaks all models of graphs within the graph as they write; else what such a graph answers is
    spoken once it is whole. `config` and `context` are passed to each run.
    """

    framework = "LangGraph"

    def __init__(
        self,
        graph: "Pregel[Any, Any, Any, Any]",
        *,
        nodes: Collection[str] | None = None,
        subgraphs: bool = False,
        config: Mapping[str, Any] | None = None,
        context: object = None,
        within: float = 20.0,
        acts: bool = True,
    ) -> None:
        refuse_others(graph, "astream", "a compiled graph of LangGraph: pass graph.compile()")
        super().__init__(within=within, acts=acts)
        remembers = cast(Any, graph).checkpointer
        self._graph: Any = graph.copy({"checkpointer": None}) if remembers else graph
        self._nodes = nodes
        self._subgraphs = subgraphs
        self._config = config
        self._context = context

    async def run(self, context: Context) -> AsyncGenerator[AgentEvent]:
        """Yield what the models of the graph write."""
        convert = import_module("langchain_core.messages").convert_to_messages
        # With an id, a message of the conversation is not taken for one that the graph has written.
        chat = [{**message, "id": f"heard-{place}"} for place, message in enumerate(messages(context))]
        stream = self._graph.astream(
            {"messages": convert(chat)},
            self._config,
            context=self._context,
            stream_mode="messages",
            subgraphs=self._subgraphs,
        )
        usage = _Usage()
        speaking = ""
        async with aclosing(cast(AsyncGenerator[Any], stream)) as told:
            async for item in told:
                message, about = item[1] if self._subgraphs else item
                if message.type not in OF_MODELS:
                    yield StepEnded(acted=message.type == "tool")
                    continue
                usage.add(message)
                if self._nodes is not None and about.get("langgraph_node") not in self._nodes:
                    continue
                if message.id != speaking:
                    speaking = message.id
                    yield StepEnded(acted=False)
                yield TextDelta(plain_text(message.content))
        if usage.found:
            yield usage.total


class _Usage:
    """The tokens of all models of one run."""

    def __init__(self) -> None:
        self.total = TokenUsage(0, 0)
        self.found = False

    def add(self, message: Any) -> None:
        """Add what a message says of its tokens, which is nothing for most pieces of one."""
        told = fields(getattr(message, "usage_metadata", None))
        if not told:
            return
        cached = fields(told.get("input_token_details")).get("cache_read")
        self.found = True
        self.total = TokenUsage(
            self.total.read + token_count(told.get("input_tokens")),
            self.total.written + token_count(told.get("output_tokens")),
            self.total.cached + token_count(cached),
        )
