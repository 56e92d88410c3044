"""Hume's own client."""

from base64 import b64decode

import pytest
from hume import AsyncHumeClient
from hume.environment import HumeClientEnvironment
from hume.tts import PostedUtteranceVoiceWithName, PublishTts

from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.hume import HumeOctave
from parts import TEXT, audio_bytes, complete

OPTIONS = {
    "version": "2",
    "format_type": "pcm",
    "strip_headers": True,
    "no_binary": True,
    "instant_mode": True,
    "include_timestamp_types": ["word"],
}


def client(server: HumeOctave) -> AsyncHumeClient:
    base = f"{server.url}/v0"
    environment = HumeClientEnvironment(base=base, evi=f"{base}/evi", tts=f"{base}/tts", stream=base)
    return AsyncHumeClient(api_key=KEY, environment=environment)


@pytest.mark.client(HumeOctave, "hume")
async def test_octave() -> None:
    async with HumeOctave() as server:
        async with client(server).tts.stream_input.connect(api_key=KEY, **OPTIONS) as socket:
            voice = PostedUtteranceVoiceWithName(name="Ava Song", provider="HUME_AI")
            await socket.send_publish(PublishTts(text=TEXT, voice=voice, flush=True))
            await socket.send_publish(PublishTts(close=True))
            told = [complete(message) async for message in socket]
        audio = b"".join(b64decode(one.audio) for one in told if one.type == "audio")
        assert len(audio) == audio_bytes(TEXT, 48000)
        assert [one.timestamp.text for one in told if one.type == "timestamp"] == TEXT.split()


@pytest.mark.client(HumeOctave, "hume")
async def test_a_refused_key() -> None:
    async with HumeOctave(Fault.REFUSED) as server:
        with pytest.raises(Exception, match="401|credentials"):
            async with client(server).tts.stream_input.connect(api_key=KEY, **OPTIONS):
                pass
