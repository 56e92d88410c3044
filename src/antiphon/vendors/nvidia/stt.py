"""NVIDIA's speech to text, Riva, over gRPC.

https://docs.nvidia.com/deeplearning/riva/user-guide/docs/reference/protos/riva_asr.proto.html
"""

from collections.abc import Sequence
from typing import Any

from ...services.grpc_stt import GrpcSTT
from .wire import CLOUD, LINEAR_PCM, RivaAccess

__all__ = ["DEFINITION", "STT"]

FUNCTIONS = {
    "nemotron-asr-streaming": "bb0837de-8c7b-481f-9ec8-ef5663e9c1fa",
    "parakeet-ctc-1.1b-asr": "1598d209-5e27-4d3c-8079-4751568b1081",
}
"""The models in NVIDIA's cloud, by the ids of their functions."""
DEFINITION = """
message StreamingRecognizeRequest {
  StreamingRecognitionConfig streaming_config = 1; bytes audio_content = 2;
}
message StreamingRecognitionConfig { RecognitionConfig config = 1; bool interim_results = 2; }
message RecognitionConfig {
  int32 encoding = 1; int32 sample_rate_hertz = 2; string language_code = 3; int32 max_alternatives = 4;
  bool profanity_filter = 5; repeated SpeechContext speech_contexts = 6; int32 audio_channel_count = 7;
  bool enable_word_time_offsets = 8; bool enable_automatic_punctuation = 11; string model = 13;
  bool verbatim_transcripts = 14; repeated Setting custom_configuration = 24;
}
message SpeechContext { repeated string phrases = 1; float boost = 4; }
message Setting { string key = 1; string value = 2; }
message StreamingRecognizeResponse { repeated StreamingRecognitionResult results = 1; }
message StreamingRecognitionResult {
  repeated SpeechRecognitionAlternative alternatives = 1; bool is_final = 2;
}
message SpeechRecognitionAlternative { string transcript = 1; float confidence = 2; }
"""
BOOST = 20.0  # how much likelier key terms are


class STT(GrpcSTT):
    """Riva, in NVIDIA's cloud, or at `base_url` such as "http://localhost:50051".

    `model` is one of the cloud, the id of its function, or the name of one on the server. `options` are
    further fields of the vendor's `RecognitionConfig`.
    """

    method = "nvidia.riva.asr.RivaSpeechRecognition/StreamingRecognize"
    audio_field = "audio_content"

    def __init__(
        self,
        model: str = "nemotron-asr-streaming",
        *,
        language: str = "en-US",
        keyterms: Sequence[str] = (),
        key: str | None = None,
        base_url: str = CLOUD,
        **options: Any,
    ) -> None:
        self._access = RivaAccess(model, base_url, key, DEFINITION, FUNCTIONS)
        super().__init__(self._access.client, model)
        self.language = language
        self._config: dict[str, Any] = {
            "encoding": LINEAR_PCM,
            "sample_rate_hertz": self.sample_rate,
            "language_code": language,
            "max_alternatives": 1,
            "audio_channel_count": 1,
            "enable_automatic_punctuation": True,
            "speech_contexts": [{"phrases": [*keyterms], "boost": BOOST}] if keyterms else [],
            "model": "" if self._access.is_cloud or model in FUNCTIONS else model,
        } | options

    async def metadata(self) -> Sequence[tuple[str, str]]:
        return self._access.metadata()

    async def open(self) -> None:
        """Check the key, and make the channel of all conversations."""
        self._access.key.check()
        await super().open()

    def first(self) -> dict[str, Any]:
        return {"streaming_config": {"config": self._config, "interim_results": False}}
