"""Deepgram's own client."""

import pytest
from deepgram import AsyncDeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.environment import DeepgramClientEnvironment
from deepgram.listen.v1.types import ListenV1Metadata, ListenV1Results
from deepgram.listen.v2.types import ListenV2Connected, ListenV2TurnInfo
from deepgram.speak.v1.types import SpeakV1Flushed, SpeakV1Metadata, SpeakV1Text
from deepgram.speak.v2.types import SpeakV2Connected, SpeakV2Speak

from antiphon.testing.loopback import KEY, LOUD, WORDS, Fault, VendorServer
from antiphon.testing.loopback.deepgram import DeepgramFlux, DeepgramFluxSpeak, DeepgramListen, DeepgramSpeak
from parts import TEXT, audio_bytes, complete, loud_parts, quiet_parts

FORMAT = {"encoding": "linear16", "sample_rate": 16000}


def client(server: VendorServer) -> AsyncDeepgramClient:
    url = server.url
    environment = DeepgramClientEnvironment(base=url, production=url, agent=url, agent_rest=url)
    return AsyncDeepgramClient(api_key=KEY, environment=environment)


@pytest.mark.client(DeepgramListen, "deepgram-sdk")
async def test_nova() -> None:
    async with DeepgramListen() as server:
        async with client(server).listen.v1.connect(model="nova-3", interim_results=True, **FORMAT) as socket:
            for part in loud_parts():
                await socket.send_media(part)
            await socket.send_keep_alive()
            await socket.send_finalize()
            told = []
            while not told or not told[-1].from_finalize:
                told.append(complete(await socket.recv()))
            assert all(isinstance(result, ListenV1Results) for result in told)
            assert [one.is_final for one in told] == [False] * (len(told) - 1) + [True]
            assert told[0].channel.alternatives[0].transcript == WORDS
            assert told[-1].channel.alternatives[0].transcript == WORDS
            await socket.send_close_stream()
            last = [complete(message) async for message in socket]
            assert [type(one) for one in last] == [ListenV1Results, ListenV1Metadata]
            assert last[-1].duration == pytest.approx(1.0)


@pytest.mark.client(DeepgramListen, "deepgram-sdk")
async def test_a_refused_key() -> None:
    async with DeepgramListen(Fault.REFUSED) as server:
        with pytest.raises(ApiError) as refused:
            async with client(server).listen.v1.connect(model="nova-3", **FORMAT):
                pass
        assert refused.value.status_code == 401


@pytest.mark.client(DeepgramFlux, "deepgram-sdk")
async def test_flux() -> None:
    async with DeepgramFlux() as server:
        opened = client(server).listen.v2.connect(
            model="flux-general-en", eot_threshold=0.7, eager_eot_threshold=0.4, **FORMAT
        )
        async with opened as socket:
            assert isinstance(complete(await socket.recv()), ListenV2Connected)
            for part in (*loud_parts(80), *quiet_parts()):
                await socket.send_media(part)
            events = []
            while not events or events[-1].event != "EndOfTurn":
                events.append(complete(await socket.recv()))
            assert all(isinstance(event, ListenV2TurnInfo) for event in events)
            kinds = {event.event for event in events}
            assert kinds == {"StartOfTurn", "Update", "EagerEndOfTurn", "EndOfTurn"}
            assert (events[-1].transcript, events[-1].trigger) == (WORDS, "model")
            await socket.send_media(LOUD)
            await socket.send_force_end_turn()
            while (event := complete(await socket.recv())).event != "EndOfTurn":
                pass
            assert (event.transcript, event.trigger) == (WORDS, "manual")
            await socket.send_close_stream()


@pytest.mark.client(DeepgramSpeak, "deepgram-sdk")
async def test_aura() -> None:
    async with DeepgramSpeak() as server:
        opened = client(server).speak.v1.connect(
            model="aura-2-thalia-en", encoding="linear16", sample_rate=24000
        )
        async with opened as socket:
            await socket.send_text(SpeakV1Text(text=TEXT))
            await socket.send_flush()
            assert isinstance(complete(await socket.recv()), SpeakV1Metadata)
            audio = b""
            while isinstance(message := await socket.recv(), bytes):
                audio += message
            assert len(audio) == audio_bytes(TEXT, 24000)
            assert isinstance(complete(message), SpeakV1Flushed)
            await socket.send_clear()
            assert complete(await socket.recv()).type == "Cleared"
            await socket.send_close()


@pytest.mark.client(DeepgramFluxSpeak, "deepgram-sdk")
async def test_flux_speaks() -> None:
    async with DeepgramFluxSpeak() as server:
        opened = client(server).speak.v2.connect(
            model="flux-haven-en", encoding="linear16", sample_rate=24000
        )
        async with opened as socket:
            assert isinstance(complete(await socket.recv()), SpeakV2Connected)
            await socket.send_speak(SpeakV2Speak(text=TEXT))
            await socket.send_flush()
            told = [await socket.recv()]
            while isinstance(told[-1], bytes) or told[-1].type != "SpeechMetadata":
                told.append(await socket.recv())
            assert sum(len(one) for one in told if isinstance(one, bytes)) == audio_bytes(TEXT, 24000)
            kinds = [complete(one).type for one in told if not isinstance(one, bytes)]
            assert kinds == ["SpeechStarted", "Flushed", "SpeechMetadata"]
            await socket.send_interrupt()
            assert complete(await socket.recv()).type == "Warning"  # there was nothing to interrupt
            await socket.send_speak(SpeakV2Speak(text=TEXT))
            await socket.send_interrupt()
            while isinstance(last := await socket.recv(), bytes) or last.type == "SpeechStarted":
                pass
            assert complete(last).type == "SpeechInterrupted"
            await socket.send_close()
