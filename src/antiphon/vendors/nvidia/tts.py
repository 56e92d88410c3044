"""NVIDIA's text to speech, Magpie and others of Riva, over gRPC.

https://docs.nvidia.com/deeplearning/riva/user-guide/docs/reference/protos/riva_tts.proto.html
"""

from collections.abc import Callable, Iterable, Sequence
from textwrap import wrap
from typing import Any

from ...services.grpc_tts import GrpcTTS
from ...services.ports import Word
from ...services.spoken_pieces import word_end
from .wire import CLOUD, LINEAR_PCM, RivaAccess

__all__ = ["DEFINITION", "TTS"]

FUNCTIONS = {"magpie-tts-multilingual": "877104f7-e885-42b9-8de8-f6e4c6303969"}
"""The models in NVIDIA's cloud, by the ids of their functions."""
MOST_TEXT = 200  # characters of one message
DEFINITION = """
message SynthesizeSpeechRequest {
  string text = 1; string language_code = 2; int32 encoding = 3; int32 sample_rate_hz = 4;
  string voice_name = 5; string custom_dictionary = 7; repeated Setting custom_configuration = 8;
  bool enable_word_time_offsets = 9;
}
message Setting { string key = 1; string value = 2; }
message SynthesizeSpeechResponse { bytes audio = 1; SynthesizeSpeechResponseMetadata meta = 2; }
message SynthesizeSpeechResponseMetadata { string text = 1; repeated WordTiming words = 9; }
message WordTiming { string word = 1; int32 start_time = 2; int32 end_time = 3; }
"""


class TTS(GrpcTTS):
    """Riva, in NVIDIA's cloud, or at `base_url` such as "http://localhost:50051".

    `model` is one of the cloud, or the id of its function; a server of one's own has one. `options` are
    further fields of each request, such as `custom_dictionary`.
    """

    sample_rate = 22050
    method = "nvidia.riva.tts.RivaSpeechSynthesis/SynthesizeOnline"
    kinds = ("SynthesizeSpeechRequest", "SynthesizeSpeechResponse")

    def __init__(
        self,
        model: str = "magpie-tts-multilingual",
        *,
        voice: str = "Magpie-Multilingual.EN-US.Aria",
        language: str = "en-US",
        key: str | None = None,
        base_url: str = CLOUD,
        **options: Any,
    ) -> None:
        self._access = RivaAccess(model, base_url, key, DEFINITION, FUNCTIONS)
        super().__init__(self._access.client, model)
        self._request: dict[str, Any] = {
            "language_code": language,
            "encoding": LINEAR_PCM,
            "sample_rate_hz": self.sample_rate,
            "voice_name": voice,
            "enable_word_time_offsets": True,
        } | options

    async def metadata(self) -> Sequence[tuple[str, str]]:
        return self._access.metadata()

    async def open(self) -> None:
        """Check the key, and make the channel of all replies."""
        self._access.key.check()
        await super().open()

    def requests(self, text: str) -> Iterable[dict[str, Any]]:
        return ({**self._request, "text": part} for part in wrap(text, MOST_TEXT) or [text])

    def reader(self, text: str) -> Callable[[Any], Iterable[bytes | Word]]:
        at = 0

        def read(answer: Any) -> Iterable[bytes | Word]:
            nonlocal at
            if answer.audio:
                yield answer.audio
            for word in answer.meta.words:  # in milliseconds
                if (end := word_end(word.word, text, at)) is not None:
                    at = end
                    yield Word(0, end, max(0, word.end_time) / 1000)

        return read
