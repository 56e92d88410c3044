"""llama.cpp in this process: which conversation uses which of its slots.

https://github.com/xorbitsai/xllamacpp wraps llama.cpp's server, which is called here as a library. The server
insists on listening somewhere, so it gets a socket file that is deleted before anybody can connect to it.
"""

import asyncio
import os
import tempfile
import threading
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from ...encodable import encodable_data
from ...errors import BadResponseError, ConfigurationError
from .dialogue import ChatMessage
from .resident import library

BATCH = 32  # prompt tokens read at a time; between two batches, others are served and reading can be stopped
SPINS = "1000"  # how long llama.cpp's threads busy-wait for each other; more is no faster, and bad under load
TRIED, AT_LEAST = 9, 4  # tokens that are written to measure how quickly the model writes
AT_MOST = 0.8  # seconds for that, beyond AT_LEAST

Chunk = dict[str, Any]


class LlamaServer(Protocol):
    """The part of xllamacpp's `Server` that is used here."""

    def handle_chat_completions(self, request: dict[str, Any], take: Callable[[Chunk], bool]) -> None: ...


@dataclass(eq=False, slots=True)
class Slot:
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

        The last message in memory may have changed: it was an interim transcript of the user's words, or more
        of the agent's words than were heard. It is the same conversation if the user said the same before, or
        if the first word of that message is the same.
        """
        count = 0
        for held, new in zip(self.prompt, prompt, strict=False):
            if held != new:
                break
            count += 1
        if count == len(self.prompt):
            return count
        if count < len(self.prompt) - 1 or count >= len(prompt):
            return -1
        known = any(message["role"] == "user" and message["content"] for message in prompt[:count])
        return count if known or _first_word(prompt[count]) == _first_word(self.prompt[count]) else -1


def _first_word(message: ChatMessage) -> str:
    word = (message["content"].split(maxsplit=1) or [""])[0]
    return "".join(filter(str.isalnum, word)).lower() or word


class LlamaEngine:
    """A model in memory, with slots for the most recent conversations."""

    def __init__(self, file: Path, slots: int, threads: int, context_tokens: int) -> None:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)
        xllamacpp = library("xllamacpp")
        params = xllamacpp.CommonParams()
        params.model.path = str(file)
        params.n_ctx, params.n_parallel = context_tokens * slots, slots
        params.n_batch = params.n_ubatch = BATCH
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.n_cache_reuse = BATCH  # what follows left-out turns is shifted in the cache, not read again
        params.cache_ram_mib, params.n_threads_http = 0, 1
        params.verbosity, params.ui = -1, False
        with tempfile.TemporaryDirectory(prefix="antiphon-") as folder:
            params.hostnames = [f"{folder}/nobody.sock"]
            try:
                self._server: LlamaServer = xllamacpp.Server(params)
            except RuntimeError as error:
                raise ConfigurationError(
                    f"llama.cpp cannot load {params.model.path}: is it a whole GGUF file?"
                ) from error
        self._slots = [
            Slot(number, ThreadPoolExecutor(1, thread_name_prefix=f"antiphon-llm-{number}"))
            for number in range(slots)
        ]
        self._threads = threads
        self._choosing = threading.Lock()
        self._uses = 0
        # The first grammar takes a second: compile one now.
        first = {"messages": [{"role": "user", "content": ""}], "grammar": "%llguidance {}\nstart: /./"}
        self._server.handle_chat_completions(first, lambda chunk: False)

    async def answer(
        self, conversation: list[ChatMessage], request: dict[str, Any], *, warm: bool = False
    ) -> AsyncGenerator[Chunk, None]:
        """Yield the chunks of a chat completion; closing the generator stops it.

        `conversation` is the whole one, of which the request may hold only the end.
        """
        stop = threading.Event()
        slot = self._slot(conversation, stop if warm else None)
        finished = False
        try:
            async with aclosing(self._work(slot, request, stop)) as chunks:
                async for chunk in chunks:
                    yield chunk
            finished = True
        finally:
            if not finished:
                with self._choosing:
                    if slot.prompt is conversation:
                        # What was read stays in memory, but no prompt will continue from the last message.
                        slot.prompt = conversation[:-1]

    def tokens_a_second(self) -> float:
        """Measure how many tokens per second the model writes, in about a second.

        The result is what an idle machine would do, however busy this one is: each token counts with its
        elapsed time or its processor time, whichever is less, and the result is that of the quicker tokens,
        which no other program delayed.
        """
        times: list[tuple[float, float]] = []

        def take(chunk: Chunk) -> bool:
            if any(choice["delta"].get("content") for choice in chunk.get("choices", ())):
                times.append((time.perf_counter(), time.process_time() / self._threads))
            return len(times) >= AT_LEAST and times[-1][0] - times[0][0] > AT_MOST

        count = {"messages": [{"role": "user", "content": "Count to one hundred in words."}]}
        self._server.handle_chat_completions(
            count | {"max_tokens": TRIED, "temperature": 0, "ignore_eos": True, "stream": True}, take
        )
        each = sorted(min(end - start for start, end in zip(*pair, strict=True)) for pair in pairwise(times))
        return 1 / max(each[len(each) // 4], 1e-6) if each else 0.0

    async def _work(
        self, slot: Slot, request: dict[str, Any], stop: threading.Event
    ) -> AsyncGenerator[Chunk, None]:
        """Run a request in a slot's thread; yield its chunks. Closing sets `stop`."""
        loop = asyncio.get_running_loop()
        in_place = getattr(loop, "virtual", False)
        chunks: asyncio.Queue[Chunk | Exception | None] = asyncio.Queue()
        # A model that can reason must not: the caller waits.
        request["chat_template_kwargs"] = {"enable_thinking": False}
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

    def _slot(self, prompt: list[ChatMessage], warming: threading.Event | None) -> Slot:
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
