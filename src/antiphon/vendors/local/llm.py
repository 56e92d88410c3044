"""A language model on this machine: llama.cpp inside this process.

https://github.com/xorbitsai/xllamacpp wraps llama.cpp's server, which is called here as a library. The server
insists on listening somewhere, so it gets a socket file that is deleted before anybody can connect to it.
"""

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Protocol

from ...context import Context, ToolSpec
from ...encodable import encodable_data
from ...errors import BadResponseError, ConfigurationError
from ...frames import ToolCall
from ...services.ports import LanguageModel, TextDelta, TokenUsage
from .dialogue import SPEAK, ChatMessage, Writing, callable_tools, grammar, messages, newest
from .resident import PROCESSORS, Resident, library

BATCH = 32  # prompt tokens read at a time; between two batches, others are served and reading can be stopped
SPINS = "1000"  # how long llama.cpp's threads busy-wait for each other; more is no faster, and bad under load
# Added to the log odds of speech against a tool call. A small model prefers speech to calls, above all with a
# single tool, whose one example stands among many of speech; after a call it prefers another call to speech.
TO_TOOLS, TO_ONLY_TOOL, TO_SPEECH = -0.6, -4.0, 2.0
ROOMS = (1.0, 0.5, 0.25, 0.0)  # shares of the context window to fill, tried in turn; 0 keeps the last turn

Chunk = dict[str, Any]


class _Server(Protocol):
    def handle_chat_completions(self, request: dict[str, Any], feed: Callable[[Chunk], bool]) -> None: ...


@dataclass(eq=False, slots=True)
class _Slot:
    """llama.cpp's memory for one conversation's prompt, and the thread for it."""

    number: int
    thread: ThreadPoolExecutor
    prompt: list[ChatMessage] = field(default_factory=list[ChatMessage])
    used: int = 0
    waiting: int = 0
    warming: threading.Event | None = None
    """Stops the `warm` that is running, which any other work on the slot makes needless."""

    def shared(self, prompt: list[ChatMessage]) -> int:
        """Return how many messages of a prompt are in memory; -1 if others would be lost.

        The last message in memory may have changed if its first word is the same: it was an interim
        transcript of the user's words, or more of the agent's words than were heard.
        """
        count = 0
        for held, new in zip(self.prompt, prompt, strict=False):
            if held != new:
                break
            count += 1
        goes_on = count == len(self.prompt) or (
            count == len(self.prompt) - 1 < len(prompt)
            and _first_word(prompt[count]) == _first_word(self.prompt[count])
        )
        return count if goes_on else -1


def _first_word(message: ChatMessage) -> str:
    word = (message["content"].split(maxsplit=1) or [""])[0]
    return "".join(filter(str.isalnum, word)).lower() or word


class _Engine:
    """A model in memory, with slots for the most recent conversations."""

    def __init__(self, model: str, slots: int, threads: int, context_tokens: int) -> None:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
        xllamacpp = library("xllamacpp")
        params = xllamacpp.CommonParams()
        params.model.path = str(_file(model))
        params.n_ctx, params.n_parallel = context_tokens * slots, slots
        params.n_batch = params.n_ubatch = BATCH
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.n_cache_reuse = BATCH  # what follows left-out turns is shifted in the cache, not read again
        params.cache_ram_mib, params.n_threads_http = 0, 1
        params.verbosity, params.ui = -1, False
        with tempfile.TemporaryDirectory(prefix="antiphon-") as folder:
            params.hostnames = [f"{folder}/nobody.sock"]
            try:
                self._server: _Server = xllamacpp.Server(params)
            except RuntimeError as error:
                raise ConfigurationError(
                    f"llama.cpp cannot load {params.model.path}: is it a whole GGUF file?"
                ) from error
        self._slots = [
            _Slot(number, ThreadPoolExecutor(1, thread_name_prefix=f"antiphon-llm-{number}"))
            for number in range(slots)
        ]
        self._choosing = threading.Lock()
        self._uses = 0
        # The first grammar takes a second: compile one now.
        first = {"messages": [{"role": "user", "content": ""}], "grammar": "%llguidance {}\nstart: /./"}
        self._server.handle_chat_completions(first, lambda chunk: False)

    async def answer(
        self, conversation: list[ChatMessage], request: dict[str, Any], *, warm: bool = False
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of a chat completion; closing the generator stops it.

        `conversation` is the whole one; the request may hold only its end.
        """
        loop = asyncio.get_running_loop()
        in_place = getattr(loop, "virtual", False)
        chunks: asyncio.Queue[Chunk | Exception | None] = asyncio.Queue()
        stop = threading.Event()
        slot = self._slot(conversation, stop if warm else None)
        request = encodable_data(request) | {"id_slot": slot.number, "stream": True, "return_progress": True}

        def give(item: Chunk | Exception | None) -> bool:
            """Hand an item to the event loop; True stops the model."""
            if in_place:
                chunks.put_nowait(item)
            else:
                try:
                    loop.call_soon_threadsafe(chunks.put_nowait, item)
                except RuntimeError:  # the loop is closed
                    stop.set()
            return stop.is_set()

        def work() -> None:
            try:
                if not stop.is_set():
                    self._server.handle_chat_completions(request, give)
            except RuntimeError as error:
                give(error)
            finally:
                with self._choosing:
                    slot.waiting -= 1
                give(None)

        if in_place:
            work()
        else:
            slot.thread.submit(work)
        try:
            while (item := await chunks.get()) is not None:
                if isinstance(item, Exception):
                    raise BadResponseError(f"llama.cpp failed: {item}") from item
                yield item
        finally:
            stop.set()

    def _slot(self, prompt: list[ChatMessage], warming: threading.Event | None) -> _Slot:
        """Choose the slot with most of a prompt, else the least recently used one."""
        with self._choosing:
            self._uses += 1
            ranked = [(-slot.shared(prompt), slot.waiting, slot.used, slot) for slot in self._slots]
            slot = min(ranked, key=lambda rank: rank[:3])[3]
            if slot.warming is not None:
                slot.warming.set()
            slot.warming, slot.used = warming, self._uses
            slot.prompt = prompt if warming is None else prompt[:-1]
            slot.waiting += 1
            return slot


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
def _resident(model: str, slots: int, threads: int, context_tokens: int) -> Resident[_Engine]:
    return Resident("llm", partial(_Engine, model, slots, threads, context_tokens))
