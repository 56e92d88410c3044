"""Cartesia's own client."""

from base64 import b64decode
from typing import Any

import pytest
from cartesia import AsyncCartesia
from websockets.exceptions import InvalidStatus

from antiphon.testing.loopback import KEY, WORDS, Fault, VendorServer
from antiphon.testing.loopback.cartesia import CartesiaInk, CartesiaSonic
from parts import TEXT, audio_bytes, complete, loud_parts

VOICE: Any = {"mode": "id", "id": "a-voice"}
FORM: Any = {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24000}


def client(server: VendorServer) -> AsyncCartesia:
    return AsyncCartesia(api_key=KEY, websocket_base_url=server.url)


@pytest.mark.client(CartesiaInk, "cartesia")
async def test_ink() -> None:
    async with CartesiaInk() as server:
        opened = client(server).stt.manual_finalize.websocket(
            model="ink-2", encoding="pcm_s16le", sample_rate=16000
        )
        async with opened as socket:
            for part in loud_parts():
                await socket.send_raw(part)
            await socket.send("finalize")
            told = []
            while not told or told[-1].type != "flush_done":
                told.append(complete(await socket.recv()))
            assert "".join(one.text for one in told if one.type == "transcript" and one.is_final) == WORDS
            await socket.send("close")
            assert [complete(one).type async for one in socket] == ["done"]


@pytest.mark.client(CartesiaSonic, "cartesia")
async def test_sonic() -> None:
    async with CartesiaSonic() as server, client(server).tts.websocket_connect() as socket:
        context = socket.context(model_id="sonic-3", voice=VOICE, output_format=FORM, add_timestamps=True)
        await context.push(TEXT)
        await context.no_more_inputs()
        told = [complete(one) async for one in context.receive()]
        assert told[0].type == "timestamps"
        assert told[0].word_timestamps.words == TEXT.split()
        assert told[-1].type == "done"
        audio = b"".join(b64decode(one.data) for one in told if one.type == "chunk")
        assert len(audio) == audio_bytes(TEXT, 24000)


@pytest.mark.client(CartesiaSonic, "cartesia")
async def test_a_context_is_cancelled() -> None:
    async with CartesiaSonic() as server, client(server).tts.websocket_connect() as socket:
        context = socket.context(model_id="sonic-3", voice=VOICE, output_format=FORM)
        await context.push(TEXT)
        await context.cancel()
        again = socket.context(model_id="sonic-3", voice=VOICE, output_format=FORM)
        await again.push(TEXT, continue_=False)
        assert [one.type async for one in again.receive()][-1] == "done"
        assert server.cancelled == 1


@pytest.mark.client(CartesiaSonic, "cartesia")
async def test_a_refused_key() -> None:
    async with CartesiaSonic(Fault.REFUSED) as server:
        with pytest.raises(InvalidStatus):
            async with client(server).tts.websocket_connect():
                pass
