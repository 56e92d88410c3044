"""Agents of the real frameworks, whose models follow a script.

LangGraph and pydantic-ai are in the development group, openai-agents is not; what is missing is skipped.
"""

import asyncio
import importlib.util
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from antiphon import Agent, Speaking
from antiphon.context import AgentSaid, Context, Image, ToolAnswered, ToolCall, UserSaid
from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    ConfigurationError,
    RateLimitError,
    UnavailableError,
)
from antiphon.frames import ReplyEnded
from antiphon.frameworks.foreign_agent import ForeignAgent
from antiphon.services.ports import LanguageModel, TextDelta, TokenUsage
from antiphon.testing import check_llm, loud, run_virtual
from antiphon.testing.assertions import check, hold, services
from antiphon.testing.conformance.life import nothing_left
from antiphon.testing.conformance.llm import TOOL
from antiphon.transports.caller import CallerLine

EXAMPLES = Path(__file__).parents[3] / "examples"
PLAIN = Context("Be brief.", (UserSaid("Hello?"),))
HANG_UP = {"own_tool": '{"day": "Monday"}'}


class RefusedError(Exception):
    """As clients raise it."""

    def __init__(self, status_code: int) -> None:
        super().__init__("no, because")
        self.status_code = status_code


@dataclass
class Script:
    """What the model answers, one after another; the last answer repeats. And what it was told.

    An answer is a list: words, a dict of tools to call with their arguments, an error, or None for "never".
    """

    answers: Sequence[Sequence[Any]]
    seen: list[list[tuple[str, Any]]] = field(default_factory=list[list[tuple[str, Any]]])
    """For each request, the roles and the texts of its messages."""
    offered: list[str] = field(default_factory=list[str])
    """The tools of the last request."""
    called: list[str] = field(default_factory=list[str])
    """The arguments of the framework's own tool."""
    waiting: int = 0
    """How many requests wait for an answer that never comes."""

    async def next(self, seen: list[tuple[str, Any]], offered: Sequence[str]) -> AsyncIterator[Any]:
        answer = self.answers[min(len(self.seen), len(self.answers) - 1)]
        self.seen.append(seen)
        self.offered = sorted(offered)
        for item in answer:
            await asyncio.sleep(0)
            if isinstance(item, Exception):
                raise item
            if item is None:
                self.waiting += 1
                try:
                    await asyncio.get_running_loop().create_future()
                finally:
                    self.waiting -= 1
            yield item

    def own_tool(self, day: str) -> str:
        """Look up when the shop is open."""
        self.called.append(day)
        return "nine to five"


# LangGraph -------------------------------------------------------------------------------------------


def langgraph_agent(script: Script, *, remembers: bool = False, **options: Any) -> ForeignAgent:
    pytest.importorskip("langgraph")
    from langchain_core.language_models.chat_models import BaseChatModel
    from langchain_core.messages import AIMessageChunk
    from langchain_core.messages.tool import tool_call_chunk
    from langchain_core.outputs import ChatGenerationChunk, ChatResult
    from langchain_core.tools import StructuredTool
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]
    from langgraph.prebuilt import ToolNode, tools_condition

    from antiphon.frameworks import langgraph

    class Model(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "script"

        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            raise NotImplementedError

        async def _astream(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
            seen = [(one.type, one.content) for one in messages]
            async for item in script.next(seen, ["own_tool"]):
                if isinstance(item, dict):
                    made = [
                        tool_call_chunk(name=name, args=told, id=f"own-{len(script.seen)}", index=0)
                        for name, told in cast(dict[str, str], item).items()
                    ]
                    yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=made))
                else:
                    yield ChatGenerationChunk(message=AIMessageChunk(content=item))
            usage: Any = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
            usage["input_token_details"] = {"cache_read": 8}
            yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage))

    async def model(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await Model().ainvoke(state["messages"])]}

    building: Any = StateGraph(MessagesState)
    building.add_node("model", model)
    building.add_node("tools", ToolNode([StructuredTool.from_function(script.own_tool)]))
    building.add_edge(START, "model")
    building.add_conditional_edges("model", tools_condition)
    building.add_edge("tools", "model")
    graph = building.compile(checkpointer=InMemorySaver() if remembers else None)
    return langgraph.LangGraphModel(graph, **options)


# pydantic-ai -----------------------------------------------------------------------------------------


