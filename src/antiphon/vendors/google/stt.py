"""Google's speech to text, version 2, over gRPC with Google's own package.

https://cloud.google.com/speech-to-text/docs/reference/rpc/google.cloud.speech.v2

The service has no flush, ends a stream after five minutes, and wants no pauses: so each stretch of speech is
a stream of its own, whose end brings the words.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from importlib import import_module
from typing import Any

from ...clock import offload
from ...errors import ConfigurationError, ServiceTimeoutError, UnavailableError
from ...services.http_client import stated_error
from ...services.ports import AudioChunk, Flush, Recognized, SpeechToText

__all__ = ["STT"]

WITHIN = 5.0  # seconds for the words after the end of a stretch
REFUSED_WITHIN = 0.2  # seconds before the first audio; a refusal that comes while it is sent loses its reason
MOST = 12800  # bytes of one message; the service takes 15 kB


class STT(SpeechToText):
    """Speech to text, with the credentials that Google's packages find by themselves.

    `project` is that of GOOGLE_CLOUD_PROJECT if none is given. `location` is a region such as "us", "eu" or
    "global". `features` are the vendor's `RecognitionFeatures`.
    """

    sample_rate = 16000
    segmented = True

    def __init__(
        self,
        model: str = "chirp_3",
        *,
        language: str = "en-US",
        project: str | None = None,
        location: str = "us",
        base_url: str | None = None,
        **features: object,
    ) -> None:
        self._model = model
        self._language = language
        self._project = project
        self._location = location
        self._base_url = base_url
        self._features = {"enable_automatic_punctuation": True} | features
        self._client: Any = None

    async def load(self) -> None:
        """Import Google's package, outside the event loop."""
        try:
            await offload(None, _speech)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f'google needs {error.name}, which is not installed: pip install "antiphon[google]"'
            ) from error

    async def open(self) -> None:
        """Find project and credentials, and make the channel of all conversations."""
        await self.load()
        _ = self.recognizer
        if self._client is None:
            self._client = self._connected()

    async def close(self) -> None:
        """Close the channel."""
        client, self._client = self._client, None
        if client is not None:
            await client.transport.close()

    @property
    def recognizer(self) -> str:
        """The name of what recognizes. Raises ConfigurationError if there is no project."""
        project = self._project or os.environ.get("GOOGLE_CLOUD_PROJECT")
        if not project:
            raise ConfigurationError("google needs a project: set GOOGLE_CLOUD_PROJECT, or pass project=")
        return f"projects/{project}/locations/{self._location}/recognizers/_"

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[Recognized]:
        """Transcribe one conversation."""
        await self.open()
        words, stretch = "", None
        try:
            async for item in audio:
                if isinstance(item, AudioChunk):
                    stretch = stretch or _Stretch(self._client, self._first(), self.recognizer)
                    stretch.send(item.pcm)
                    continue
                if stretch is not None:
                    ended, stretch = stretch, None
                    words = f"{words} {await ended.finish()}".strip()
                yield Recognized(words, item.final, self._language)
                words = "" if item.final else words
        finally:
            if stretch is not None:
                await stretch.cancel()

    def _connected(self) -> Any:
        client = _speech().SpeechAsyncClient
        host = "" if self._location == "global" else f"{self._location}-"
        address = self._base_url or f"{host}speech.googleapis.com"
        try:
            if address.startswith("http://"):  # a server on this machine
                channel = import_module("grpc.aio").insecure_channel(address.removeprefix("http://"))
                return client(transport=client.get_transport_class("grpc_asyncio")(channel=channel))
            return client(client_options={"api_endpoint": address})
        except import_module("google.auth.exceptions").GoogleAuthError as error:
            raise ConfigurationError(f"google found no credentials: {error}") from error

    def _first(self) -> dict[str, Any]:
        """Return the configuration, which is the first message of a stream."""
        sound = {"encoding": "LINEAR16", "sample_rate_hertz": self.sample_rate, "audio_channel_count": 1}
        config = {
            "explicit_decoding_config": sound,
            "model": self._model,
            "language_codes": [self._language],
            "features": self._features,
        }
        return {"recognizer": self.recognizer, "streaming_config": {"config": config}}


class _Stretch:
    """One stretch of speech: a stream that is heard while it is spoken."""

    def __init__(self, client: Any, first: dict[str, Any], recognizer: str) -> None:
        self._client = client
        self._first = first
        self._route = (("x-goog-request-params", f"recognizer={recognizer}"),)
        self._audio = asyncio.Queue[bytes | None]()
        self._hearing = asyncio.create_task(self._hear())

    def send(self, pcm: bytes) -> None:
        """Send samples."""
        self._audio.put_nowait(pcm)

    async def finish(self) -> str:
        """End the stream, and return its words."""
        self._audio.put_nowait(None)
        try:
            async with asyncio.timeout(WITHIN):
                return await self._hearing
        except TimeoutError as error:
            raise ServiceTimeoutError(f"google told no words within {WITHIN:g} s") from error

    async def cancel(self) -> None:
        """Leave the stream."""
        self._hearing.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await self._hearing

    async def _hear(self) -> str:
        words: list[str] = []
        try:
            answers = await self._client.streaming_recognize(requests=self._requests(), metadata=self._route)
            async for answer in answers:
                finals = (result.alternatives for result in answer.results if result.is_final)
                words += [alternatives[0].transcript.strip() for alternatives in finals if alternatives]
        except import_module("google.api_core.exceptions").GoogleAPICallError as error:
            raise stated_error("google", int(error.code or 500), str(error.message)) from error
        except (OSError, import_module("google.auth.exceptions").GoogleAuthError) as error:
            raise UnavailableError(f"google: {error}") from error
        return " ".join(words)

    async def _requests(self) -> AsyncGenerator[dict[str, Any]]:
        yield self._first
        await asyncio.sleep(REFUSED_WITHIN)
        while (pcm := await self._audio.get()) is not None:
            for at in range(0, len(pcm), MOST):
                yield {"audio": pcm[at : at + MOST]}


def _speech() -> Any:
    return import_module("google.cloud.speech_v2")
