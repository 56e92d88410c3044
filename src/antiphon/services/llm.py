"""The stage that asks the language model."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from ..encodable import encodable_data
from ..errors import BadResponseError, TheyErred
from ..frames import Failed, Frame, Generated, Measured, Prime, Prompt, Signal, Text, ToolCall, Usage
from ..processor import on
from ..stage import Stage, Work
from .ports import LanguageModel, TextDelta, TokenUsage
from .reasoning import ReasoningFilter, answers
from .streams import ready

__all__ = ["LLM"]

logger = logging.getLogger("antiphon.llm")

TRIES = 2
RETRY_AFTER = 0.2  # seconds


class LLM(Stage):
    """Answers a Prompt: Text as it comes, then Generated with the tools that the model wants called.

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
        """Tell the conversation that no answer comes, so that it can go on."""
        if signal.part == self.name and signal.reply is not None and not signal.recovered:
            self.push(Generated(signal.reply, failed=True))

    async def _prime(self, frame: Prime) -> AsyncGenerator[Frame | Signal, None]:
        await self.service.warm(encodable_data(frame.context))
        return
        yield

    async def _answer(self, work: Work, prompt: Prompt, at: int) -> AsyncGenerator[Frame | Signal, None]:
        calls: list[ToolCall] = []
        for attempt in range(TRIES):
            said = False
            work.expect("the first token", self.first_within)
            try:
                async with aclosing(self._ask(work, prompt, at, calls)) as answer:
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
        self, work: Work, prompt: Prompt, at: int, calls: list[ToolCall]
    ) -> AsyncGenerator[Frame | Signal, None]:
        reasoning, asked = ReasoningFilter(), self.session.clock.now()
        reasons = False
        stream = self.service.generate(encodable_data(prompt.context))
        async with aclosing(answers(stream, reasoning)) as answer:
            async for item in answer:
                match item:
                    case TextDelta(text):
                        if reasoning.length and not text:  # it is at work
                            reasons = True
                            work.expect("the next token", self.next_within)
                        elif text:
                            if reasons:
                                reasons = False
                                yield self._reasoned(reasoning, asked, prompt.reply)
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

    def _reasoned(self, reasoning: ReasoningFilter, asked: float, reply: int) -> Measured:
        """Log what the model reasoned before its answer; returns how long it took."""
        logger.debug(
            "the model reasoned before its answer, which is not spoken: %s", reasoning.reasoning.strip()
        )
        return Measured(self.name, "reasoning", self.session.clock.now() - asked, reply)