def pydantic_agent(script: Script, **options: Any) -> ForeignAgent:
    pytest.importorskip("pydantic_ai")
    from pydantic_ai import Agent as PydanticAgent
    from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel

    from antiphon.frameworks import pydantic_ai

    roles = {
        "user-prompt": "human",
        "text": "ai",
        "tool-return": "tool",
        "tool-call": "ai",
    }

    async def stream(messages: Any, info: AgentInfo) -> AsyncIterator[Any]:
        seen: list[tuple[str, Any]] = [("system", info.instructions)]
        parts = [part for message in messages for part in message.parts]
        seen += [(roles[part.part_kind], getattr(part, "content", "")) for part in parts]
        async for item in script.next(seen, [tool.name for tool in info.function_tools]):
            if isinstance(item, dict):
                for at, (name, told) in enumerate(cast(dict[str, str], item).items()):
                    yield {at: DeltaToolCall(name, told, tool_call_id=f"own-{len(script.seen)}-{at}")}
            else:
                yield item

    agent = PydanticAgent(FunctionModel(stream_function=stream), instructions="Mind the shop.")
    agent.tool_plain(script.own_tool)
    return pydantic_ai.PydanticAIModel(agent, **options)


# OpenAI Agents ---------------------------------------------------------------------------------------


def openai_agent(script: Script, **options: Any) -> ForeignAgent:
    agents: Any = pytest.importorskip("agents")
    testing: Any = pytest.importorskip("agents.testing")
    responses: Any = pytest.importorskip("openai.types.responses")

    from antiphon.frameworks import openai_agents

    def role(item: Any) -> tuple[str, Any]:
        known = {"user": "human", "assistant": "ai", "system": "system"}
        if item.get("type") == "function_call_output":
            return "tool", item["output"]
        return known.get(item.get("role"), "ai"), item.get("content", "")

    class Scripted(agents.Model):
        async def get_response(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError

        async def stream_response(
            self, system: Any, told: Any, settings: Any, tools: Any, *_: Any, **__: Any
        ) -> AsyncIterator[Any]:
            text = ""
            output: list[Any] = []
            seen = [("own", system), *map(role, told)]
            place: Any = {"item_id": "1", "output_index": 0}
            yield responses.ResponseReasoningSummaryTextDeltaEvent(
                **place, delta="to think", summary_index=0, sequence_number=0,
                type="response.reasoning_summary_text.delta",
            )  # fmt: skip
            async for item in script.next(seen, [tool.name for tool in tools]):
                if isinstance(item, dict):
                    for at, (name, arguments) in enumerate(cast(dict[str, str], item).items()):
                        call = f"own-{len(script.seen)}-{at}"
                        output.append(testing.function_call(name, arguments, call_id=call))
                    continue
                text += item
                yield responses.ResponseTextDeltaEvent(
                    **place, delta=item, content_index=0, logprobs=[], sequence_number=0,
                    type="response.output_text.delta",
                )  # fmt: skip
            if text:
                output.insert(0, testing.assistant_message(text))
            usage = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
            usage |= {
                "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 0},
                "output_tokens_details": {"reasoning_tokens": 0},
            }
            done: Any = {"id": "r", "created_at": 0, "model": "m", "object": "response", "output": output}
            done |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "usage": usage}
            yield responses.ResponseCompletedEvent(
                response=responses.Response.model_validate(
                    done | {"output": [one.model_dump() for one in output]}
                ),
                sequence_number=0,
                type="response.completed",
            )

    agent = agents.Agent(
        "shop", instructions="Mind the shop.", model=Scripted(), tools=[agents.function_tool(script.own_tool)]
    )
    return openai_agents.OpenAIAgentsModel(
        agent, run_config=agents.RunConfig(tracing_disabled=True), **options
    )


def plain(content: Any) -> str:
    """Return the text of a message's content."""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


# All of them -----------------------------------------------------------------------------------------

MAKERS: list[Callable[..., ForeignAgent]] = [langgraph_agent, pydantic_agent, openai_agent]
frameworks = pytest.mark.parametrize("make", MAKERS)
taking_tools = pytest.mark.parametrize("make", [pydantic_agent, openai_agent])


def ask(service: LanguageModel, context: Context = PLAIN) -> list[Any]:
    async def all_of_it() -> list[Any]:
        async with nothing_left():
            return [item async for item in service.generate(context)]

    return asyncio.run(all_of_it())


def text(items: list[Any]) -> str:
    return "".join(item.text for item in items if isinstance(item, TextDelta))


@frameworks
def test_it_conforms(make: Any) -> None:
    script = Script([["Good ", "day."]])
    asyncio.run(check_llm(lambda: make(script), tools=False))


@frameworks
def test_words_come_as_the_model_writes_them_and_then_the_usage(make: Any) -> None:
    said = ask(make(Script([["Good ", "day."]])))
    assert [item.text for item in said if isinstance(item, TextDelta) and item.text] == ["Good ", "day."]
    usage = said[-1]
    assert isinstance(usage, TokenUsage)
    assert usage.read > 0
    if make is not pydantic_agent:  # whose model for tests counts words
        assert usage == TokenUsage(12, 3, 8)


