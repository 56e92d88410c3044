"""Gladia's own client."""

import asyncio
from typing import Any

import pytest
from gladiaio_sdk import GladiaClient

from antiphon.testing.loopback import KEY, WORDS, Fault
from antiphon.testing.loopback.gladia import GladiaLive
from parts import loud_parts, quiet_parts

OPTIONS: dict[str, Any] = {
    "encoding": "wav/pcm",
    "bit_depth": 16,
    "channels": 1,
    "sample_rate": 16000,
    "endpointing": 0.2,
    "messages_config": {"receive_partial_transcripts": True, "receive_acknowledgments": True},
}


@pytest.mark.client(GladiaLive, "gladiaio-sdk")
async def test_live() -> None:
    async with GladiaLive() as server:
        told: list[Any] = []
        ended, connected = asyncio.Event(), asyncio.Event()
        session = GladiaClient(api_key=KEY, api_url=server.url).live_v2_async().start_session(OPTIONS)
        session.on("message", told.append)
        session.on("connected", lambda _: connected.set())
        session.on("ended", lambda _: ended.set())
        await connected.wait()
        for part in (*loud_parts(), *quiet_parts()):
            session.send_audio(part)
        session.stop_recording()
        await ended.wait()
        words = [one.data for one in told if one.type == "transcript"]
        assert [one.utterance.text for one in words if one.is_final] == [WORDS]
        assert words[0].utterance.text == WORDS
        assert not words[0].is_final


@pytest.mark.client(GladiaLive, "gladiaio-sdk")
async def test_a_refused_key() -> None:
    async with GladiaLive(Fault.REFUSED) as server:
        failed: asyncio.Queue[Exception] = asyncio.Queue()
        session = GladiaClient(api_key=KEY, api_url=server.url).live_v2_async().start_session(OPTIONS)
        session.on("error", failed.put_nowait)
        assert "401" in repr(await failed.get())
