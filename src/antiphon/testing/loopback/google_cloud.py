"""Google Cloud: recognition and streaming synthesis over gRPC."""

from collections.abc import Iterator
from typing import Any

from ...vendors.google import streaming, stt
from .grpc import GrpcVendorServer
from .server import KEY, HeardAudio, spoken

__all__ = ["GoogleRecognition", "GoogleStreamingVoices"]

LINEAR16, PCM = 1, 7
MOST_AUDIO, MOST_TEXT = 15000, 5000  # bytes of a message


class GoogleRecognition(GrpcVendorServer):
    """Recognition.

    https://cloud.google.com/speech-to-text/docs/reference/rpc/google.cloud.speech.v2
    """

    method = "google.cloud.speech.v2.Speech/StreamingRecognize"
    definition = stt.DEFINITION
    kinds = ("StreamingRecognizeRequest", "StreamingRecognizeResponse")

    def talk(self, requests: Iterator[Any], metadata: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Check the configuration; tell the words when the audio has ended."""
        recognizer = "projects/p/locations/us/recognizers/_"
        assert metadata["x-goog-request-params"] == f"recognizer={recognizer}", metadata
        heard, first = HeardAudio(), True
        for request in requests:
            if first:
                config = request.streaming_config.config
                assert request.recognizer == recognizer
                assert config.explicit_decoding_config.encoding == LINEAR16, config
                assert config.explicit_decoding_config.sample_rate_hertz == 16000, config
                assert list(config.language_codes) == ["en-US"], config
                assert config.model == "chirp_3", config
                first = False
            else:
                assert 0 < len(request.audio) <= MOST_AUDIO, "messages of at most 15 kB"
                heard.feed(request.audio)
        told = heard.answer().split()
        for words in (told[:2], told[2:]):
            result = {"alternatives": [{"transcript": " " + " ".join(words)}], "is_final": True}
            yield {"results": [result] if words else []}


class GoogleStreamingVoices(GrpcVendorServer):
    """Synthesis as a stream.

    https://cloud.google.com/text-to-speech/docs/reference/rpc/google.cloud.texttospeech.v1
    """

    method = "google.cloud.texttospeech.v1.TextToSpeech/StreamingSynthesize"
    definition = streaming.DEFINITION
    kinds = ("StreamingSynthesizeRequest", "StreamingSynthesizeResponse")

    def talk(self, requests: Iterator[Any], metadata: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Check the configuration, and speak each text that follows it."""
        assert metadata.get("x-goog-api-key") == KEY, metadata
        config = None
        for request in requests:
            if config is None:
                config = request.streaming_config
                assert config.voice.name.startswith(config.voice.language_code), config
                assert config.streaming_audio_config.audio_encoding == PCM, config
                assert not request.input.text, "the first message holds the configuration only"
                continue
            assert not request.streaming_config.voice.name, "the configuration was sent again"
            assert 0 < len(request.input.text.encode()) <= MOST_TEXT, request
            for pcm in spoken(request.input.text, config.streaming_audio_config.sample_rate_hertz):
                yield {"audio_content": pcm}