@frameworks
def test_own_tools_are_called_and_not_spoken(make: Any) -> None:
    script = Script([["One moment.", HANG_UP], ["Nine to ", "five."]])
    said = ask(make(script))
    assert text(said) == "One moment. Nine to five."
    assert script.called == ["Monday"]
    assert not any(isinstance(item, ToolCall) for item in said)
    assert script.seen[1][-1][0] == "tool"


@frameworks
def test_the_model_reads_what_was_heard(make: Any) -> None:
    script = Script([["Good ", "day."]])
    call = ToolCall("call-1", TOOL.name, '{"day": "Monday"}')
    entries = (
        AgentSaid("Good morning."),
        UserSaid("When, and"),
        UserSaid("where?"),
        AgentSaid("One moment.", (call,)),
        ToolAnswered(call, "nine to five"),
        AgentSaid("From nine", interrupted=True),
        UserSaid("Thanks."),
    )
    service = make(script)
    for _ in range(2):  # what was said meanwhile is not remembered
        ask(service, Context("Be brief.", entries))
    assert script.seen[0] == script.seen[1]
    told = [(role, plain(content)) for role, content in script.seen[0]]
    assert [(role, words) for role, words in told if words and role in ("human", "ai", "tool")] == [
        ("ai", "Good morning."),
        ("human", "When, and"),
        ("human", "where?"),
        ("ai", "One moment."),
        ("tool", "nine to five"),
        ("ai", "From nine […]"),
        ("human", "Thanks."),
    ]
    assert any("Be brief." in words for role, words in told if role == "system")


@frameworks
def test_pictures_are_shown(make: Any) -> None:
    script = Script([["A cat."]])
    ask(make(script), Context("Be brief.", (UserSaid("What is this?", (Image(b"\xff\xd8"),)),)))
    shown = str(script.seen[0][-1][1])
    assert "What is this?" in shown
    assert "image" in shown


@frameworks
def test_leaving_an_answer_stops_the_run(make: Any) -> None:
    script = Script([["Good ", None]])

    async def leave() -> None:
        async with nothing_left():
            async with aclosing(make(script).generate(PLAIN)) as answer:
                async for item in answer:
                    if isinstance(item, TextDelta) and item.text:
                        break
            assert script.waiting == 0

    asyncio.run(leave())


@frameworks
def test_cancelling_the_reader_stops_the_run(make: Any) -> None:
    script = Script([["Good ", None]])
    service = make(script)

    async def cancel() -> None:
        async def read() -> None:
            async for _ in service.generate(PLAIN):
                pass

        async with nothing_left():
            reading = asyncio.create_task(read())
            async with asyncio.timeout(5):
                while not script.waiting:
                    await asyncio.sleep(0)
            reading.cancel()
            await asyncio.wait([reading])
            assert reading.cancelled()
            assert script.waiting == 0

    asyncio.run(cancel())


@frameworks
def test_errors_of_the_model_have_names(make: Any) -> None:
    for status, kind in ((401, AuthenticationError), (429, RateLimitError), (400, BadResponseError)):
        with pytest.raises(kind):
            ask(make(Script([[RefusedError(status)]])))
    with pytest.raises(BadResponseError, match="not asked again"):
        ask(make(Script([[HANG_UP], [RefusedError(503)]])))
    with pytest.raises(BadResponseError):
        ask(make(Script([[ValueError("wrong")]])))


@taking_tools
def test_antiphons_tools_are_offered_and_called_by_antiphon(make: Any) -> None:
    script = Script([["One moment.", {TOOL.name: '{"day": "Monday"}'}], ["Nine to five."]])
    asked = UserSaid("When are you open on Monday?")
    service = make(script)
    said = ask(service, Context("Be brief.", (asked,), (TOOL,)))
    calls = [item for item in said if isinstance(item, ToolCall)]
    assert script.offered == sorted(["own_tool", TOOL.name])
    assert len(calls) == 1 and calls[0].name == TOOL.name
    assert json.loads(calls[0].arguments) == {"day": "Monday"}
    assert text(said) == "One moment."
    done = (asked, AgentSaid("One moment.", (calls[0],)), ToolAnswered(calls[0], "nine to five"))
    assert text(ask(service, Context("Be brief.", done, (TOOL,)))) == "Nine to five."
    assert script.seen[1][-1] == ("tool", "nine to five")


