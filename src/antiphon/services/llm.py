"""The stage that asks the language model."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from ..errors import BadResponseError, NothingSaidError, RateLimitError, ServiceTimeoutError, TheyErred
from ..frames import (
    AnswerDelayed,
    Failed,
    Frame,
    Generated,
    Measured,
    Prime,
    Prompt,
    ReplyCommitted,
    Signal,
    Text,
    ToolCall,
)
from ..processor import on
from ..stage import Work
from .ports import LanguageModel, TextDelta, TokenUsage
from .reasoning import ReasoningFilter, answers
from .service_stage import ServiceStage
from .streams import closing, has_words
from .usage import UsageMeter, token_usage

__all__ = ["LLM"]

logger = logging.getLogger("antiphon.llm")

TRIES = 2
RETRY_AFTER = 0.2  # seconds
REASONING_WITHIN = 30.0  # seconds that a model may reason in its answer before the first word
MOST_TEXT = 100_000  # characters of one answer
STILL_SLOW = 0.8  # share of the time until a model is slow after which that is told again
MOST_CALLS = 128  # tool calls of one answer


@dataclass(slots=True)
class WrittenAnswer:
    """An answer that is being written, and what is expected of it."""

    work: Work
    prompt: Prompt
    expected: str
    within: float
    """Seconds that what is expected may take."""
    due: float
    slow_at: float
    """When the model will have written nothing for too long for a caller who hears nothing."""
    said: bool = False
    """True once there was text."""
    calls: list[ToolCall] = field(default_factory=list[ToolCall])


class LLM(ServiceStage[LanguageModel]):
    """A stage that answers a Prompt with Text, then Generated with the tool calls.

    `first_within`: seconds, all tries together, that the first word may take; `next_within`: seconds that
    each further token may take; None means the service's own. A retryable failure is tried again, as long as
    nothing has been said; an answer without words or tool calls is such a failure.

    A model that writes nothing for its `slow_after` seconds is replaced by the spare, if there is one and
    nothing was said; else `AnswerDelayed` tells the conversation, which may ask the caller to wait.
    """

    port = "llm"
    scope = "reply"

    def __init__(
        self, service: LanguageModel, *, first_within: float | None = None, next_within: float | None = None
    ) -> None:
        super().__init__(service)
        self._limits = first_within, next_within
        self.adopt()
        self._priming: Work | None = None
        self._withheld: Prompt | None = None  # of a reply that is speculative, for a service that acts
        self._worded = 0  # the last reply in which the model said a word
        self._meter = UsageMeter(self)

    def adopt(self) -> None:
        """Be as patient as the new service asks for."""
        service, (first, following) = self.service, self._limits
        self.first_within = service.first_within if first is None else first
        self.next_within = service.next_within if following is None else following
        self.slow_after = service.slow_after

    @on(Prompt)
    def prompt(self, frame: Prompt) -> None:
        self.take_next()
        reply = self.session.reply
        if reply is None or reply.number != frame.reply:
            return
        if reply.speculative and self.service.acts:
            self._withheld = frame
            return
        now, within = self.session.clock.now(), self.first_within
        work = Work(self, frame.reply, late=lambda error: self._late(answer))
        answer = WrittenAnswer(work, frame, "the first word", within, now + within, now + self.slow_after)
        self._watch(answer)
        self.run(work, self._answer(answer))

    @on(ReplyCommitted)
    def committed(self, signal: ReplyCommitted) -> None:
        """Ask a service that acts now that the turn is certain."""
        withheld, self._withheld = self._withheld, None
        if withheld is not None and withheld.reply == signal.reply:
            self.prompt(withheld)

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

    def _expect(self, answer: WrittenAnswer, what: str, within: float) -> None:
        """Set what is expected of the model now."""
        answer.expected, answer.within = what, within
        answer.due = self.session.clock.now() + within
        self._watch(answer)

    def _watch(self, answer: WrittenAnswer) -> None:
        now = self.session.clock.now()
        answer.work.expect(answer.expected, max(0.0, min(answer.due, answer.slow_at) - now))

    def _late(self, answer: WrittenAnswer) -> None:
        """Give a model up whose time is over, or that is slow while there is a spare."""
        work, now = answer.work, self.session.clock.now()
        spares = (branch for branch in self.branches if branch.has_spare() and not branch.races)
        has_spare = not answer.said and next(spares, None) is not None
        if now < answer.due - 1e-6 and not has_spare:
            answer.slow_at = now + self.slow_after * STILL_SLOW
            self._watch(answer)
            self.push(AnswerDelayed(answer.prompt.reply))
            return
        within = min(answer.within, self.slow_after) if has_spare else answer.within
        work.cancel()
        error = ServiceTimeoutError(f"{answer.expected} did not come within {within:g} s")
        self.session.failed(self, error, answer.prompt.reply)

    async def _answer(self, answer: WrittenAnswer) -> AsyncGenerator[Frame | Signal, None]:
        work, prompt, calls = answer.work, answer.prompt, answer.calls
        due = answer.due
        for tries_left in reversed(range(TRIES)):
            try:
                async with aclosing(self._ask(answer)) as asked:
                    async for frame in asked:
                        if isinstance(frame, Text):
                            answer.said = True
                            work.relax()  # the queue behind may hold it
                        yield frame
                        await self.session.clock.sleep(0)  # lets the TTS stage run during a burst of tokens
                        if answer.said:
                            if isinstance(frame, Text):
                                answer.slow_at = self.session.clock.now() + self.slow_after
                            self._expect(answer, "the next token", self.next_within)
                if not answer.said and not calls:
                    raise NothingSaidError("the language model ended its answer without a word")
                break
            except TheyErred as error:
                after = error.retry_after if isinstance(error, RateLimitError) else None
                wait = max(RETRY_AFTER, after or 0.0)
                again = tries_left and error.retryable and self.session.clock.now() + wait < due
                if not work.alive or answer.said or calls or not again:
                    if isinstance(error, NothingSaidError) and self._worded == prompt.reply:
                        break  # after a tool's result there may be nothing to add
                    raise
                self.session.signals.report(
                    self, Failed(self.name, type(error).__name__, str(error), prompt.reply, True, True, True)
                )
            await self.session.clock.sleep(wait)
        work.relax()
        yield Generated(prompt.reply, tuple(calls))

    async def _ask(self, answer: WrittenAnswer) -> AsyncGenerator[Frame | Signal, None]:
        """Yield the service's answer after checking it.

        Text is held back until it contains a word.
        """
        prompt, calls, reply = answer.prompt, answer.calls, self.session.reply
        if reply is None or reply.number != prompt.reply:
            return
        held, worded, written = "", False, 0
        reasoning, asked = ReasoningFilter(), self.session.clock.now()
        stream = answers(self._generate(prompt), reasoning)
        async with aclosing(stream) as items:
            async for item in items:
                match item:
                    case TextDelta(str(text)):
                        held += text
                        worded = worded or has_words(held, reply.voiced)
                        if reasoning.spans and not worded:
                            left = asked + REASONING_WITHIN - self.session.clock.now()
                            within = max(0.0, min(self.next_within, left))
                            self._expect(answer, "the end of its reasoning", within)
                        if written + len(held) > MOST_TEXT:
                            raise BadResponseError(f"an answer of more than {MOST_TEXT} characters")
                        if held and worded:
                            text, held = held if written else held.lstrip(), ""
                            self._worded = prompt.reply
                            if reasoning.spans and not written:
                                yield self._reasoned(reasoning, asked, prompt.reply)
                            written += len(text)
                            yield Text(prompt.reply, text, len(reply.text))
                    case ToolCall(str(), str(), str()):
                        if len(calls) == MOST_CALLS:
                            raise BadResponseError(f"an answer with more than {MOST_CALLS} tool calls")
                        calls.append(item)
                    case TokenUsage():
                        for usage in token_usage(self.name, self.service, item, prompt.reply):
                            yield usage
                    case _:
                        raise BadResponseError(f"the language model yielded {str(item)[:80]}")

    async def _generate(self, prompt: Prompt) -> AsyncGenerator[TextDelta | ToolCall | TokenUsage, None]:
        """Yield what the service answers, and tell of an answer without its usage."""
        with self._meter.stream(prompt.reply) as used:
            used.add("answers uncounted", 1 if self.service.vendor else 0)
            came = False
            try:
                async with closing(self.service.generate(prompt.context)) as answer:
                    async for item in answer:
                        came = True
                        if isinstance(item, TokenUsage):
                            used.amounts.clear()
                        yield item
            except TheyErred:
                if not came:  # it was refused, and so is not billed
                    used.amounts.clear()
                raise

    def _reasoned(self, reasoning: ReasoningFilter, asked: float, reply: int) -> Measured:
        """Log what the model reasoned before its answer; returns how long it took."""
        seconds = self.session.clock.now() - asked
        logger.debug("reasoning that is not spoken (%.1f s): %s", seconds, reasoning.reasoning.strip())
        return Measured(self.name, "reasoning", seconds, reply)
