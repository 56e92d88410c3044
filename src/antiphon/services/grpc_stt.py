"""The driver for speech to text over gRPC: a call for each stretch of speech.

The vendors' streams have no flush, end after some minutes, and want no pauses. So each stretch of speech is
a call of its own, which hears it while it is spoken; its end brings the words.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from typing import Any

from ..errors import ServiceTimeoutError
from .grpc_client import GrpcClient
from .ports import AudioChunk, Flush, Recognized, SpeechToText

__all__ = ["GrpcSTT"]

WITHIN = 5.0  # seconds for the words after the end of a stretch
REFUSED_WITHIN = 0.2  # seconds before the first audio; a refusal that comes while it is sent loses its reason
MOST = 12800  # bytes of one message; Google takes 15 kB


class GrpcSTT(SpeechToText):
    """Speech to text over gRPC.

    A vendor derives from it, and adds `metadata`, `first` and `audio_field`. Its answers have results with
    alternatives, as in Google's protocol and NVIDIA's.
    """

    sample_rate = 16000
    segmented = True
    answered_within = 1.6
    method: str
    """The name of the method, with its service."""
    audio_field: str
    """The field of a request that holds samples."""
    language: str | None = None

    def __init__(self, client: GrpcClient, model: str = "") -> None:
        self.vendor = client.vendor
        self.model = model
        self.client = client

    def first(self) -> dict[str, Any]:
        """Return the configuration, which is the first message of a call."""
        raise NotImplementedError

    async def metadata(self) -> Sequence[tuple[str, str]]:
        """Return the metadata of a call, such as the key."""
        raise NotImplementedError

    async def load(self) -> None:
        """Import gRPC."""
        await self.client.load()

    async def open(self) -> None:
        """Make the channel of all conversations."""
        await self.client.open()

    async def close(self) -> None:
        """Close the channel."""
        await self.client.close()

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[Recognized]:
        """Transcribe one conversation."""
        await self.open()
        words, stretch = "", None
        try:
            async for item in audio:
                if isinstance(item, AudioChunk):
                    stretch = stretch or _Stretch(self)
                    stretch.send(item.pcm)
                    continue
                if stretch is not None:
                    ended, stretch = stretch, None
                    words = f"{words} {await ended.finish()}".strip()
                yield Recognized(words, item.final, self.language)
                words = "" if item.final else words
        finally:
            if stretch is not None:
                await stretch.cancel()


class _Stretch:
    """One stretch of speech: a call that hears it while it is spoken."""

    def __init__(self, service: GrpcSTT) -> None:
        self._service = service
        self._audio = asyncio.Queue[bytes | None]()
        self._hearing = asyncio.create_task(self._hear())

    def send(self, pcm: bytes) -> None:
        """Send samples."""
        self._audio.put_nowait(pcm)

    async def finish(self) -> str:
        """End the call, and return its words."""
        self._audio.put_nowait(None)
        try:
            async with asyncio.timeout(WITHIN):
                return await self._hearing
        except TimeoutError as error:
            vendor = self._service.client.vendor
            raise ServiceTimeoutError(f"{vendor} told no words within {WITHIN:g} s") from error

    async def cancel(self) -> None:
        """Leave the call."""
        self._hearing.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._hearing

    async def _hear(self) -> str:
        service, words = self._service, list[str]()
        kinds = ("StreamingRecognizeRequest", "StreamingRecognizeResponse")
        call = service.client.stream(service.method, kinds, self._requests(), await service.metadata())
        async with aclosing(call) as answers:
            async for answer in answers:
                finals = (result.alternatives for result in answer.results if result.is_final)
                words += [alternatives[0].transcript.strip() for alternatives in finals if alternatives]
        return " ".join(filter(None, words))

    async def _requests(self) -> AsyncGenerator[dict[str, Any]]:
        yield self._service.first()
        await asyncio.sleep(REFUSED_WITHIN)
        while (pcm := await self._audio.get()) is not None:
            for at in range(0, len(pcm), MOST):
                yield {self._service.audio_field: pcm[at : at + MOST]}
