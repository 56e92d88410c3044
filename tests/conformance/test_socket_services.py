"""Every service over websockets against its vendor's protocol on loopback, with what goes wrong."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, cast

import msgspec
import pytest

from antiphon.errors import (
    AuthenticationError,
    BadResponseError,
    RateLimitError,
    ServiceTimeoutError,
    TheyErred,
    UnavailableError,
)
from antiphon.services.ports import AudioChunk, Flush, Recognized, Speech, Word
from antiphon.services.socket_stt import SocketSTT
from antiphon.services.socket_tts import SocketTTS
from antiphon.services.voice_codec import MessagesDue, PieceEnded
from antiphon.testing import check_stt, check_tts
from antiphon.testing.loopback import KEY, LOUD, WORDS, Fault, VendorServer
from antiphon.testing.loopback.assemblyai import AssemblyAIUniversal
from antiphon.testing.loopback.aws import AwsTranscribe
from antiphon.testing.loopback.azure import AzureRecognition
from antiphon.testing.loopback.azure_synthesis import AzureSynthesis
from antiphon.testing.loopback.cartesia import CartesiaInk, CartesiaSonic
from antiphon.testing.loopback.deepgram import DeepgramFlux, DeepgramFluxSpeak, DeepgramListen, DeepgramSpeak
from antiphon.testing.loopback.elevenlabs import ElevenLabsDialogue, ElevenLabsScribe, ElevenLabsVoices
from antiphon.testing.loopback.fireworks import FireworksSegments
from antiphon.testing.loopback.fish import FishVoices
from antiphon.testing.loopback.gladia import GladiaLive
from antiphon.testing.loopback.gradium import GradiumSteps, GradiumVoices
from antiphon.testing.loopback.hume import HumeOctave
from antiphon.testing.loopback.inworld import InworldTranscription, InworldVoices
from antiphon.testing.loopback.kyutai import MoshiServer
from antiphon.testing.loopback.lmnt import LmntSessions
from antiphon.testing.loopback.minimax import MiniMaxVoices
from antiphon.testing.loopback.mistral import MistralGenerations, MistralRealtime
from antiphon.testing.loopback.murf import MurfVoices
from antiphon.testing.loopback.neuphonic import NeuphonicVoices
from antiphon.testing.loopback.realtime_transcription import OpenAITranscription, TogetherTranscription
from antiphon.testing.loopback.resemble import ResembleVoices
from antiphon.testing.loopback.rime import RimeVoices
from antiphon.testing.loopback.sarvam import SarvamBulbul, SarvamSaaras
from antiphon.testing.loopback.smallest import SmallestWaves
from antiphon.testing.loopback.soniox import SonioxStreams, SonioxTokens
from antiphon.testing.loopback.speechmatics import SpeechmaticsRealtime
from antiphon.testing.loopback.xai import XaiTranscripts, XaiVoices
from antiphon.vendors import (
    abilities,
    assemblyai,
    fireworks,
    fish,
    gladia,
    hume,
    lmnt,
    minimax,
    murf,
    neuphonic,
    record,
    resemble,
    rime,
    smallest,
    together,
)
from antiphon.vendors.aws import stt as transcribe
from antiphon.vendors.azure import stt as azure
from antiphon.vendors.azure import tts as azure_voices
from antiphon.vendors.cartesia import stt as ink
from antiphon.vendors.cartesia import tts as sonic
from antiphon.vendors.deepgram import stt as listen
from antiphon.vendors.deepgram import tts as aura
from antiphon.vendors.elevenlabs import stt as scribe
from antiphon.vendors.elevenlabs import tts as voice
from antiphon.vendors.gradium import stt as gradium
from antiphon.vendors.gradium import tts as gradium_voices
from antiphon.vendors.inworld import stt as inworld
from antiphon.vendors.inworld import tts as inworld_voices
from antiphon.vendors.kyutai import tts as kyutai
from antiphon.vendors.mistral import realtime_tts as mistral_voices
from antiphon.vendors.mistral import stt as voxtral
from antiphon.vendors.openai import stt as transcription
from antiphon.vendors.sarvam import stt as saaras
from antiphon.vendors.sarvam import tts as sarvam_voices
from antiphon.vendors.soniox import stt as soniox
from antiphon.vendors.soniox import tts as soniox_voices
from antiphon.vendors.speechmatics import stt as speechmatics
from antiphon.vendors.xai import stt as xai
from antiphon.vendors.xai import tts as xai_voices

RECOGNISERS: list[tuple[Callable[..., SocketSTT], type[VendorServer]]] = [
    (listen.Nova, DeepgramListen),
    (listen.Flux, DeepgramFlux),
    (ink.STT, CartesiaInk),
    (scribe.STT, ElevenLabsScribe),
    (assemblyai.STT, AssemblyAIUniversal),
    (soniox.STT, SonioxTokens),
    (speechmatics.STT, SpeechmaticsRealtime),
    (gladia.STT, GladiaLive),
    (transcription.RealtimeTranscription, OpenAITranscription),
    (azure.STT, AzureRecognition),
    (partial(transcribe.STT, secret="secret", region="eu-central-1"), AwsTranscribe),
    (voxtral.STT, MistralRealtime),
    (xai.STT, XaiTranscripts),
    (gradium.STT, GradiumSteps),
    (saaras.STT, SarvamSaaras),
    (inworld.STT, InworldTranscription),
    (together.STT, TogetherTranscription),
    (fireworks.STT, FireworksSegments),
]


def eleven_v3(key: str, base_url: str) -> SocketTTS:
    return voice.TTS("eleven_v3_conversational", key=key, base_url=base_url)


VOICES: list[tuple[Callable[..., SocketTTS], type[VendorServer]]] = [
    (aura.Aura, DeepgramSpeak),
    (aura.FluxVoice, DeepgramFluxSpeak),
    (sonic.TTS, CartesiaSonic),
    (voice.TTS, ElevenLabsVoices),
    (eleven_v3, ElevenLabsDialogue),
    (rime.TTS, RimeVoices),
    (inworld_voices.TTS, InworldVoices),
    (lmnt.TTS, LmntSessions),
    (minimax.TTS, MiniMaxVoices),
    (fish.TTS, FishVoices),
    (xai_voices.TTS, XaiVoices),
    (hume.TTS, HumeOctave),
    (gradium_voices.TTS, GradiumVoices),
    (neuphonic.TTS, NeuphonicVoices),
    (resemble.TTS, ResembleVoices),
    (smallest.TTS, SmallestWaves),
    (murf.TTS, MurfVoices),
    (sarvam_voices.TTS, SarvamBulbul),
    (kyutai.TTS, MoshiServer),
    (azure_voices.TTS, AzureSynthesis),
    (soniox_voices.TTS, SonioxStreams),
    (mistral_voices.RealtimeVoice, MistralGenerations),
]
recognisers = pytest.mark.parametrize(
    ("kind", "server"), RECOGNISERS, ids=[server.__name__ for _, server in RECOGNISERS]
)
voices = pytest.mark.parametrize(("kind", "server"), VOICES, ids=[server.__name__ for _, server in VOICES])


def client(kind: Callable[..., Any], server: VendorServer) -> Any:
    return kind(key=KEY, base_url=server.url)


async def hear(service: SocketSTT, *items: AudioChunk | Flush, endless: bool = False) -> list[Recognized]:
    async def audio() -> AsyncIterator[AudioChunk | Flush]:
        for item in items:
            yield item
        if endless:
            await asyncio.get_running_loop().create_future()

    return [heard async for heard in service.transcribe(audio()) if isinstance(heard, Recognized)]


async def say(service: SocketTTS, *pieces: str) -> list[Speech | Word]:
    async def text() -> AsyncIterator[str]:
        for piece in pieces:
            yield piece

    return [item async for item in service.speak(text())]


SPEECH = [AudioChunk(LOUD[at : at + 1600]) for at in range(0, len(LOUD), 1600)]
QUIET = [AudioChunk(bytes(1600))] * 20


@recognisers
def test_a_recogniser_does_what_all_must(kind: Callable[..., SocketSTT], server: type[VendorServer]) -> None:
    async def run() -> None:
        async with server() as vendor:
            await check_stt(lambda: client(kind, vendor), LOUD, WORDS)
            await asyncio.sleep(0)
            assert not vendor.open, "connections were left open"

    asyncio.run(run())


@voices
def test_a_voice_does_what_all_must(kind: Callable[..., SocketTTS], server: type[VendorServer]) -> None:
    async def run() -> None:
        async with server() as vendor:
            await check_tts(lambda: client(kind, vendor))
            if "cancel" in abilities(record(client(kind, vendor).vendor), "tts"):
                assert vendor.cancelled, "the record says that a reply is stopped by a message"
            else:
                assert vendor.cancelled or vendor.connections > 1, "a cancelled reply went on at the vendor"

    asyncio.run(run())


def oddities(message: str | bytes) -> Iterator[str | bytes]:
    """Yield a message with each of its values replaced by values of other types."""
    if isinstance(message, bytes):
        yield message[:-1]
        yield message[:3]
        with suppress(msgspec.DecodeError):
            if isinstance(value := msgspec.msgpack.decode(message), dict):
                yield from (msgspec.msgpack.encode(odd) for odd in replaced(value))
        return
    head, blank, body = message.rpartition("\r\n\r\n")
    yield from (head + blank + json.dumps(odd) for odd in replaced(json.loads(body)))


def replaced(value: Any) -> Iterator[Any]:
    yield from (None, "x", "é", -1, 1e300, True, [], {}, [[None]], {"x": [1]})
    match value:
        case dict():
            named = cast(dict[Any, Any], value)
            for key, item in named.items():
                yield from ({**named, key: odd} for odd in replaced(item))
        case list():
            several = cast(list[Any], value)
            for place, item in enumerate(several[:2]):
                yield from ([*several[:place], odd, *several[place + 1 :]] for odd in replaced(item))
        case _:
            pass


REFUSALS = {
    Fault.REFUSED: AuthenticationError,
    Fault.LIMITED: RateLimitError,
    Fault.MALFORMED: BadResponseError,
    Fault.CUT: UnavailableError,
    Fault.CLOSED: UnavailableError,
}


@recognisers
def test_words_come_while_somebody_speaks_if_the_record_says_so(
    kind: Callable[..., SocketSTT], server: type[VendorServer]
) -> None:
    async def run() -> None:
        async with server() as vendor:
            service, told = client(kind, vendor), asyncio.Event()

            async def audio() -> AsyncIterator[AudioChunk | Flush]:
                for item in [*SPEECH, *SPEECH]:
                    yield item
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.3):
                        await told.wait()
                asked.append(told.is_set())
                yield Flush(True)

            asked = list[bool]()
            async for item in service.transcribe(audio()):
                if isinstance(item, Recognized) and item.text:
                    told.set()
            await service.close()
            assert asked == [True] or "interim" not in abilities(record(service.vendor), "stt")

    asyncio.run(run())


@pytest.mark.parametrize("fault", REFUSALS)
@recognisers
def test_a_recogniser_names_what_went_wrong(
    kind: Callable[..., SocketSTT], server: type[VendorServer], fault: Fault
) -> None:
    async def run() -> None:
        async with server(fault) as vendor:
            service = client(kind, vendor)
            with pytest.raises(REFUSALS[fault]):
                async with asyncio.timeout(20):
                    await hear(service, *SPEECH, Flush(True), endless=True)
            await service.close()

    asyncio.run(run())


@pytest.mark.parametrize("fault", REFUSALS)
@voices
def test_a_voice_names_what_went_wrong(
    kind: Callable[..., SocketTTS], server: type[VendorServer], fault: Fault
) -> None:
    async def run() -> None:
        async with server(fault) as vendor:
            service = client(kind, vendor)
            with pytest.raises(REFUSALS[fault]):
                await say(service, "Good morning.")
            await service.close()

    asyncio.run(run())


@recognisers
def test_unknown_messages_are_passed_over(kind: Callable[..., SocketSTT], server: type[VendorServer]) -> None:
    async def run() -> None:
        async with server(Fault.STRANGE) as vendor:
            service = client(kind, vendor)
            heard = await hear(service, *SPEECH, *QUIET, Flush(True))
            assert [item.text for item in heard if item.final] == [WORDS]
            await service.close()

    asyncio.run(run())


@voices
def test_a_voice_that_dies_before_its_first_audio_is_asked_again(
    kind: Callable[..., SocketTTS], server: type[VendorServer]
) -> None:
    async def run() -> None:
        async with server(Fault.CUT, faulty=1) as vendor:
            service = client(kind, vendor)
            said = await say(service, "Good morning.", "Who is this?")
            assert {item.piece for item in said if isinstance(item, Speech)} == {0, 1}
            assert vendor.connections == 2
            await service.close()

    asyncio.run(run())


@voices
def test_a_voice_that_goes_silent_is_noticed(
    kind: Callable[..., SocketTTS], server: type[VendorServer]
) -> None:
    async def run() -> None:
        async with server(Fault.SILENT) as vendor:
            service = client(kind, vendor)
            service.silent_for = 0.05
            with pytest.raises(ServiceTimeoutError):
                await say(service, "Good morning.")
            await service.close()

    asyncio.run(run())


@voices
def test_words_are_timed_within_their_pieces(
    kind: Callable[..., SocketTTS], server: type[VendorServer]
) -> None:
    pieces = ("Good morning to you.", "Who is this?")

    async def run() -> None:
        async with server() as vendor:
            service = client(kind, vendor)
            said = await say(service, *pieces)
            await service.close()
        for piece, text in enumerate(pieces):
            audio = sum(len(item.pcm) for item in said if isinstance(item, Speech) and item.piece == piece)
            seconds = audio / 2 / service.sample_rate
            words = [item for item in said if isinstance(item, Word) and item.piece == piece]
            if "word times" not in record(service.vendor).can.get("tts", ()):
                assert words == [], "the record says nothing of the times of words"
                continue
            assert abs(seconds - len(text) * 0.05) < 0.31, "audio stands with the wrong piece"
            assert words[-1].end >= len(text) - 1, words
            assert abs(words[-1].seconds - seconds) < 0.31, (words, seconds)

    asyncio.run(run())


@voices
def test_a_codec_believes_nothing(kind: Callable[..., SocketTTS], server: type[VendorServer]) -> None:
    """Values of wrong types, in messages that are otherwise right, raise nothing but errors of a vendor."""

    async def run() -> None:
        told: list[str | bytes] = []
        async with server() as vendor:
            service = client(kind, vendor)
            codec = service.codec()

            real = codec.read

            def read(message: str | bytes) -> Any:
                told.append(message)
                return real(message)

            codec.read = read
            service.codec = lambda: codec
            await say(service, "Good morning.")
            await service.close()
        fresh = client(kind, vendor).codec()
        assert told
        for message in told:
            for odd in oddities(message):
                with suppress(TheyErred):
                    list(fresh.read(odd))

    asyncio.run(run())


async def nothing_for(seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()


@pytest.mark.parametrize(("kind", "server"), [(sonic.TTS, CartesiaSonic), (rime.TTS, RimeVoices)])
def test_a_reply_that_waits_for_its_words_is_no_silent_vendor(
    kind: Callable[..., SocketTTS], server: type[VendorServer]
) -> None:
    async def text() -> AsyncIterator[str]:
        yield "One moment."
        await nothing_for(0.3)
        yield "Here it is."

    async def run() -> None:
        async with server() as vendor:
            service = client(kind, vendor)
            service.silent_for = 0.1
            pieces = {item.piece async for item in service.speak(text()) if isinstance(item, Speech)}
            assert pieces == {0, 1}
            await service.close()

    asyncio.run(run())


def test_a_connection_is_ready_before_the_next_reply() -> None:
    async def run() -> None:
        async with FishVoices() as vendor:
            service = client(fish.TTS, vendor)
            for number in (1, 2):
                await say(service, "Good morning.")
                while vendor.connections < number + 1:
                    await asyncio.sleep(0)
            await service.close()
            assert vendor.connections == 3

    asyncio.run(run())


@pytest.mark.parametrize(
    ("kind", "ended"),
    [(rime.TTS, {"type": "done", "contextId": "c"}), (resemble.TTS, {"type": "audio_end", "request_id": 1})],
)
def test_a_piece_is_asked_for_once_the_last_one_was_spoken(
    kind: Callable[..., SocketTTS], ended: dict[str, object]
) -> None:
    """Rime answers two flushes at once with one end, and Resemble may speak two requests at once."""
    codec = kind(key=KEY).codec()
    assert "One." in str(list(codec.text("c", "One.")))
    assert list(codec.text("c", "Two.")) == []
    _, due = codec.read(json.dumps(ended))
    assert isinstance(due, MessagesDue)
    assert "Two." in str(due)
    (end,) = codec.read(json.dumps(ended))
    assert end == PieceEnded("c" if kind is rime.TTS else None)
    assert "Three." in str(list(codec.text("c", "Three.")))
