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
from .dialogue import SPEAK, ChatMessage, Writing, callable_tools, grammar, messages, newest
from .engine import Chunk, LlamaEngine
from .resident import PROCESSORS, Resident

# Added to the log odds of speech against a tool call. A small model prefers speech to calls, above all with a
# single tool, whose one example stands among many of speech; after a call it prefers another call to speech.
TO_TOOLS, TO_ONLY_TOOL, TO_SPEECH = -0.6, -4.0, 2.0
ROOMS = (1.0, 0.5, 0.25, 0.0)  # shares of the context window to fill, tried in turn; 0 keeps the last turn


class Llama(LanguageModel):
    """A model of the catalogue, or the chat model in any .gguf file.

    An answer ends after `max_tokens`; the model reads as much of a conversation as fits into
    `context_tokens`. The newest `slots` conversations stay in memory, so that a turn only costs reading what
    is new in it.
    """

    resident = True
    first_within = 20.0  # a busy machine makes answers late, not wrong

    def __init__(
        self,
        model: str = "qwen2.5-coder-0.5b",
        *,
        max_tokens: int = 256,
        context_tokens: int = 4096,
        slots: int = 2,
        threads: int = min(PROCESSORS, 4),
    ) -> None:
        if not 0 < max_tokens < context_tokens:
            raise ConfigurationError(f"max_tokens must be between 0 and context_tokens ({context_tokens})")
        if not model.endswith(".gguf") and model not in (known := _catalogued()):
            raise ConfigurationError(
                f"there is no local language model {model!r}: choose from {', '.join(known)}, or a .gguf file"
            )
        self._max_tokens = max_tokens
        self._room = context_tokens - max_tokens
        self._resident = _resident(model, slots, threads, context_tokens)

    async def load(self) -> None:
        """Load the model into memory, where it stays until the process ends."""
        await self._resident.get()

    async def warm(self, context: Context) -> None:
        """Read a context, so that contexts which begin with it are answered sooner."""
        async with aclosing(self._chunks(context, {"max_tokens": 0}, warm=True)) as chunks:
            async for _ in chunks:
                pass

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Answer in words, or with tool calls."""
        options: dict[str, Any] = {"max_tokens": self._max_tokens, "temperature": 0}
        begun: list[ChatMessage] = []
        tools = callable_tools(context)
        if tools:
            options |= {"grammar": grammar(tools), "logit_bias": [[SPEAK, _bias(context, tools)]]}
        elif context.tools:
            options |= {"stop": ["\n"]}
            begun.append({"role": "assistant", "content": SPEAK})
        writing = Writing(speaking=not tools)
        async with aclosing(self._chunks(context, options, begun=begun)) as chunks:
            async for chunk in chunks:
                for choice in chunk["choices"]:
                    for item in writing.read(choice["delta"].get("content") or ""):
                        yield item
                if writing.goes_round:
                    return
                if spent := chunk.get("timings"):
                    writing.end()
                    cached = spent["cache_n"]
                    yield TokenUsage(cached + spent["prompt_n"], spent["predicted_n"], cached)

    async def _chunks(
        self,
        context: Context,
        options: dict[str, Any],
        *,
        begun: Sequence[ChatMessage] = (),
        warm: bool = False,
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of an answer that continues `begun`, to what fits."""
        engine = await self._resident.get()
        whole, failure = messages(context), ""
        for share in ROOMS:
            fitting = newest(context, int(share * self._room))
            request = options | {"messages": [*messages(fitting), *begun]}
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
            f"the instructions, the tools and the last turn do not fit: {failure}; shorten them, or give the "
            "model more context_tokens"
        )


def _bias(context: Context, tools: Sequence[ToolSpec]) -> float:
    if len(tools) < len(context.tools):
        return TO_SPEECH
    return TO_ONLY_TOOL if len(tools) == 1 else TO_TOOLS


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


@cache
def _resident(model: str, slots: int, threads: int, context_tokens: int) -> Resident[LlamaEngine]:
    return Resident("llm", lambda: LlamaEngine(_file(model), slots, threads, context_tokens))
