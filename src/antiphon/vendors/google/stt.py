"""Google's speech to text, version 2, over gRPC.

https://cloud.google.com/speech-to-text/docs/reference/rpc/google.cloud.speech.v2
"""

import os
from collections.abc import Sequence
from typing import Any

from ...errors import ConfigurationError
from ...services.grpc_client import GrpcClient
from ...services.grpc_stt import GrpcSTT
from .cloud import CloudCredentials

__all__ = ["STT"]

LINEAR16 = 1  # of the enumeration AudioEncoding
DEFINITION = """
message StreamingRecognizeRequest {
  string recognizer = 3; StreamingRecognitionConfig streaming_config = 6; bytes audio = 5;
}
message StreamingRecognitionConfig { RecognitionConfig config = 1; }
message RecognitionConfig {
  RecognitionFeatures features = 2; SpeechAdaptation adaptation = 6;
  ExplicitDecodingConfig explicit_decoding_config = 8; string model = 9; repeated string language_codes = 10;
}
message RecognitionFeatures {
  bool profanity_filter = 1; bool enable_word_time_offsets = 2; bool enable_word_confidence = 3;
  bool enable_automatic_punctuation = 4; bool enable_spoken_punctuation = 14; bool enable_spoken_emojis = 15;
  int32 max_alternatives = 16;
}
message SpeechAdaptation { repeated AdaptationPhraseSet phrase_sets = 1; }
message AdaptationPhraseSet { string phrase_set = 1; PhraseSet inline_phrase_set = 2; }
message PhraseSet { repeated Phrase phrases = 3; }
message Phrase { string value = 1; float boost = 2; }
message ExplicitDecodingConfig {
  int32 encoding = 1; int32 sample_rate_hertz = 2; int32 audio_channel_count = 3;
}
message StreamingRecognizeResponse { repeated StreamingRecognitionResult results = 6; }
message StreamingRecognitionResult {
  repeated SpeechRecognitionAlternative alternatives = 1; bool is_final = 2;
}
message SpeechRecognitionAlternative { string transcript = 1; float confidence = 2; }
"""


class STT(GrpcSTT):
    """Speech to text, with the credentials that Google's library finds by itself.

    `project` is that of GOOGLE_CLOUD_PROJECT if none is given. `location` is a region such as "us", "eu" or
    "global". `features` are the vendor's `RecognitionFeatures`.
    """

    method = "google.cloud.speech.v2.Speech/StreamingRecognize"
    audio_field = "audio"

    def __init__(
        self,
        model: str = "chirp_3",
        *,
        language: str = "en-US",
        keyterms: Sequence[str] = (),
        project: str | None = None,
        location: str = "us",
        base_url: str | None = None,
        **features: object,
    ) -> None:
        host = "" if location == "global" else f"{location}-"
        address = base_url or f"https://{host}speech.googleapis.com"
        client = GrpcClient("google", address, DEFINITION, extra="google", key_name="your account")
        super().__init__(client, model)
        self.language = language
        self._credentials = CloudCredentials(address)
        self._project = project
        self._location = location
        self._config: dict[str, Any] = {
            "explicit_decoding_config": {
                "encoding": LINEAR16, "sample_rate_hertz": self.sample_rate, "audio_channel_count": 1,
            },
            "model": model,
            "language_codes": [language],
            "features": {"enable_automatic_punctuation": True} | features,
        }  # fmt: skip
        if keyterms:
            phrases = {"phrases": [{"value": term} for term in keyterms]}
            self._config["adaptation"] = {"phrase_sets": [{"inline_phrase_set": phrases}]}

    async def open(self) -> None:
        """Find project and credentials, and make the channel of all conversations."""
        _ = self.recognizer
        await super().open()
        await self._credentials.find()

    @property
    def recognizer(self) -> str:
        """The name of what recognizes. Raises ConfigurationError if there is no project."""
        project = self._project or os.environ.get("GOOGLE_CLOUD_PROJECT")
        if not project:
            raise ConfigurationError("google needs a project: set GOOGLE_CLOUD_PROJECT, or pass project=")
        return f"projects/{project}/locations/{self._location}/recognizers/_"

    async def metadata(self) -> Sequence[tuple[str, str]]:
        route = ("x-goog-request-params", f"recognizer={self.recognizer}")
        return (route, *await self._credentials.metadata())

    def first(self) -> dict[str, Any]:
        return {"recognizer": self.recognizer, "streaming_config": {"config": self._config}}
