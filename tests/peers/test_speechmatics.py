"""Speechmatics' own client."""

from typing import Any

import pytest
from speechmatics.rt import (
    AsyncClient,
    AudioEncoding,
    AudioFormat,
    ServerMessageType,
    TranscriptionConfig,
)

from antiphon.testing.loopback import KEY, WORDS, Fault
from antiphon.testing.loopback.speechmatics import SpeechmaticsRealtime
from parts import loud_parts

CONFIG = TranscriptionConfig(language="en", enable_partials=True, max_delay=1.0)
FORMAT = AudioFormat(encoding=AudioEncoding.PCM_S16LE, sample_rate=16000)


@pytest.mark.client(SpeechmaticsRealtime, "speechmatics-rt")
async def test_realtime() -> None:
    async with SpeechmaticsRealtime() as server:
        told: list[Any] = []
        async with AsyncClient(api_key=KEY, url=f"{server.url}/v2") as client:
            for kind in ServerMessageType:
                client.on(kind, told.append)
            await client.start_session(transcription_config=CONFIG, audio_format=FORMAT)
            for part in loud_parts():
                await client.send_audio(part)
            await client.force_end_of_utterance()
            await client.stop_session()
        finals = [one["metadata"]["transcript"] for one in told if one["message"] == "AddTranscript"]
        assert " ".join(finals) == WORDS
        kinds = [one["message"] for one in told]
        assert "AddPartialTranscript" in kinds
        assert kinds.index("EndOfUtterance") < kinds.index("EndOfTranscript")


@pytest.mark.client(SpeechmaticsRealtime, "speechmatics-rt")
async def test_a_refused_key() -> None:
    async with SpeechmaticsRealtime(Fault.REFUSED) as server:
        async with AsyncClient(api_key=KEY, url=f"{server.url}/v2") as client:
            with pytest.raises(Exception, match="401"):
                await client.start_session(transcription_config=CONFIG, audio_format=FORMAT)