@taking_tools
def test_an_agent_that_does_not_answer_with_text_is_refused(make: Any) -> None:
    if make is pydantic_agent:
        pytest.importorskip("pydantic_ai")
        from pydantic_ai import Agent as PydanticAgent

        from antiphon.frameworks import pydantic_ai

        with pytest.raises(ConfigurationError, match="output_type"):
            pydantic_ai.PydanticAIModel(cast(Any, PydanticAgent("test", output_type=int)))
    else:
        agents: Any = pytest.importorskip("agents")
        from antiphon.frameworks import openai_agents

        with pytest.raises(ConfigurationError, match="output_type"):
            openai_agents.OpenAIAgentsModel(agents.Agent("x", output_type=int))


# In a conversation -----------------------------------------------------------------------------------

ANSWER = "One moment. First I tell you this, which is long. Then I tell you that."


@frameworks
def test_an_interrupted_agent_reads_what_was_heard_and_acts_only_once(make: Any) -> None:
    """Its tool is called when the turn is over, not on a guess; in virtual time."""
    script = Script([["One moment.", HANG_UP], [ANSWER.removeprefix("One moment. ")], ["Yes?"]])
    parts = services(["hello", "wait"], []) | {"llm": make(script)}
    lines = [CallerLine(loud(0.8), 0.5, "now"), CallerLine(loud(0.5), 2.0, "barge-in")]
    waits = Speaking(please_wait=None)  # a framework's threads take real time, in which virtual time runs
    call = run_virtual(hold(Agent("Be brief.", speaking=waits, **parts), lines))
    check(call)
    heard = [ended.heard for ended in call.all(ReplyEnded) if not ended.speculative]
    assert heard[-1] == "Yes?"
    assert ANSWER.startswith(heard[0]) and len(heard[0]) < len(ANSWER)
    assert script.called == ["Monday"]
    assert len(script.seen) == 3
    told = [(role, plain(content)) for role, content in script.seen[2]]
    assert told[-3:] == [("human", "hello"), ("ai", heard[0] + " […]"), ("human", "wait")]


# What only LangGraph has -----------------------------------------------------------------------------


def test_a_graph_with_a_memory_runs_without_it() -> None:
    script = Script([["Good ", "day."]])
    service = langgraph_agent(script, remembers=True)
    assert text(ask(service)) == text(ask(service)) == "Good day."
    assert script.seen[0] == script.seen[1]


def test_only_the_words_of_chosen_nodes_are_spoken() -> None:
    assert text(ask(langgraph_agent(Script([["Good day."]]), nodes=["model"]))) == "Good day."
    assert text(ask(langgraph_agent(Script([["Good day."]]), nodes=["other"]))) == ""


@pytest.mark.parametrize("subgraphs", [False, True])
def test_a_graph_within_the_graph_is_spoken_once(subgraphs: bool) -> None:
    pytest.importorskip("langgraph")
    from langgraph.graph import START, MessagesState, StateGraph  # pyright: ignore[reportMissingTypeStubs]

    from antiphon.frameworks import langgraph

    script = Script([["One moment.", HANG_UP], ["Nine to ", "five."]])
    inner: Any = langgraph_agent(script)
    building: Any = StateGraph(MessagesState)
    building.add_node("inner", inner._graph)
    building.add_edge(START, "inner")
    said = ask(
        langgraph.LangGraphModel(building.compile(), subgraphs=subgraphs),
        Context("Be brief.", (AgentSaid("Hello."), UserSaid("When?"))),
    )
    assert text(said) == "One moment. Nine to five."
    pieces = [item.text for item in said if isinstance(item, TextDelta) and item.text]
    assert pieces == (
        ["One moment.", " Nine to ", "five."] if subgraphs else ["One moment.", " Nine to five."]
    )
    assert said[-1] == TokenUsage(24, 6, 16)


def test_tools_are_refused_by_a_graph() -> None:
    with pytest.raises(ConfigurationError, match="leave out tools="):
        ask(langgraph_agent(Script([["Good day."]])), Context("Be brief.", (), (TOOL,)))


# The examples ----------------------------------------------------------------------------------------


def example(name: str) -> LanguageModel:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where the frameworks look up the types of a function
    spec.loader.exec_module(module)
    return module.agent.llm


@pytest.mark.parametrize(
    ("name", "package", "words"),
    [
        ("langgraph_agent", "langgraph", "ready to be collected"),
        ("pydantic_ai_agent", "pydantic_ai", "open from nine to five"),
    ],
)
def test_the_examples_answer(name: str, package: str, words: str) -> None:
    pytest.importorskip(package)
    asked = UserSaid("When are you open, and how is number 7?")
    assert words in text(ask(example(name), Context("Be brief.", (asked,))))


def test_the_example_that_needs_a_server_asks_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("agents")
    monkeypatch.setenv("SERVER", "http://127.0.0.1:9/v1")  # where nobody answers
    with pytest.raises(UnavailableError, match="Connection"):
        ask(example("openai_agents_agent"))
