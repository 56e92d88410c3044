"""Gradium's own client."""

import pytest
from aiohttp import WSServerHandshakeError
from gradium.client import GradiumClient

from antiphon.testing.loopback import KEY, WORDS, Fault, VendorServer
from antiphon.testing.loopback.gradium import GradiumSteps, GradiumVoices
from parts import TEXT, audio_bytes, loud_parts


def client(server: VendorServer) -> GradiumClient:
    return GradiumClient(api_key=KEY, base_url=server.url.replace("ws", "http", 1) + "/api/")


@pytest.mark.client(GradiumSteps, "gradium")
async def test_speech_to_text() -> None:
    async with GradiumSteps() as server:
        options = {"model_name": "default", "input_format": "pcm_16000"}
        async with client(server).stt_realtime(wait_for_ready_on_start=True, **options) as stream:
            for part in loud_parts():
                await stream.send_audio(part)
            await stream.send_flush(1)
            await stream.send_eos()
            told = [message async for message in stream]
        assert " ".join(one["text"] for one in told if one["type"] == "text") == WORDS
        kinds = [one["type"] for one in told]
        assert kinds.count("step") == 10
        assert "flushed" in kinds


@pytest.mark.client(GradiumVoices, "gradium")
async def test_text_to_speech() -> None:
    async with GradiumVoices() as server:
        options = {"model_name": "default", "voice_id": "a-voice", "output_format": "pcm_24000"}
        more = {"client_req_id": "1", "close_ws_on_eos": False}
        async with client(server).tts_realtime(wait_for_ready_on_start=True, **options, **more) as stream:
            await stream.send_text(TEXT, client_req_id="1")
            await stream.send_eos(client_req_id="1")
            told = []
            while not told or told[-1]["type"] != "end_of_stream":
                told.append(await stream.recv())
        audio = b"".join(one["audio"] for one in told if one["type"] == "audio")
        assert len(audio) == audio_bytes(TEXT, 24000)
        words = [one for one in told if one["type"] == "text"]
        assert [one["text"] for one in words] == TEXT.split()
        assert words[0]["stop_s"] == pytest.approx(words[1]["start_s"])


@pytest.mark.client(GradiumVoices, "gradium")
async def test_one_request_for_a_connection() -> None:
    async with GradiumVoices() as server:
        setup = {"model_name": "default", "voice_id": "a-voice", "output_format": "pcm_24000"}
        spoken = await client(server).tts(setup, TEXT)
        assert len(spoken.raw_data) == audio_bytes(TEXT, 24000)


@pytest.mark.client(GradiumSteps, "gradium")
async def test_a_refused_key() -> None:
    async with GradiumSteps(Fault.REFUSED) as server:
        with pytest.raises(WSServerHandshakeError):
            async with client(server).stt_realtime(model_name="default", input_format="pcm_16000"):
                pass
