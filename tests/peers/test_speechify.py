"""Speechify's own client."""

from base64 import b64decode

import pytest
from speechify import AsyncSpeechify
from speechify.errors import UnauthorizedError

from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.speechify import SpeechifyVoices
from parts import TEXT, audio_bytes, complete

ASKED = {"input": TEXT, "voice_id": "george", "model": "simba-3.2", "output_format": "pcm_24000"}


@pytest.mark.client(SpeechifyVoices, "speechify-api")
async def test_voices() -> None:
    async with SpeechifyVoices() as server:
        client = AsyncSpeechify(token=KEY, base_url=server.url)
        told = [complete(event) async for event in client.audio.stream_with_timestamps(**ASKED)]
        chunks = [one for one in told if one.audio]
        assert sum(len(b64decode(one.audio)) for one in chunks) == audio_bytes(TEXT, 24000)


@pytest.mark.client(SpeechifyVoices, "speechify-api")
async def test_a_refused_key() -> None:
    async with SpeechifyVoices(Fault.REFUSED) as server:
        client = AsyncSpeechify(token=KEY, base_url=server.url)
        with pytest.raises(UnauthorizedError):
            async for _ in client.audio.stream_with_timestamps(**ASKED):
                pass
