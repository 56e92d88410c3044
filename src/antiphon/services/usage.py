"""What services consume: how the stages count it and tell it.

It is told once for each utterance, reply or generation, never for each frame. A vendor bills what it was
given, so the text of a reply that was cut off counts, and text that was given a second time after a failure.
What a driver sends again by itself, over a connection that was lost, is not known here.
"""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from ..frames import SessionEnded, Usage
from ..stage import Stage
from .ports import AudioChunk, Flush, Service, Speech, SpeechToText, TextToSpeech, Word
from .streams import closing

__all__ = ["HeardMeter", "SpokenMeter", "tell_usage"]


def tell_usage(
    stage: Stage, service: Service, amounts: Mapping[str, float], reply: int | None = None
) -> None:
    """Tell what a service consumed, by unit; nothing for an amount of 0.

    For tasks and at SessionEnded. It is an input, since a replay cannot count what tasks did.
    """
    for unit, amount in amounts.items():
        if amount:
            usage = Usage(stage.name, unit, float(amount), reply, service.vendor, service.model)
            stage.session.inputs.enter(stage, usage)


class HeardMeter:
    """Counts the audio that a recogniser takes, or how long its connection is open.

    What is left at the end of the session is told then.
    """

    def __init__(self, stage: Stage, service: SpeechToText) -> None:
        self._stage = stage
        self._service = service
        self._taken = 0  # bytes that were not told
        self._since: float | None = None  # since when an open connection was not told
        self._ending = False  # True if it learns of the end of the session

    async def counted(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[AudioChunk | Flush]:
        """Yield the audio of a stream, and count it as the service takes it."""
        session = self._stage.session
        if not self._ending:
            self._ending = True
            session.on(SessionEnded, lambda _: self.tell())
        self._since = session.clock.now()
        try:
            async for item in audio:
                if isinstance(item, AudioChunk):
                    self._taken += len(item.pcm)
                elif item.final:
                    self.tell()
                yield item
        finally:
            self.tell()
            self._since = None

    def tell(self) -> None:
        """Tell what the service consumed since this was told last."""
        if self._service.bills_open:
            now = self._stage.session.clock.now()
            amounts = {"seconds open": round(0.0 if self._since is None else now - self._since, 6)}
            self._since = None if self._since is None else now
        else:
            amounts = {"seconds heard": round(self._taken / 2 / self._service.sample_rate, 6)}
        self._taken = 0
        tell_usage(self._stage, self._service, amounts)


class SpokenMeter:
    """Counts the text that a voice is given and the audio that it makes, by reply.

    What is left at the end of the session is told then.
    """

    def __init__(self, stage: Stage, service: TextToSpeech) -> None:
        self._stage = stage
        self._service = service
        self._given = Counter[int | None]()  # characters that were not told
        self._made = Counter[int | None]()  # bytes that were not told
        self._ending = False  # True if it learns of the end of the session

    async def speak(
        self, text: AsyncIterator[str], reply: int | None = None
    ) -> AsyncGenerator[Speech | Word, None]:
        """Yield what the service speaks of a text, and count both."""
        if not self._ending:
            self._ending = True
            self._stage.session.on(SessionEnded, lambda _: [self.tell(one) for one in [*self._given]])
        try:
            async with closing(self._service.speak(self._taken(text, reply))) as spoken:
                async for item in spoken:
                    if isinstance(item, Speech) and isinstance(item.pcm, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
                        self._made[reply] += len(item.pcm)
                    yield item
        finally:
            self.tell(reply)

    async def _taken(self, text: AsyncIterator[str], reply: int | None) -> AsyncGenerator[str, None]:
        async for piece in text:
            self._given[reply] += len(piece)
            yield piece

    def tell(self, reply: int | None = None) -> None:
        """Tell what the service consumed for a reply since this was told last."""
        characters = self._given.pop(reply, 0) * self._service.billed
        seconds = round(self._made.pop(reply, 0) / 2 / self._service.sample_rate, 6)
        amounts = {"characters spoken": characters, "seconds spoken": seconds}
        tell_usage(self._stage, self._service, amounts, reply)
