"""Google Cloud's text to speech as a stream, over gRPC.

It has the voices of Chirp 3 HD, and those of Gemini on Cloud.

https://cloud.google.com/text-to-speech/docs/reference/rpc/google.cloud.texttospeech.v1
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ...services.grpc_client import GrpcClient
from ...services.grpc_tts import GrpcTTS
from ...services.ports import Word
from .cloud import CloudCredentials

__all__ = ["StreamingVoice"]

PCM = 7  # of the enumeration AudioEncoding: samples without a header
MOST_BYTES = 4000  # of the text of one message; the vendor takes 5000
DEFINITION = """
message StreamingSynthesizeRequest {
  StreamingSynthesizeConfig streaming_config = 1; StreamingSynthesisInput input = 2;
}
message StreamingSynthesizeConfig {
  VoiceSelectionParams voice = 1; StreamingAudioConfig streaming_audio_config = 4;
}
message VoiceSelectionParams { string language_code = 1; string name = 2; string model_name = 6; }
message StreamingAudioConfig {
  int32 audio_encoding = 1; int32 sample_rate_hertz = 2; double speaking_rate = 3;
}
message StreamingSynthesisInput { string text = 1; string prompt = 6; }
message StreamingSynthesizeResponse { bytes audio_content = 1; }
"""


class StreamingVoice(GrpcTTS):
    """A voice that is heard while it is made.

    `model` "chirp3-hd" is that of the voice's name; any other is the name of one of Gemini's, such as
    "gemini-2.5-flash-tts", whose voices have names such as "Kore", and which `prompt` tells how to speak.
    Without a key, the credentials are those that Google's library finds by itself.
    """

    method = "google.cloud.texttospeech.v1.TextToSpeech/StreamingSynthesize"
    kinds = ("StreamingSynthesizeRequest", "StreamingSynthesizeResponse")

    def __init__(
        self,
        model: str = "chirp3-hd",
        *,
        voice: str = "en-US-Chirp3-HD-Charon",
        language: str | None = None,
        speed: float | None = None,
        prompt: str | None = None,
        key: str | None = None,
        base_url: str = "https://texttospeech.googleapis.com",
    ) -> None:
        client = GrpcClient("google", base_url, DEFINITION, extra="google", key_name="your account")
        super().__init__(client, model)
        self._credentials = CloudCredentials(base_url, key)
        named = voice.split("-")[:2]
        spoken = language or ("-".join(named) if len(named) == 2 else "en-US")
        speaker = {"language_code": spoken, "name": voice}
        if model != "chirp3-hd":
            speaker["model_name"] = model
        sound: dict[str, Any] = {"audio_encoding": PCM, "sample_rate_hertz": self.sample_rate}
        if speed is not None:
            sound["speaking_rate"] = speed
        self._config = {"voice": speaker, "streaming_audio_config": sound}
        self._prompt = prompt

    async def open(self) -> None:
        """Find the credentials, and make the channel of all replies."""
        await super().open()
        await self._credentials.find()

    async def metadata(self) -> Sequence[tuple[str, str]]:
        return await self._credentials.metadata()

    def requests(self, text: str) -> Iterable[dict[str, Any]]:
        yield {"streaming_config": self._config}
        prompt = {"prompt": self._prompt} if self._prompt else {}
        for part in _parts(text):
            yield {"input": {"text": part} | prompt}
            prompt = {}  # which goes with the first text only

    def reader(self, text: str) -> Callable[[Any], Iterable[bytes | Word]]:
        return lambda answer: (answer.audio_content,)


def _parts(text: str) -> Iterable[str]:
    """Yield a text in parts that a message may have."""
    most = MOST_BYTES // 4  # characters, of which each has four bytes at the most
    return (text[at : at + most] for at in range(0, len(text), most))
