"""The driver for speech to text over HTTP: a request for each stretch of speech.

A vendor is an `HttpSTT`, which says how a recording becomes a request. The default is OpenAI's endpoint for
transcription, which hosts of Whisper have too:
https://platform.openai.com/docs/api-reference/audio/createTranscription
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from .http_client import HttpClient, body
from .keys import VendorKey, filled_in
from .ports import AudioChunk, Flush, Recognized, SpeechToText
from .vendor_values import json_object, string
from .wav import wav

__all__ = ["HttpSTT", "TranscriptionEndpoint"]

WITHIN = 5.0  # seconds
MOST = 1 << 20  # bytes of an answer
LONGEST = 120.0  # seconds of audio of one request; what is older is left out
SHORTEST = 0.1  # seconds; what is shorter has no words, and is refused by some


@dataclass(frozen=True, slots=True)
class TranscriptionEndpoint:
    """An endpoint for transcriptions: what sets it apart from OpenAI's."""

    vendor: str
    base_url: str
    key_variable: str | None
    default: str
    """The model that is used if only the vendor is named."""
    docs: str = ""
    fields: Mapping[str, str] = field(default_factory=dict[str, str])


class HttpSTT(SpeechToText):
    """Speech to text behind an endpoint for transcriptions.

    `language` is a code such as "en"; None lets the vendor detect it. `options` are further fields of each
    request.
    """

    sample_rate = 16000
    segmented = True
    answered_within = 1.6

    def __init__(
        self,
        model: str,
        endpoint: TranscriptionEndpoint,
        *,
        language: str | None = None,
        key: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.vendor = endpoint.vendor
        self.model = model or endpoint.default
        self.key = VendorKey(endpoint.vendor, endpoint.key_variable, key)
        self.endpoint = endpoint
        self._language = language
        form = {"model": self.model, "language": language, "response_format": "json"}
        self.form = form | dict(endpoint.fields) | dict(options or {})
        self._http = HttpClient(self.vendor, extra="services", key_name=self.key.name)

    async def load(self) -> None:
        """Import the HTTP library and read the system's certificates."""
        await self._http.load()

    async def open(self) -> None:
        """Check that there is a key and that httpx is installed."""
        self.key.check(self.endpoint.base_url)
        await self._http.open()

    async def close(self) -> None:
        """Leave the shared connections."""
        await self._http.close()

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncGenerator[Recognized]:
        """Transcribe one conversation.

        What was asked for at a pause is not asked for again at the end.
        """
        await self.open()
        heard, asked, words = bytearray(), True, ""
        async for item in audio:
            if isinstance(item, AudioChunk):
                heard += item.pcm
                del heard[: max(0, len(heard) - int(LONGEST * self.sample_rate) * 2)]
                asked = asked and not item.pcm
                continue
            if not asked:
                asked = True
                words = await self._ask(bytes(heard))
            yield Recognized(words, item.final, self._language)
            if item.final:
                heard.clear()
                asked, words = True, ""

    async def _ask(self, pcm: bytes) -> str:
        if len(pcm) < SHORTEST * self.sample_rate * 2:
            return ""
        url, headers, content = self.request(wav(pcm, self.sample_rate))
        async with self._http.stream(
            "POST", url, content=content, headers=headers, within=WITHIN
        ) as response:
            told = json_object(await body(response, MOST), "a transcription")
        return string(self.words(told)).strip()

    def request(self, file: bytes) -> tuple[str, dict[str, str], bytes]:
        """Return address, headers and body of the request for a WAV file."""
        boundary = uuid4().hex
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        if key := self.key.value:
            headers["Authorization"] = f"Bearer {key}"
        url = f"{filled_in(self.vendor, self.endpoint.base_url)}/audio/transcriptions"
        return url, headers, _multipart(boundary, self.form, file)

    def words(self, told: dict[str, Any]) -> object:
        """Return the words that are told."""
        return told.get("text")


def _multipart(boundary: str, form: Mapping[str, Any], file: bytes) -> bytes:
    """Return a form with a file, as multipart/form-data (RFC 7578)."""
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in form.items()
        if value is not None
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="speech.wav"\r\n'
    parts += [f"{head}Content-Type: audio/wav\r\n\r\n".encode(), file, f"\r\n--{boundary}--\r\n".encode()]
    return b"".join(parts)
