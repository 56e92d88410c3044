"""A driver for all voices behind OpenAI's endpoint for speech.

https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

from .http_client import HttpRequest
from .http_tts import HttpTTS
from .keys import VendorKey, filled_in
from .pcm_reader import PcmReader
from .ports import OWN_MACHINE, Word

__all__ = ["OpenAISpeech", "SpeechEndpoint"]


@dataclass(frozen=True, slots=True)
class SpeechEndpoint:
    """An endpoint for speech: what sets it apart from OpenAI's."""

    vendor: str
    base_url: str
    key_variable: str | None
    default: str
    """The model that is used if only the vendor is named."""
    voice: str
    docs: str = ""
    sample_rate: int = 24000
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    longest: int = 4096
    """Characters that a request may have; a longer text is asked for in parts."""

    def url(self) -> str:
        """Return the address. Raises ConfigurationError if a variable in it is missing."""
        return filled_in(self.vendor, self.base_url)


class OpenAISpeech(HttpTTS):
    """A voice behind an endpoint for speech.

    `options` are further fields of each request.
    """

    def __init__(
        self,
        model: str,
        endpoint: SpeechEndpoint,
        *,
        voice: str | None = None,
        key: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        key_of = VendorKey(endpoint.vendor, endpoint.key_variable, key)
        super().__init__(endpoint.vendor, key_of, model or endpoint.default)
        self.sample_rate = endpoint.sample_rate
        if endpoint.key_variable is None:
            self.slow_after = OWN_MACHINE
        self._endpoint = endpoint
        self._fields = {
            "model": self.model,
            "voice": voice or endpoint.voice,
            "response_format": "pcm",
            **endpoint.fields,
            **(options or {}),
        }

    def request(self, text: str) -> HttpRequest:
        key = self.key.value
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return HttpRequest(f"{self._endpoint.url()}/audio/speech", {**self._fields, "input": text}, headers)

    def fetch(self, text: str) -> AsyncGenerator[bytes | Word]:
        longest = self._endpoint.longest
        return super().fetch(text) if len(text) <= longest else self._in_parts(wrap(text, longest))

    async def _in_parts(self, texts: list[str]) -> AsyncGenerator[bytes | Word]:
        """Yield the audio of several requests, each perhaps with a WAV header."""
        for text in texts:
            samples = PcmReader(self.sample_rate, self.vendor)
            async with aclosing(super().fetch(text)) as parts:
                async for part in parts:
                    yield samples.feed(part) if isinstance(part, bytes) else part
