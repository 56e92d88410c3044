"""LMNT's own client."""

import pytest
from lmnt import AsyncLmnt

from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.lmnt import LmntSessions
from parts import TEXT, audio_bytes


@pytest.mark.client(LmntSessions, "lmnt")
async def test_sessions() -> None:
    async with LmntSessions() as server:
        client = AsyncLmnt(api_key=KEY, base_url=server.url.replace("ws", "http", 1))
        session = await client.speech.sessions.create(
            voice="leah", format="pcm_s16le", sample_rate=24000, return_timestamps=True
        )
        await session.send_text(TEXT)
        nonce = await session.send_flush()
        told = []
        async for message in session:
            told.append(message)
            if message.type == "flush_complete":
                break
        assert told[-1].nonce == nonce
        assert sum(len(one.audio) for one in told if one.type == "audio") == audio_bytes(TEXT, 24000)
        [times] = [one.timestamps for one in told if one.type == "timestamps"]
        assert [one.text for one in times] == TEXT.split()
        nonce = await session.send_reset()
        assert (await anext(session)).nonce == nonce
        await session.send_finish()
        await session.close()


@pytest.mark.client(LmntSessions, "lmnt")
async def test_a_refused_key() -> None:
    async with LmntSessions(Fault.REFUSED) as server:
        client = AsyncLmnt(api_key=KEY, base_url=server.url.replace("ws", "http", 1))
        with pytest.raises(Exception, match="401"):
            await client.speech.sessions.create(voice="leah")
