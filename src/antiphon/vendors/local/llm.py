"""A language model on this machine.

It decides whether a turn needs a tool, then the tool's arguments or what to say.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from ...context import Context, ToolSpec
from ...errors import BadResponseError, ConfigurationError
from ...frames import ToolCall
from ...services.ports import LanguageModel, TextDelta, TokenUsage
from .arguments import arguments
from .dialogue import ChatMessage, callable_tools, goes_round, messages, newest
from .engine import LIKELIEST, Chunk, LlamaEngine
from .resident import PROCESSORS, Resident
from .routing import NEUTRAL, Scores, last_exchange, mean, needed, routing_prompt, scores
from .speed import FAST_ENOUGH, remembered, speed_of

SMALL, BETTER = "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"
ROOMS = (1.0, 0.5, 0.25, 0.0)  # of the room that there should be; tried in turn, the last for the last turn
MOST_OF_A_CALL = 128  # tokens
SPOKEN = r"""%llguidance {}
start: /[^\s{}*#`|\-][^\n{}*#`|]*/
"""
"""What may be said: one line, without the marks of lists, headings, tables and code."""
SENTENCE_ENDS = frozenset(".!?…。！？؟।")
NEARLY = 0.8  # of the tokens that an answer may have; beyond that it ends with its next sentence


@dataclass(slots=True)
class _Spent:
    """Tokens of all that one answer took."""

    read: int = 0
    written: int = 0
    cached: int = 0

    def add(self, chunk: Chunk) -> None:
        if timings := chunk.get("timings"):
            self.read += timings["cache_n"] + timings["prompt_n"]
            self.written += timings["predicted_n"]
            self.cached += timings["cache_n"]

    @property
    def usage(self) -> TokenUsage:
        return TokenUsage(self.read, self.written, self.cached)


class Llama(LanguageModel):
    """A model of the catalogue, or the chat model in any .gguf file.

    Without a name it is qwen2.5-coder-1.5b if that has been pulled and this machine writes more than 15
    tokens a second with it, and qwen2.5-coder-0.5b otherwise. An answer ends after `max_tokens`; the model
    reads as much of a conversation as fits `context_tokens`. The newest `slots` conversations stay in memory,
    so that a turn costs no more than what is new in it. A turn calls one tool at most.
    """

    resident = True
    first_within = 20.0  # a busy machine makes answers late, not wrong

    def __init__(
        self,
        model: str = "",
        *,
        max_tokens: int = 256,
        context_tokens: int = 4096,
        slots: int = 2,
        threads: int = min(PROCESSORS, 4),
    ) -> None:
        if not 0 < max_tokens < context_tokens:
            raise ConfigurationError(f"max_tokens must lie between 0 and context_tokens ({context_tokens})")
        if model and not model.endswith(".gguf") and model not in (known := _catalogued()):
            raise ConfigurationError(
                f"There is no local language model {model!r}: choose from {', '.join(known)}, or a .gguf file"
            )
        self._max_tokens = max_tokens
        self._model, self._threads = model, threads
        self._room = context_tokens - max_tokens
        self._resident = _resident(model, slots, threads, context_tokens)
        self._neutral: dict[tuple[str, ...], Scores] = {}

    async def load(self) -> None:
        """Load the model into memory, where it stays as long as the process lives."""
        await self._resident.get()

    async def measure(self) -> float:
        """Measure how many tokens per second the model writes here; remember it."""
        from ...models import Store

        engine, folder = await self._resident.get(), Store.here().folder
        return await self._resident.run(speed_of, engine, folder, self._model or SMALL, self._threads)

    async def warm(self, context: Context) -> None:
        """Read a context, so that one which begins with it is answered sooner."""
        if context.tools:
            await self._neutral_scores(context.tools, _Spent())
        async with aclosing(self._chunks(context, {"max_tokens": 0}, warm=True)) as chunks:
            async for _ in chunks:
                pass

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Answer in words, or with a call."""
        spent = _Spent()
        missing: tuple[str, ...] = ()
        if (tools := callable_tools(context)) and (tool := await self._needed(context, tools, spent)):
            call, missing = await self._call(context, tool, spent)
            if call is not None:
                yield call
                yield spent.usage
                return
        options = {"max_tokens": self._max_tokens, "temperature": 0, "grammar": SPOKEN}
        said, pieces = "", 0
        async with aclosing(self._chunks(context, options, missing)) as chunks:
            async for chunk in chunks:
                for text in _texts(chunk):
                    if text := text if said else text.lstrip():
                        said, pieces = said + text, pieces + 1
                        yield TextDelta(text)
                if goes_round(said) or (
                    pieces > NEARLY * self._max_tokens and said.rstrip()[-1:] in SENTENCE_ENDS
                ):
                    return
                spent.add(chunk)
        if spent.written:
            yield spent.usage

    async def _needed(self, context: Context, tools: Sequence[ToolSpec], spent: _Spent) -> ToolSpec | None:
        """The tool that the newest turn needs."""
        last = last_exchange(context)
        if not last.newest.strip():
            return None
        neutral = await self._neutral_scores(tools, spent)
        found = await self._scores(tools, routing_prompt(tools, last.newest, last.agent), spent)
        names = needed(found, neutral)
        if len(names) > 1:  # they begin with the same token
            choice = " | ".join(f'"{name}"' for name in names)
            prompt = routing_prompt(tools, last.newest, last.agent)
            names = (await self._written(prompt, f"%llguidance {{}}\nstart: {choice}\n", spent),)
        return next((tool for tool in tools if tool.name in names), None)

    async def _neutral_scores(self, tools: Sequence[ToolSpec], spent: _Spent) -> Scores:
        """Return each tool's mean score for utterances that need none; cached."""
        key = tuple(f"{tool.name} {tool.description}" for tool in tools)
        if key not in self._neutral:
            self._neutral[key] = mean(
                [await self._scores(tools, routing_prompt(tools, said), spent) for said in NEUTRAL]
            )
        return self._neutral[key]

    async def _scores(self, tools: Sequence[ToolSpec], prompt: list[ChatMessage], spent: _Spent) -> Scores:
        engine = await self._resident.get()
        request: dict[str, Any] = {"messages": prompt, "max_tokens": 1, "temperature": 0}
        first: list[dict[str, Any]] = []
        async with aclosing(engine.ask(request | {"logprobs": True, "top_logprobs": LIKELIEST})) as chunks:
            async for chunk in chunks:
                _check(chunk)
                for choice in chunk.get("choices", ()):
                    likely: dict[str, Any] | None = choice.get("logprobs")
                    if likely and likely["content"] and not first:
                        first = likely["content"][0]["top_logprobs"]
                spent.add(chunk)
        return scores(tools, {one["token"]: one["logprob"] for one in first})

    async def _call(
        self, context: Context, tool: ToolSpec, spent: _Spent
    ) -> tuple[ToolCall | None, tuple[str, ...]]:
        """The call of a tool with what was said; without it, what the agent must ask for."""
        if not tool.parameters.get("properties"):
            return ToolCall("call-1", tool.name, "{}"), ()
        last = last_exchange(context)
        # The agent's words are the caller's, too, where it proposed something: "Friday?" "Yes."
        proposed = last.agent if last.agent.endswith("?") else ""
        allowed = arguments(tool, [last.earlier, proposed, last.newest])
        if not allowed.grammar:
            return None, allowed.missing
        prompt = routing_prompt([tool], last.newest, last.agent)
        begun: ChatMessage = {"role": "assistant", "content": f"{tool.name} "}
        text = await self._written([*prompt, begun], allowed.grammar, spent)
        if not text.endswith("}"):
            raise BadResponseError(f"the local model wrote no whole call: {text[:200]!r}")
        return ToolCall("call-1", tool.name, text), ()

    async def _written(self, prompt: list[ChatMessage], grammar: str, spent: _Spent) -> str:
        """What the model writes under a grammar."""
        engine = await self._resident.get()
        request = {"messages": prompt, "max_tokens": MOST_OF_A_CALL, "temperature": 0, "grammar": grammar}
        text = ""
        async with aclosing(engine.ask(request)) as chunks:
            async for chunk in chunks:
                _check(chunk)
                text += "".join(_texts(chunk))
                spent.add(chunk)
        return text

    async def _chunks(
        self, context: Context, options: dict[str, Any], missing: Sequence[str] = (), *, warm: bool = False
    ) -> AsyncGenerator[Chunk, None]:
        """The chunks of an answer to as much of the context as fits."""
        engine = await self._resident.get()
        whole, failure = messages(context, missing), ""
        for share in ROOMS:
            fitting = newest(context, int(share * self._room))
            request = options | {"messages": messages(fitting, missing)}
            async with aclosing(engine.answer(whole, request, warm=warm)) as chunks:
                async for chunk in chunks:
                    if _too_long(chunk):
                        failure = chunk["error"]["message"]
                        break
                    _check(chunk)
                    yield chunk
                else:
                    return
        raise ConfigurationError(
            f"the instructions and the last turn do not fit: {failure}; shorten them, or give the model more "
            "context_tokens"
        )


def _too_long(chunk: Chunk) -> bool:
    return "error" in chunk and chunk["error"]["type"] == "exceed_context_size_error"


def _check(chunk: Chunk) -> None:
    """Raise if a chunk says that the model refuses."""
    if _too_long(chunk):
        raise ConfigurationError(
            f"the tools and the last turn do not fit: {chunk['error']['message']}; shorten the descriptions, "
            "or give the model more context_tokens"
        )
    if "error" in chunk:
        raise BadResponseError(f"llama.cpp refused: {chunk['error']['message']}")


def _texts(chunk: Chunk) -> list[str]:
    return [text for choice in chunk.get("choices", ()) if (text := choice["delta"].get("content"))]


def _catalogued() -> list[str]:
    from ...models import CATALOGUE

    return [
        name for name, model in CATALOGUE.items() if any(file.name.endswith(".gguf") for file in model.files)
    ]


def _file(model: str) -> Path:
    """The model's .gguf file."""
    if model.endswith(".gguf"):
        file = Path(model).expanduser()
        if not file.is_file():
            raise ConfigurationError(f"there is no file {file}")
        return file
    from ...models import path

    return next(path(model).glob("*.gguf"))


def _load(model: str, slots: int, threads: int, context_tokens: int) -> LlamaEngine:
    """Return the engine for a model; "" is the better default that is fast enough."""
    from ...models import Store

    def made(name: str) -> LlamaEngine:
        return LlamaEngine(_file(name), slots, threads, context_tokens)

    if model:
        return made(model)
    store = Store.here()
    if store.state(BETTER) == "ready":
        speed = remembered(store.folder, BETTER, threads)
        if speed is None or speed > FAST_ENOUGH:
            engine = made(BETTER)
            if (speed or speed_of(engine, store.folder, BETTER, threads)) > FAST_ENOUGH:
                return engine
    return made(SMALL)


@cache
def _resident(model: str, slots: int, threads: int, context_tokens: int) -> Resident[LlamaEngine]:
    return Resident("llm", partial(_load, model, slots, threads, context_tokens))
