"""Deepgram: a minute has only so many flushes, and no piece may be lost over it."""

import asyncio
from collections.abc import AsyncIterator

from antiphon.services.ports import Speech
from antiphon.testing.loopback import KEY
from antiphon.testing.loopback.deepgram import DeepgramSpeak
from antiphon.vendors.deepgram.tts import TTS, Aura, FluxVoice


def test_a_model_has_its_class() -> None:
    assert isinstance(TTS("flux-haley-en", key=KEY), FluxVoice)
    assert isinstance(TTS(key=KEY), Aura)


def test_pieces_above_the_limit_for_flushes_are_spoken_together() -> None:
    async def text() -> AsyncIterator[str]:
        for number in range(40):
            yield f"Number {number}."

    async def run() -> None:
        async with DeepgramSpeak() as vendor:
            service = Aura(key=KEY, base_url=vendor.url)
            audio = [len(item.pcm) async for item in service.speak(text()) if isinstance(item, Speech)]
            assert sum(audio) / 48000 > 40 * len("Number 1.") * 0.05
            await service.close()

    asyncio.run(run())
