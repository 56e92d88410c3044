"""Pipecat's services, for vendors that have no client of their own for these sockets."""

from typing import Any

import aiohttp
import pytest
from pipecat.services.aws.stt import AWSTranscribeSTTService
from pipecat.services.piper.tts import PiperHttpTTSService
from pipecat.services.resembleai.tts import ResembleAITTSService

from antiphon.testing.loopback import KEY, WORDS
from antiphon.testing.loopback.aws import AwsTranscribe
from antiphon.testing.loopback.local_voices import PiperServer
from antiphon.testing.loopback.resemble import ResembleVoices
from parts import TEXT, audio_bytes, hear_with_pipecat, say_with_pipecat


@pytest.mark.client(ResembleVoices, "pipecat-ai")
async def test_resemble() -> None:
    async with ResembleVoices() as server:
        settings = ResembleAITTSService.Settings(voice="55592656")
        service = ResembleAITTSService(
            api_key=KEY, url=f"{server.url}/stream", settings=settings, sample_rate=22050
        )
        audio, words = await say_with_pipecat(service, 22050)
        assert len(audio) >= audio_bytes(TEXT, 22050)
        assert words == TEXT


@pytest.mark.client(AwsTranscribe, "pipecat-ai")
async def test_transcribe(monkeypatch: pytest.MonkeyPatch) -> None:
    async with AwsTranscribe() as server:
        service = AWSTranscribeSTTService(aws_access_key_id=KEY, api_key="a secret", region="eu-central-1")
        connect = service._websocket_connect

        async def connect_here(url: str, **options: Any) -> Any:
            # Its handshake has some headers twice, which AWS does not mind, and the server's library does.
            options["additional_headers"] = {"Origin": "https://localhost"}
            socket = await connect(url.replace(url[: url.index("/", 6)], server.url), **options)
            send = socket.send

            async def send_events(data: bytes | str) -> None:
                # At the end it sends a text, where AWS' page asks for an empty event.
                if isinstance(data, bytes):
                    await send(data)

            monkeypatch.setattr(socket, "send", send_events)
            return socket

        monkeypatch.setattr(service, "_websocket_connect", connect_here)
        assert await hear_with_pipecat(service) == [WORDS]


@pytest.mark.client(PiperServer, "pipecat-ai")
async def test_piper() -> None:
    async with PiperServer() as server, aiohttp.ClientSession() as session:
        settings = PiperHttpTTSService.Settings(voice="en_US-lessac-medium")
        service = PiperHttpTTSService(
            base_url=f"{server.url}/synthesize", aiohttp_session=session, settings=settings
        )
        audio, _ = await say_with_pipecat(service, 22050)
        assert len(audio) == audio_bytes(TEXT, 22050)
