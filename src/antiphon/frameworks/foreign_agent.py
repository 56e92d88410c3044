"""What the agents of all frameworks have in common as language models.

A framework's model is a `ForeignAgent`, which says how the framework is run. Written once, here: what is
refused, text of several answers, errors by their names, and that nothing is done twice: an agent that has
called tools of its own is not asked again.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from ..context import Context
from ..errors import AntiphonError, BadResponseError, ConfigurationError
from ..frames import ToolCall
from ..services.foreign_errors import foreign_error
from ..services.ports import LanguageModel, TextDelta, TokenUsage
from ..services.streams import has_words

__all__ = ["AgentEvent", "ForeignAgent", "StepEnded", "refuse_others"]


def refuse_others(agent: object, member: str, wanted: str) -> None:
    """Raise ConfigurationError for an agent without a member of what is wanted."""
    if not hasattr(agent, member):
        raise ConfigurationError(f"{agent!r} is not {wanted}")


class StepEnded:
    """An answer of a model is over, and another may follow.

    `acted`: a tool of the framework was called.
    """

    def __init__(self, *, acted: bool) -> None:
        self.acted = acted


AgentEvent = TextDelta | ToolCall | TokenUsage | StepEnded


class ForeignAgent(LanguageModel):
    """An agent of another framework. A framework's derives from it, and adds `run`.

    `within`: seconds that it may take for the first word and for each further one, its tools included.
    `acts`: False if its tools only look things up, so that it may be asked before the turn is certain.
    """

    framework: str
    takes_tools = False
    """True if it can be given the tools of Antiphon's agent beside its own."""

    def __init__(self, *, within: float, acts: bool) -> None:
        self.first_within = self.next_within = within
        self.acts = acts
        self.vendor = self.framework

    def run(self, context: Context) -> AsyncGenerator[AgentEvent]:
        """Run the framework on the conversation; closing the generator stops it."""
        raise NotImplementedError

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Answer the conversation so far."""
        if context.tools and not self.takes_tools:
            raise ConfigurationError(
                f"{self.framework} cannot be given Antiphon's tools: leave out tools= of the agent, "
                f"and give {self.framework} its own"
            )
        said = acted = called = apart = False
        last = ""  # the last character that was said
        try:
            async with aclosing(self.run(context)) as events:
                async for event in events:
                    match event:
                        case StepEnded():
                            acted, apart = acted or event.acted, bool(last.strip())
                        case TextDelta(text):
                            if text:
                                yield TextDelta(" " + text if apart and not text[0].isspace() else text)
                                said |= has_words(text, voiced=False)
                                apart, last = False, text[-1]
                        case ToolCall():
                            called = True
                            yield event
                        case TokenUsage():
                            yield event
        except Exception as error:
            raise self._named(error, acted) from error
        if acted and not said and not called:
            raise BadResponseError(f"{self.framework} called its tools and ended without a word")

    def _named(self, error: Exception, acted: bool) -> AntiphonError:
        """Return the error that stands for one of the framework or of its model."""
        named = foreign_error(self.framework, error)
        if acted and named.retryable:
            return BadResponseError(f"{named} (it had called its tools, so it is not asked again)")
        return named
