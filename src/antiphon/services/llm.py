"""The stage that asks the language model."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..errors import BadResponseError, TheyErred
from ..frames import Failed, Frame, Generated, Prime, Prompt, Signal, Text, ToolCall, Usage
from ..processor import on
from ..stage import Stage, Work
from .ports import LanguageModel, TextDelta, TokenUsage
from .streams import closing, ready

__all__ = ["LLM"]

TRIES = 2
RETRY_AFTER = 0.2  # seconds


class LLM(Stage):
    """A stage that answers a Prompt with Text, then Generated with the tool calls.

    `first_within`, `next_within`: seconds that the first token and each further one may take. A retryable
    failure is tried again, as long as nothing has been said.
    """

    scope = "reply"

    def __init__(
        self, service: LanguageModel, *, first_within: float = 10.0, next_within: float = 5.0
    ) -> None:
        self.service = service
        self.first_within = first_within
        self.next_within = next_within
        self._priming: Work | None = None

    async def open(self) -> None:
        """Load the model and connect."""
        await ready(self.service)

    @on(Prompt)
    def prompt(self, frame: Prompt) -> None:
        reply = self.session.reply
        if reply is not None and reply.number == frame.reply:
            work = Work(self, frame.reply)
            self.run(work, self._answer(work, frame, len(reply.text)))

    @on(Prime)
    def prime(self, frame: Prime) -> None:
        if self._priming is not None:
            self._priming.cancel()
        self._priming = Work(self)
        self.run(self._priming, self._prime(frame))

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Push a failed Generated, so that the conversation can go on."""
        if signal.part == self.name and signal.reply is not None and not signal.recovered:
            self.push(Generated(signal.reply, failed=True))

    async def _prime(self, frame: Prime) -> AsyncGenerator[Frame | Signal, None]:
        await self.service.warm(frame.context)
        return
        yield

    async def _answer(self, work: Work, prompt: Prompt, at: int) -> AsyncGenerator[Frame | Signal, None]:
        calls: list[ToolCall] = []
        for attempt in range(TRIES):
            said = False
            work.expect("the first token", self.first_within)
            try:
                async with aclosing(self._ask(prompt, at, calls)) as answer:
                    async for frame in answer:
                        work.relax()
                        said = True
                        yield frame
                        await self.session.clock.sleep(0)  # lets the TTS stage run during a burst of tokens
                        work.expect("the next token", self.next_within)
                break
            except TheyErred as error:
                if not work.alive or said or calls or not error.retryable or attempt + 1 == TRIES:
                    raise
                self.session.signals.report(
                    self, Failed(self.name, type(error).__name__, str(error), prompt.reply, True, True, True)
                )
            finally:
                work.relax()
            await self.session.clock.sleep(RETRY_AFTER)
        yield Generated(prompt.reply, tuple(calls))

    async def _ask(
        self, prompt: Prompt, at: int, calls: list[ToolCall]
    ) -> AsyncGenerator[Frame | Signal, None]:
        async with closing(self.service.generate(prompt.context)) as answer:
            async for item in answer:
                match item:
                    case TextDelta(text):
                        if text:
                            yield Text(prompt.reply, text, at)
                            at += len(text)
                    case ToolCall():
                        calls.append(item)
                    case TokenUsage(read, written, cached):
                        yield Usage(self.name, "tokens read", read, prompt.reply)
                        yield Usage(self.name, "tokens written", written, prompt.reply)
                        yield Usage(self.name, "tokens cached", cached, prompt.reply)
                    case _:
                        raise BadResponseError(f"the language model yielded a {type(item).__name__}")
