"""What services consume: how the stages count it and tell it.

It is told once for each utterance, reply or generation, never for each frame. A vendor bills what it was
given, so the text of a reply that was cut off counts, and text that was given a second time after a failure.
What a driver sends again by itself, over a connection that was lost, is not known here.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping

from ..frames import Usage
from ..stage import Stage
from .ports import AudioChunk, Flush, Service, SpeechToText

__all__ = ["HeardAudioMeter", "tell_usage"]


def tell_usage(
    stage: Stage, service: Service, amounts: Mapping[str, float], reply: int | None = None
) -> None:
    """Tell what a service consumed, by unit; nothing for an amount of 0.

    For tasks and for handlers of SessionEnded. It is an input, since a replay cannot count what tasks did.
    """
    for unit, amount in amounts.items():
        if amount:
            usage = Usage(stage.name, unit, float(amount), reply, service.vendor, service.model)
            stage.session.inputs.enter(stage, usage)


class HeardAudioMeter:
    """Counts the audio that a recogniser takes, or how long its connection is open."""

    def __init__(self, stage: Stage, service: SpeechToText) -> None:
        self._stage = stage
        self._service = service
        self._taken = 0  # bytes that were not told
        self._since: float | None = None  # since when an open connection was not told

    async def counted(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[AudioChunk | Flush]:
        """Yield the audio of a stream, and count it as the service takes it."""
        self._since = self._stage.session.clock.now()
        try:
            async for item in audio:
                if isinstance(item, AudioChunk):
                    self._taken += len(item.pcm)
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
