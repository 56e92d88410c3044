"""Microsoft's own client, which is native code."""

import asyncio
from queue import Queue
from typing import Any

import azure.cognitiveservices.speech as speech
import pytest

from antiphon.testing.loopback import KEY, LOUD, WORDS, Fault
from antiphon.testing.loopback.azure import AzureRecognition
from antiphon.testing.loopback.azure_synthesis import AzureSynthesis
from parts import TEXT, audio_bytes

RECOGNITION = "/speech/recognition/conversation/cognitiveservices/v1"


def recognise(url: str) -> Any:
    """Return the result of a recogniser that is fed a second of speech and one of quiet."""
    config = speech.SpeechConfig(subscription=KEY, endpoint=url + RECOGNITION)
    config.speech_recognition_language = "en-US"
    stream = speech.audio.PushAudioInputStream(speech.audio.AudioStreamFormat(samples_per_second=16000))
    recogniser = speech.SpeechRecognizer(config, speech.audio.AudioConfig(stream=stream))
    told: list[str] = []
    recogniser.recognizing.connect(lambda event: told.append(event.result.text))
    stream.write(LOUD + bytes(32000))
    stream.close()
    return recogniser.recognize_once_async().get(), told


@pytest.mark.client(AzureRecognition, "azure-cognitiveservices-speech")
async def test_recognition() -> None:
    async with AzureRecognition() as server:
        result, told = await asyncio.to_thread(recognise, server.url)
        assert result.reason == speech.ResultReason.RecognizedSpeech, result.cancellation_details
        assert result.text == WORDS
        assert told[0] == WORDS


@pytest.mark.client(AzureRecognition, "azure-cognitiveservices-speech")
async def test_a_refused_key() -> None:
    async with AzureRecognition(Fault.REFUSED) as server:
        result, _ = await asyncio.to_thread(recognise, server.url)
        assert result.cancellation_details.code == speech.CancellationErrorCode.AuthenticationFailure


@pytest.mark.client(AzureSynthesis, "azure-cognitiveservices-speech")
async def test_synthesis() -> None:
    def synthesise(url: str) -> Any:
        config = speech.SpeechConfig(subscription=KEY, endpoint=f"{url}/tts/cognitiveservices/websocket/v1")
        config.set_speech_synthesis_output_format(speech.SpeechSynthesisOutputFormat.Raw24Khz16BitMonoPcm)
        config.speech_synthesis_voice_name = "en-US-AvaMultilingualNeural"
        synthesizer = speech.SpeechSynthesizer(config, None)
        words: Queue[str] = Queue()
        synthesizer.synthesis_word_boundary.connect(lambda event: words.put(event.text))
        result = synthesizer.speak_text_async(TEXT).get()
        return result, [words.get(timeout=10) for _ in TEXT.split()]

    async with AzureSynthesis() as server:
        result, words = await asyncio.to_thread(synthesise, server.url)
        assert result.reason == speech.ResultReason.SynthesizingAudioCompleted, result.cancellation_details
        assert len(result.audio_data) == audio_bytes(TEXT, 24000)
        assert words == TEXT.split()
