"""What services consume: how the stages count it and tell it.

It is told once for each utterance, reply or generation, never for each frame. A vendor bills what it was
given, so the text of a reply that was cut off counts, and text that was given a second time after a failure.
What a driver sends again by itself, over a connection that was lost, is not known here.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from weakref import ref

from ..frames import SessionEnded, Usage
from .ports import AudioChunk, Flush, Service, Speech, SpeechToText, TextToSpeech, TokenUsage, Word
from .service_stage import ServiceStage
from .streams import closing
from .vendor_values import token_count

__all__ = ["HeardMeter", "SpokenMeter", "StreamUsage", "UsageMeter", "token_usage"]


def token_usage(part: str, service: Service, used: TokenUsage, reply: int) -> Iterator[Usage]:
    """Yield the tokens of a language model's answer, those from the cache last."""
    amounts = {"read": used.read, "written": used.written}
    amounts |= {"stored": used.stored} if used.stored else {}
    for name, amount in (amounts | {"cached": used.cached}).items():
        count = float(token_count(amount))
        yield Usage(part, f"tokens {name}", count, reply, service.vendor, service.model)


@dataclass(slots=True, eq=False)
class StreamUsage:
    """What a service consumed for one stream, and that was not told."""

    service: Service
    reply: int | None
    amounts: dict[str, float] = field(default_factory=dict[str, float])

    def add(self, unit: str, amount: float) -> None:
        """Count more of a unit."""
        self.amounts[unit] = self.amounts.get(unit, 0.0) + amount


class UsageMeter:
    """Tells what the service of a stage consumed, at the end of each stream of it.

    At the end of the session it tells what the streams have consumed that are not over.
    """

    def __init__(self, stage: ServiceStage[Any]) -> None:
        self._whose = ref(stage)  # which holds this: together they would only be freed by the collector
        self._streams: list[StreamUsage] = []
        self._listens = False  # whether it learns of the end of the session

    @property
    def _stage(self) -> ServiceStage[Any]:
        stage = self._whose()
        assert stage is not None, "a meter counts while its stage works"
        return stage

    @contextmanager
    def stream(self, reply: int | None = None) -> Generator[StreamUsage]:
        """Count one stream of the service, in a task; tell what it consumed at its end."""
        if not self._listens:
            self._listens = True
            self._stage.session.on(SessionEnded, lambda _: [self.tell(used) for used in self._streams])
        used = StreamUsage(self._stage.service, reply)
        self._streams.append(used)
        try:
            yield used
        finally:
            self._streams.remove(used)
            self.tell(used)

    def tell(self, used: StreamUsage) -> None:
        """Tell what a stream consumed since this was told last.

        It is an input of the session, since a replay cannot count what tasks did.
        """
        amounts, used.amounts = used.amounts, {}
        for unit, amount in amounts.items():
            if amount:
                service, inputs = used.service, self._stage.session.inputs
                usage = Usage(
                    self._stage.name, unit, round(amount, 6), used.reply, service.vendor, service.model
                )
                inputs.enter(self._stage, usage)


class HeardMeter(UsageMeter):
    """Counts the audio that a recogniser takes, or how long its connection is open."""

    def __init__(self, stage: ServiceStage[SpeechToText]) -> None:
        super().__init__(stage)

    async def counted(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[AudioChunk | Flush]:
        """Yield the audio of a stream, and count it; tell of it once for each utterance."""
        service, clock = self._stage.service, self._stage.session.clock
        rate, since = service.sample_rate * 2, clock.now()
        with self.stream() as used:
            async for item in audio:
                if service.bills_open:
                    since, before = clock.now(), since
                    used.add("seconds open", since - before)
                elif isinstance(item, AudioChunk):
                    used.add("seconds heard", len(item.pcm) / rate)
                if isinstance(item, Flush) and item.final:
                    self.tell(used)
                yield item


class SpokenMeter(UsageMeter):
    """Counts the text that a voice is given and the audio that it makes."""

    def __init__(self, stage: ServiceStage[TextToSpeech]) -> None:
        super().__init__(stage)

    async def speak(
        self, text: AsyncIterator[str], reply: int | None = None
    ) -> AsyncGenerator[Speech | Word, None]:
        """Yield what the service speaks of a text, and count both."""
        service: TextToSpeech = self._stage.service

        async def taken() -> AsyncGenerator[str, None]:
            async for piece in text:
                used.add("characters spoken", len(piece) * service.billed)
                yield piece

        with self.stream(reply) as used:
            async with closing(service.speak(taken())) as spoken:
                async for item in spoken:
                    if isinstance(item, Speech) and isinstance(item.pcm, bytes):  # pyright: ignore[reportUnnecessaryIsInstance]
                        used.add("seconds spoken", len(item.pcm) / 2 / service.sample_rate)
                    yield item
