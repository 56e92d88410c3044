"""A whole vendor: a language model that repeats what it hears."""

from collections.abc import AsyncIterator

from antiphon.context import Context, UserSaid
from antiphon.errors import ConfigurationError
from antiphon.frames import ToolCall
from antiphon.services.ports import LanguageModel, TextDelta, TokenUsage, Vendor


class Parrot(LanguageModel):
    """Answers with the user's last words. `model` is how often it says them: "once" or "twice"."""

    def __init__(self, model: str = "once") -> None:
        times = {"once": 1, "twice": 2}
        if model not in times:
            raise ConfigurationError(f"there is no parrot {model!r}: choose from {', '.join(times)}")
        self.times = times[model]

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall | TokenUsage]:
        """Yield one word after the other."""
        said = [entry.text for entry in context.entries if isinstance(entry, UserSaid)]
        words = said[-1].split() if said else []
        for word in words * self.times:
            yield TextDelta(word + " ")


VENDOR = Vendor(
    name="parrot",
    provides={"llm": "Parrot"},
    docs="https://en.wikipedia.org/wiki/Parrot",
    default={"llm": "once"},
)
