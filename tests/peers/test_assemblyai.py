"""AssemblyAI's own client."""

import asyncio
from typing import Any

import pytest
from assemblyai.streaming.v3.async_client import AsyncRealTimeTranscriber
from assemblyai.streaming.v3.models import (
    Encoding,
    RealTimeEvents,
    RealTimeParameters,
    RealTimeTranscriberOptions,
    SpeechModel,
)

from antiphon.testing.loopback import KEY, WORDS, Fault
from antiphon.testing.loopback.assemblyai import AssemblyAIUniversal
from parts import loud_parts

PARAMETERS = RealTimeParameters(
    sample_rate=16000,
    encoding=Encoding.pcm_s16le,
    speech_model=SpeechModel.universal_streaming_english,
    format_turns=True,
)


def client(server: AssemblyAIUniversal, told: "asyncio.Queue[Any]") -> AsyncRealTimeTranscriber:
    # A host that begins with "ws://" is taken as it is.
    client = AsyncRealTimeTranscriber(RealTimeTranscriberOptions(api_key=KEY, api_host=server.url))
    for event in RealTimeEvents:
        client.on(event, lambda _, told_event: told.put_nowait(told_event))
    return client


@pytest.mark.client(AssemblyAIUniversal, "assemblyai")
async def test_universal_streaming() -> None:
    async with AssemblyAIUniversal() as server:
        told: asyncio.Queue[Any] = asyncio.Queue()
        transcriber = client(server, told)
        await transcriber.connect(PARAMETERS)
        for part in loud_parts():
            await transcriber.stream(part)
        await transcriber.keep_alive()
        await transcriber.force_endpoint()
        assert (await told.get()).type == "Begin"
        turns = []
        while not turns or not turns[-1].turn_is_formatted:
            turns.append(await told.get())
        assert (turns[-1].transcript, turns[-1].end_of_turn) == (WORDS, True)
        assert not turns[0].end_of_turn
        await transcriber.disconnect(terminate=True)
        assert (await told.get()).type == "Termination"


@pytest.mark.client(AssemblyAIUniversal, "assemblyai")
async def test_a_refused_key() -> None:
    async with AssemblyAIUniversal(Fault.REFUSED) as server:
        told: asyncio.Queue[Any] = asyncio.Queue()
        await client(server, told).connect(PARAMETERS)
        assert (await told.get()).code == 401
