"""Sarvam's own client."""

from base64 import b64decode, b64encode

import pytest
from sarvamai import AsyncSarvamAI
from sarvamai.core.api_error import ApiError
from sarvamai.environment import SarvamAIEnvironment
from sarvamai.types import RealtimeAudioInput, RealtimeEnd, RealtimePing

from antiphon.testing.loopback import KEY, WORDS, Fault, VendorServer
from antiphon.testing.loopback.sarvam import SarvamBulbul, SarvamSaaras
from parts import TEXT, audio_bytes, complete, loud_parts, quiet_parts

LISTEN = {
    "model": "saaras:v3-realtime",
    "language_code": "en-IN",
    "encoding": "linear16",
    "sample_rate": 16000,
    "endpointing": "vad",
}


def client(server: VendorServer) -> AsyncSarvamAI:
    url = server.url
    environment = SarvamAIEnvironment(base=url, creative=url, production=url)
    return AsyncSarvamAI(api_subscription_key=KEY, environment=environment)


@pytest.mark.client(SarvamSaaras, "sarvamai")
async def test_saaras() -> None:
    async with SarvamSaaras() as server:
        async with client(server).speech_to_text_realtime_streaming.connect(**LISTEN) as socket:
            for part in (*loud_parts(), *quiet_parts()):
                audio = b64encode(part).decode()
                await socket.send_realtime_audio_input(RealtimeAudioInput(audio=audio))
            await socket.send_realtime_ping(RealtimePing())
            await socket.send_realtime_end(RealtimeEnd())
            told = [complete(message) async for message in socket]
        events = [message.event for message in told]
        assert (events[0], events[-1]) == ("session.begin", "session.end")
        assert events.index("vad.speech_end") < events.index("transcript.final") < events.index("pong")
        assert [one.text for one in told if one.event == "transcript.final"] == [WORDS]


@pytest.mark.client(SarvamBulbul, "sarvamai")
async def test_bulbul() -> None:
    async with SarvamBulbul() as server:
        opened = client(server).text_to_speech_streaming.connect(
            model="bulbul:v3", send_completion_event="true"
        )
        async with opened as socket:
            await socket.configure(
                "en-IN", speaker="shubh", speech_sample_rate=24000, output_audio_codec="linear16"
            )
            await socket.convert(TEXT)
            await socket.flush()
            await socket.ping()
            told = []
            while not told or told[-1].type != "event":
                told.append(complete(await socket.recv()))
        audio = b"".join(b64decode(one.data.audio) for one in told if one.type == "audio")
        assert len(audio) == audio_bytes(TEXT, 24000)
        assert told[-1].data.event_type == "final"


@pytest.mark.client(SarvamSaaras, "sarvamai")
async def test_a_refused_key() -> None:
    async with SarvamSaaras(Fault.REFUSED) as server:
        with pytest.raises(ApiError):
            async with client(server).speech_to_text_realtime_streaming.connect(**LISTEN):
                pass
