"""A language model on this machine: what it is asked, and what it answers."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from functools import cache
from pathlib import Path
from typing import Any

from ...context import Context, ToolSpec
from ...errors import BadResponseError, ConfigurationError
from ...frames import ToolCall
from ...services.ports import LanguageModel, TextDelta, TokenUsage
from .arguments import Arguments, arguments
from .dialogue import SPOKEN, ChatMessage, goes_round, messages, newest
from .engine import Chunk, LlamaEngine
from .meaning import MODEL as MEANING
from .resident import PROCESSORS, Resident
from .routing import callable_tools, last_exchange, needed_tool
from .speed import FAST_ENOUGH, remembered, speed_of

SMALL, BETTER = "qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b"
ROOMS = (1.0, 0.5, 0.25, 0.0)  # shares of the context window to fill, tried in turn; 0 keeps the last turn
MOST_OF_A_CALL = 128  # tokens


class Llama(LanguageModel):
    """A model of the catalogue, or the chat model in any .gguf file.

    Without a name it is qwen2.5-coder-1.5b if that has been pulled and this machine writes more than 15
    tokens per second with it, and qwen2.5-coder-0.5b otherwise.

    An answer ends after `max_tokens`; the model reads as much of a conversation as fits into
    `context_tokens`. The newest `slots` conversations stay in memory, so that a turn only costs reading what
    is new in it. A turn calls one tool at most; `routing` decides which.
    """

    resident = True
    first_within = 20.0  # a busy machine makes answers late, not wrong
    slow_after = 5.0

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
            raise ConfigurationError(f"max_tokens must be between 0 and context_tokens ({context_tokens})")
        if model and not model.endswith(".gguf") and model not in (known := _catalogued()):
            raise ConfigurationError(
                f"there is no local language model {model!r}: choose from {', '.join(known)}, or a .gguf file"
            )
        self._max_tokens = max_tokens
        self._model, self._threads = model, threads
        self._room = context_tokens - max_tokens
        self._resident = _resident(model, slots, threads, context_tokens)

    async def load(self) -> None:
        """Load the models into memory, where they stay until the process ends."""
        await self._resident.get()
        await MEANING.get()

    async def measure(self) -> float:
        """Measure how many tokens per second the model writes here; remember it."""
        from ...models import Store

        engine, folder = await self._resident.get(), Store.here().folder
        return await self._resident.run(speed_of, engine, folder, self._model or SMALL, self._threads)

    async def warm(self, context: Context) -> None:
        """Read a context, so that contexts which begin with it are answered sooner."""
        async with aclosing(self._chunks(context, {"max_tokens": 0}, warm=True)) as chunks:
            async for _ in chunks:
                pass

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Answer in words, or with a tool call."""
        missing: tuple[str, ...] = ()
        if tools := callable_tools(context):
            last = last_exchange(context)
            model = await MEANING.get()
            if (tool := await MEANING.run(needed_tool, tools, last, model)) is not None:
                allowed = arguments(tool, last.arguments_from)
                if not (missing := allowed.missing):
                    async with aclosing(self._call(context, tool, allowed)) as called:
                        async for item in called:
                            yield item
                    return
        async with aclosing(self._speak(context, missing)) as spoken:
            async for item in spoken:
                yield item

    async def _call(
        self, context: Context, tool: ToolSpec, allowed: Arguments
    ) -> AsyncGenerator[ToolCall | TokenUsage, None]:
        """Call a tool with arguments that were said."""
        if not tool.parameters.get("properties"):
            yield ToolCall("call-1", tool.name, "{}")
            return
        begun: list[ChatMessage] = [{"role": "assistant", "content": f"{tool.name} {allowed.begins}"}]
        options: dict[str, Any] = {"max_tokens": MOST_OF_A_CALL, "temperature": 0, "grammar": allowed.grammar}
        text, usage = allowed.begins, None
        async with aclosing(self._chunks(context, options, begun=begun)) as chunks:
            async for chunk in chunks:
                text += _text(chunk)
                usage = _usage(chunk) or usage
        if not text.endswith("}"):
            raise BadResponseError(f"the local model wrote an incomplete call: {text[:200]!r}")
        yield ToolCall("call-1", tool.name, text)
        if usage:
            yield usage

    async def _speak(
        self, context: Context, missing: Sequence[str]
    ) -> AsyncGenerator[TextDelta | TokenUsage, None]:
        """Answer in words; with `missing`, ask the user for these arguments."""
        options: dict[str, Any] = {"max_tokens": self._max_tokens, "temperature": 0, "grammar": SPOKEN}
        said = ""
        async with aclosing(self._chunks(context, options, missing=missing)) as chunks:
            async for chunk in chunks:
                if text := _text(chunk):
                    said += text
                    yield TextDelta(text)
                if goes_round(said):
                    return
                if usage := _usage(chunk):
                    yield usage

    async def _chunks(
        self,
        context: Context,
        options: dict[str, Any],
        *,
        begun: Sequence[ChatMessage] = (),
        missing: Sequence[str] = (),
        warm: bool = False,
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of the answer to as much of the context as the model can read.

        `begun` are messages that the answer continues.
        """
        engine = await self._resident.get()
        whole, failure = messages(context, missing), ""
        for share in ROOMS:
            fitting = newest(context, int(share * self._room))
            request = options | {"messages": [*messages(fitting, missing), *begun]}
            async with aclosing(engine.answer(whole, request, warm=warm)) as chunks:
                async for chunk in chunks:
                    if (error := chunk.get("error")) is None:
                        yield chunk
                    elif error["type"] == "exceed_context_size_error":
                        failure = error["message"]
                        break
                    else:
                        raise BadResponseError(f"llama.cpp refused: {error['message']}")
                else:
                    return
        raise ConfigurationError(
            f"the instructions and the last turn do not fit: {failure}; shorten them, or give the "
            "model more context_tokens"
        )


def _text(chunk: Chunk) -> str:
    return "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def _usage(chunk: Chunk) -> TokenUsage | None:
    if spent := chunk.get("timings"):
        return TokenUsage(spent["cache_n"] + spent["prompt_n"], spent["predicted_n"], spent["cache_n"])
    return None


def _catalogued() -> list[str]:
    from ...models import CATALOGUE

    return [
        name for name, model in CATALOGUE.items() if any(file.name.endswith(".gguf") for file in model.files)
    ]


def _file(model: str) -> Path:
    """Return the path of the model's .gguf file."""
    if model.endswith(".gguf"):
        file = Path(model).expanduser()
        if not file.is_file():
            raise ConfigurationError(f"there is no file {file}")
        return file
    from ...models import path

    return next(path(model).glob("*.gguf"))


def _load(model: str, slots: int, threads: int, context_tokens: int) -> LlamaEngine:
    """Return the engine for a model; "" is the better default that is fast enough."""
    from ...models import CATALOGUE, Store

    def made(name: str) -> LlamaEngine:
        return LlamaEngine(_file(name), slots, threads, context_tokens)

    store = Store.here()
    if model or store.state(BETTER) != "ready":
        return made(model or SMALL)
    if (speed := remembered(store.folder, BETTER, threads)) is not None:
        return made(BETTER if speed > FAST_ENOUGH else SMALL)
    # Time per token grows with the size of the weights, so the small model's speed predicts the other's.
    enough, small = FAST_ENOUGH * CATALOGUE[BETTER].size / CATALOGUE[SMALL].size, None
    if (speed := remembered(store.folder, SMALL, threads, enough)) is None:
        small = made(SMALL)
        speed = speed_of(small, store.folder, SMALL, threads)
    if speed > enough:
        better = made(BETTER)
        if speed_of(better, store.folder, BETTER, threads) > FAST_ENOUGH:
            return better
    return small or made(SMALL)


@cache
def _resident(model: str, slots: int, threads: int, context_tokens: int) -> Resident[LlamaEngine]:
    return Resident("llm", lambda: _load(model, slots, threads, context_tokens))
