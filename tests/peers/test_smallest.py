"""Smallest's own client."""

from base64 import b64decode

import pytest
from smallestai import AsyncSmallestAI
from smallestai.environment import SmallestAIEnvironment
from smallestai.waves.tts.types import TtsRequestMessage

from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.smallest import SmallestWaves
from parts import TEXT, audio_bytes, complete


def client(server: SmallestWaves) -> AsyncSmallestAI:
    url = server.url
    environment = SmallestAIEnvironment(atoms=url, waves=url, waves_ws=url, payment=url)
    return AsyncSmallestAI(api_key=KEY, environment=environment)


@pytest.mark.client(SmallestWaves, "smallestai")
async def test_waves() -> None:
    async with SmallestWaves() as server, client(server).waves.tts.connect() as socket:
        asked = TtsRequestMessage(
            text=TEXT,
            voice_id="magnus",
            model="lightning_v3.1",
            sample_rate=24000,
            flush=True,
            word_timestamps=True,
        )
        await socket.synthesize_streaming_tts(asked)
        told = []
        while not told or told[-1].status != "complete":
            told.append(complete(await socket.recv()))
        audio = b"".join(b64decode(one.data.audio) for one in told if one.status == "chunk")
        assert len(audio) == audio_bytes(TEXT, 24000)
        words = [one.data for one in told if one.status == "word_timestamp"]
        assert [word.word for word in words] == TEXT.split()
        assert words[0].end == pytest.approx(words[1].start)


@pytest.mark.client(SmallestWaves, "smallestai")
async def test_a_refused_key() -> None:
    async with SmallestWaves(Fault.REFUSED) as server:
        with pytest.raises(Exception, match="401|credentials"):
            async with client(server).waves.tts.connect():
                pass
