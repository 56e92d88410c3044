"""NVIDIA's Riva: recognition and synthesis over gRPC."""

from collections.abc import Iterator
from typing import Any

from ...vendors.nvidia import stt, tts
from .grpc import GrpcVendorServer
from .server import KEY, HeardAudio, spoken, word_times

__all__ = ["RivaRecognition", "RivaSynthesis"]

LINEAR_PCM = 1


class RivaRecognition(GrpcVendorServer):
    """Recognition.

    https://docs.nvidia.com/deeplearning/riva/user-guide/docs/reference/protos/riva_asr.proto.html
    """

    method = "nvidia.riva.asr.RivaSpeechRecognition/StreamingRecognize"
    definition = stt.DEFINITION
    kinds = ("StreamingRecognizeRequest", "StreamingRecognizeResponse")

    def talk(self, requests: Iterator[Any], metadata: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Check the configuration; tell the words when the audio has ended."""
        assert metadata.get("authorization") == f"Bearer {KEY}", metadata
        heard, first = HeardAudio(), True
        for request in requests:
            if first:
                config = request.streaming_config.config
                assert config.encoding == LINEAR_PCM, config
                assert config.sample_rate_hertz == 16000, config
                assert config.audio_channel_count == 1, config
                assert config.language_code == "en-US", config
                assert not request.audio_content, "the first message holds the configuration only"
                first = False
            else:
                assert request.audio_content, "a message without audio"
                heard.feed(request.audio_content)
        assert not first, "a call without configuration"
        told = heard.answer().split()
        for words in (told[:2], told[2:]):
            result = {"alternatives": [{"transcript": " ".join(words) + " "}], "is_final": True}
            yield {"results": [result] if words else []}


class RivaSynthesis(GrpcVendorServer):
    """Synthesis.

    https://docs.nvidia.com/deeplearning/riva/user-guide/docs/reference/protos/riva_tts.proto.html
    """

    method = "nvidia.riva.tts.RivaSpeechSynthesis/SynthesizeOnline"
    definition = tts.DEFINITION
    kinds = ("SynthesizeSpeechRequest", "SynthesizeSpeechResponse")

    def talk(self, requests: Iterator[Any], metadata: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Speak each request, with times of words in its last answer."""
        assert metadata.get("authorization") == f"Bearer {KEY}", metadata
        for request in requests:
            assert 0 < len(request.text) <= 200, request.text
            assert request.encoding == LINEAR_PCM, request
            assert request.language_code == "en-US", request
            assert request.voice_name, request
            for pcm in spoken(request.text, request.sample_rate_hz):
                yield {"audio": pcm}
            timed = zip(*word_times(request.text), strict=True) if request.enable_word_time_offsets else ()
            words = [{"word": word, "start_time": round(start * 1000), "end_time": round(end * 1000)}
                     for word, start, end in timed]  # fmt: skip
            yield {"meta": {"text": request.text, "words": words}}
