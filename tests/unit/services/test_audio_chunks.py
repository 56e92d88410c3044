"""A recogniser gets its audio in the chunks that it wants, and at a pause all of it at once."""

from collections.abc import AsyncIterator

import pytest

from antiphon.frames import SpeechPaused, SpeechStarted, SpeechStopped, UserAudio
from antiphon.services.ports import AudioChunk, Flush, Recognized, SpeechToText
from antiphon.services.stt import STT
from antiphon.session import Session
from antiphon.testing import virtual

PACKET = 640  # bytes: 20 ms at 16 kHz


class Ears(SpeechToText):
    sample_rate = 16000

    def __init__(self, segmented: bool, chunk: float | None = None) -> None:
        self.segmented = segmented
        if chunk is not None:
            self.chunk = chunk
        self.heard: list[int | str] = []

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        async for item in audio:
            self.heard.append(len(item.pcm) if isinstance(item, AudioChunk) else "flush")
            if isinstance(item, Flush) and item.final:
                yield Recognized("yes", True)


async def hear(
    service: SpeechToText, packets: int, *facts: SpeechStarted | SpeechPaused | SpeechStopped
) -> None:
    async with Session([STT(service)]) as session:
        session.send(SpeechStarted(0.0))
        for number in range(packets):
            session.send(UserAudio(bytes(PACKET), 16000, number * 320))
        for fact in facts:
            session.send(fact)
        await session.clock.sleep(1.0)


@pytest.mark.parametrize(("chunk", "packets"), [(None, 3), (0.1, 5), (0.02, 1), (0.0, 1)])
@virtual
async def test_audio_comes_in_chunks_of_the_length_that_the_service_wants(
    chunk: float | None, packets: int
) -> None:
    ears = Ears(segmented=False, chunk=chunk)
    await hear(ears, 30)
    assert ears.heard == [packets * PACKET] * (30 // packets)


@pytest.mark.parametrize("segmented", [True, False])
@virtual
async def test_a_pause_hands_over_what_there_is(segmented: bool) -> None:
    ears = Ears(segmented, chunk=0.1)
    await hear(ears, 7, SpeechPaused(0.14), SpeechStopped(0.14))
    assert ears.heard == [5 * PACKET, 2 * PACKET, "flush", "flush"]
