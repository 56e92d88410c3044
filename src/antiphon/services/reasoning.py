"""Removal of the reasoning that a model writes in tags before its answer.

Reasoning is not spoken and is not part of the reply. Models and endpoints that have no field of their own for
it write `<think>...</think>` before the answer, and so does a local model behind a server without a parser
for it. The tags come in pieces, as all text does.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from ..encodable import SurrogateJoiner
from ..errors import BadResponseError
from .ports import TextDelta
from .streams import closing

__all__ = ["ReasoningFilter", "answers"]

KEPT = 20_000  # characters of reasoning that are kept, for the log
LONGEST = 200_000  # characters of reasoning after which no answer is expected any more

_WORDS = ("think", "thinking", "thought", "thoughts", "reasoning", "reflection", "analysis", "scratchpad")
TAGS: dict[str, str] = {
    **{f"<{word}>": f"</{word}>" for word in _WORDS},
    "<seed:think>": "</seed:think>",
    "<|channel|>analysis<|message|>": "<|end|>",
    "[think]": "[/think]",
    "◁think▷": "◁/think▷",
    "<|begin_of_thought|>": "<|end_of_thought|>",
}
"""What opens a span of reasoning, in lower case, and what closes it."""
SHELLS = ("<|start|>assistant", "<|channel|>final<|message|>")
"""What stands around the answer itself: it is dropped."""
_OPENING = re.compile("|".join(map(re.escape, (*TAGS, *SHELLS))))
_BEGINNINGS = {tag[:end] for tag in (*TAGS, *SHELLS) for end in range(len(tag))}
_LONGEST_TAG = max(map(len, (*TAGS, *SHELLS)))


class ReasoningFilter:
    """A filter that removes the reasoning from the beginning of an answer."""

    def __init__(self) -> None:
        self.reasoning = ""
        """What was written in the spans, up to a limit."""
        self.length = 0
        """How many characters that is in all."""
        self.spans = 0
        """How many spans there were."""
        self._held: str = ""  # blanks and what may become a tag
        self._closing: str = ""  # what closes the open span
        self._begun = False  # the answer itself has begun

    def feed(self, text: str) -> str:
        """Add a piece of the answer; returns what of it is to be said."""
        if self._begun:
            return text
        self._held += text
        while self._held:
            step = self._close() if self._closing else self._open()
            if not step:
                break
        if not self._begun:
            return ""
        return self.flush()

    def flush(self) -> str:
        """Returns what was held back; a span that is still open stays reasoning."""
        held, self._held = self._held, ""
        if self._closing:
            self._record(held)
            return ""
        return held

    def _open(self) -> bool:
        """Look for a tag that opens a span of reasoning, or for the answer.

        Returns True if it has consumed a tag, so that the rest of the text must be looked at.
        """
        blanks = len(self._held) - len(self._held.lstrip())
        rest = self._held[blanks : blanks + _LONGEST_TAG].lower()
        if found := _OPENING.match(rest):
            self._closing = TAGS.get(found[0], "")
            self.spans += bool(self._closing)
            self._held = self._held[blanks + found.end() :]
            return True
        if rest not in _BEGINNINGS:
            self._begun = True
            if self.spans:
                self._held = self._held.lstrip()
        return False

    def _close(self) -> bool:
        found = re.search(re.escape(self._closing), self._held, re.IGNORECASE)
        if found is None:
            kept = len(self._held) - len(self._closing) + 1
            if kept > 0:
                self._record(self._held[:kept])
                self._held = self._held[kept:]
            return False
        self._record(self._held[: found.start()])
        self._held, self._closing = self._held[found.end() :], ""
        return True

    def _record(self, text: str) -> None:
        self.length += len(text)
        self.reasoning += text[: max(0, KEPT - len(self.reasoning))]


async def answers(items: AsyncIterator[Any], reasoning: ReasoningFilter) -> AsyncGenerator[Any, None]:
    """Yield a language model's answer without its reasoning.

    All text in it is made encodable. While the model reasons, an empty TextDelta shows that it is at work.
    Raises BadResponseError if the reasoning is too long.
    """
    joiner = SurrogateJoiner()
    async with closing(items) as stream:
        async for item in stream:
            if isinstance(item, TextDelta) and isinstance(item.text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                yield TextDelta(reasoning.feed(joiner.feed(item.text)))
                if reasoning.length > LONGEST:
                    raise BadResponseError(f"the language model reasoned for {reasoning.length} characters")
            else:
                yield item
    yield TextDelta(reasoning.feed(joiner.flush()) + reasoning.flush())
