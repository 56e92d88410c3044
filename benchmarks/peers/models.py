"""The local models for the peers: the same files, runtimes, threads and prompts as Antiphon's own.

A peer wraps these four functions as its guide says a service of one's own is wrapped.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from antiphon import Agent
from antiphon.context import AgentSaid, Context, UserSaid
from antiphon.services.ports import Speech, TextDelta

from ..callers import INSTRUCTIONS, transcribed

VOICE_HZ = 24_000


class LocalModels:
    """Whisper, Smart Turn, the language model and the voice."""

    def __init__(self) -> None:
        self._agent = Agent(INSTRUCTIONS, vad=None)

    async def load(self) -> None:
        """Load all; the language model has read the instructions then."""
        await self._agent.open()
        assert self._agent.service("tts").sample_rate == VOICE_HZ

    async def words(self, pcm: bytes) -> str:
        """Return the words of an utterance at 16 kHz."""
        return await transcribed(self._agent.service("stt"), pcm)

    async def turn_is_over(self, pcm: bytes) -> float:
        """Return the probability that a turn that sounds like this, at 16 kHz, is over."""
        return await self._agent.service("eot").score(pcm)

    async def answer(self, messages: Sequence[tuple[str, str]]) -> AsyncGenerator[str, None]:
        """Yield the tokens of an answer to messages (role, text) after the instructions."""
        entries = [AgentSaid(text) if role == "assistant" else UserSaid(text) for role, text in messages]
        async with aclosing(
            self._agent.service("llm").generate(Context(INSTRUCTIONS, tuple(entries)))
        ) as items:
            async for item in items:
                if isinstance(item, TextDelta):
                    yield item.text

    async def speech(self, text: str) -> AsyncGenerator[bytes, None]:
        """Yield the audio of a text, at 24 kHz, as it is made."""

        async def pieces() -> AsyncIterator[str]:
            yield text

        async with aclosing(self._agent.service("tts").speak(pieces())) as items:
            async for item in items:
                if isinstance(item, Speech):
                    yield item.pcm
