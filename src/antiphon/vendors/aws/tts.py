"""AWS's text to speech, Polly, over HTTP.

https://docs.aws.amazon.com/polly/latest/dg/API_SynthesizeSpeech.html
"""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from itertools import pairwise
from typing import Any

from ...encodable import to_json
from ...errors import BadResponseError, RateLimitError, TheyErred
from ...services.aws_signing import AwsSigner
from ...services.http_client import HttpRequest, body
from ...services.http_tts import HttpTTS
from ...services.keys import VendorKey
from ...services.ports import Word
from ...services.vendor_values import json_object, number
from ...services.voice_list import VoiceInfo, VoiceListing, fetch_voices

__all__ = ["TTS", "voices"]

MOST_MARKS = 1 << 20  # bytes


class TTS(HttpTTS):
    """Polly. A model is an engine: "neural", "standard", "long-form" or "generative".

    The times of words are a second request, which AWS bills like the first; `word_times=False` does without.
    `options` are further fields of a request, such as `LexiconNames`.
    """

    sample_rate = 16000  # the highest at which Polly sends samples

    def __init__(
        self,
        model: str = "neural",
        *,
        voice: str = "Joanna",
        word_times: bool = True,
        region: str | None = None,
        key: str | None = None,
        secret: str | None = None,
        base_url: str | None = None,
        **options: object,
    ) -> None:
        self._signer = AwsSigner("polly", region, key=key, secret=secret)
        super().__init__("aws", self._signer.key, model)
        self._base_url = base_url
        self._word_times = word_times
        self.billed = 2.0 if word_times else 1.0
        self._request: dict[str, Any] = {"Engine": model, "VoiceId": voice, "TextType": "text"} | options

    async def open(self) -> None:
        """Check that there are a key, its secret and a region."""
        self._signer.check()
        await super().open()

    def request(self, text: str) -> HttpRequest:
        return self._signed(Text=text, OutputFormat="pcm", SampleRate=str(self.sample_rate))

    async def fetch(self, text: str) -> AsyncGenerator[bytes | Word]:
        """Yield the audio of a piece, and its words as soon as they are known."""
        words = asyncio.create_task(self._words(text) if self._word_times else _nothing())
        told = False
        try:
            async with aclosing(super().fetch(text)) as parts:
                async for part in parts:
                    yield part
                    if words.done() and not told:
                        told = True
                        for word in words.result():
                            yield word
            for word in () if told else await words:
                yield word
        except BadResponseError as error:
            if "Throttl" in str(error) or "Rate exceeded" in str(error):  # AWS answers 400, not 429
                raise RateLimitError(str(error)) from error
            raise
        finally:
            words.cancel()
            await asyncio.wait([words])

    def _signed(self, **fields: object) -> HttpRequest:
        base_url = self._base_url or f"https://polly.{self._signer.region}.amazonaws.com"
        url, sent = f"{base_url}/v1/speech", to_json(self._request | fields)
        headers = {"Content-Type": "application/json"}
        return HttpRequest(url, sent, self._signer.signed_headers("POST", url, headers, sent, at=time.time()))

    async def _words(self, text: str) -> list[Word]:
        """Return the words of a text; none if Polly has none for this voice.

        Polly tells when each word begins: by then the one before it has been spoken.
        """
        asked = self._signed(Text=text, OutputFormat="json", SpeechMarkTypes=["word"])
        sent = asked.body if isinstance(asked.body, bytes) else b""
        with suppress(TheyErred):
            async with self._http.stream(
                "POST", asked.url, content=sent, headers=asked.headers, within=self.silent_for
            ) as response:
                lines = (await body(response, MOST_MARKS)).splitlines()
            marks = [json_object(line) for line in lines if line.strip()]
            return [_word(text, mark, after) for mark, after in pairwise(marks)]
        return []


async def _nothing() -> list[Word]:
    return []


def _word(text: str, mark: dict[str, Any], after: dict[str, Any]) -> Word:
    end = int(number(mark.get("end")) or 0)  # in bytes of UTF-8
    characters = len(text.encode()[:end].decode(errors="ignore"))
    return Word(0, characters, (number(after.get("time")) or 0.0) / 1000)


async def voices(base_url: str | None = None) -> list[VoiceInfo]:
    """Return the voices of a region, which is asked with a signed request.

    https://docs.aws.amazon.com/polly/latest/dg/API_DescribeVoices.html
    """
    signer = AwsSigner("polly")
    signer.check()
    url = f"{base_url or f'https://polly.{signer.region}.amazonaws.com'}/v1/voices"
    listing = VoiceListing(
        "aws",
        url,
        voices="Voices",
        id="Id",
        name="Name",
        language="LanguageCode",
        about=("Gender", "SupportedEngines"),
        headers=signer.signed_headers("GET", url, {}, b"", at=time.time()),
    )
    return await fetch_voices(listing, VendorKey("aws", None))
