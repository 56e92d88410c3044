"""Neuphonic's own client."""

import pytest
from pyneuphonic import Neuphonic, TTSConfig

from antiphon.testing.loopback import KEY, Fault
from antiphon.testing.loopback.neuphonic import NeuphonicVoices
from parts import TEXT, audio_bytes

CONFIG = TTSConfig(voice_id="a-voice", sampling_rate=24000, encoding="pcm_linear", lang_code="en")


def client(server: NeuphonicVoices) -> Neuphonic:
    # It speaks without TLS to "localhost" only.
    return Neuphonic(api_key=KEY, base_url=server.url.removeprefix("ws://").replace("127.0.0.1", "localhost"))


@pytest.mark.client(NeuphonicVoices, "pyneuphonic")
async def test_voices() -> None:
    async with NeuphonicVoices() as server:
        socket = client(server).tts.AsyncWebsocketClient()
        await socket.open(CONFIG)
        await socket.send({"text": f"{TEXT} <STOP>", "context_id": "1"})
        audio, ended = b"", False
        while not ended:
            data = (await socket.receive()).data
            audio += data.audio
            ended = data.stop
            assert data.context_id == "1"
        assert len(audio) == audio_bytes(TEXT, 24000)
        await socket.close()


@pytest.mark.client(NeuphonicVoices, "pyneuphonic")
async def test_text_in_pieces() -> None:
    async with NeuphonicVoices() as server:
        socket = client(server).tts.AsyncWebsocketClient()
        await socket.open(CONFIG)
        await socket.send({"text": TEXT}, autocomplete=True)
        audio = b""
        while len(audio) < audio_bytes(TEXT, 24000):
            audio += (await socket.receive()).data.audio
        await socket.close()


@pytest.mark.client(NeuphonicVoices, "pyneuphonic")
async def test_a_refused_key() -> None:
    async with NeuphonicVoices(Fault.REFUSED) as server:
        with pytest.raises(Exception, match="Connection to Neuphonic server failed"):
            await client(server).tts.AsyncWebsocketClient().open(CONFIG)
