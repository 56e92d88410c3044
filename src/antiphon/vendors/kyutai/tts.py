"""Kyutai's moshi-server, for text to speech on a GPU of one's own.

https://github.com/kyutai-labs/delayed-streams-modeling
"""

from collections.abc import Iterable

from ...errors import RateLimitError
from ...services.keys import VendorKey
from ...services.pcm_reader import int16_bytes
from ...services.ports import OWN_MACHINE
from ...services.socket_tts import SocketTTS
from ...services.vendor_values import address, items, msgpack_bytes, msgpack_object, number, string
from ...services.voice_codec import Sound, SpokenWord, VoiceCodec, VoiceEvent, VoiceReady
from ...services.websocket_client import Handshake, Message

__all__ = ["TTS"]


class TTS(SocketTTS):
    """moshi-server. A voice, which is a path among its voices, stands for a model.

    `key` is the token that the server's configuration names. `options` are further parameters of the
    connection, such as `cfg_alpha`.
    """

    slow_after = OWN_MACHINE

    def __init__(
        self,
        voice: str = "expresso/ex03-ex01_happy_001_channel1_334s.wav",
        *,
        key: str = "public_token",
        base_url: str = "ws://localhost:8080",
        **options: object,
    ) -> None:
        super().__init__("kyutai", VendorKey("kyutai", None, key), voice)
        query = {"voice": voice, "format": "PcmMessagePack", **options}
        self._url = address(f"{base_url}/api/tts_streaming", query)

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"kyutai-api-key": self.key.value})

    def codec(self) -> VoiceCodec:
        return KyutaiCodec()


class KyutaiCodec(VoiceCodec):
    """A connection, which speaks one utterance; all messages are MessagePack."""

    waits_for_ready = True
    reusable = False
    ends_by_closing = True
    unused_for = 25.0  # the server drops one that is silent for 30 seconds

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (msgpack_bytes(type="Text", text=text),)

    def finish(self, context: str) -> Iterable[Message]:
        return (msgpack_bytes(type="Eos"),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = msgpack_object(message)
        match told.get("type"):
            case "Ready":
                yield VoiceReady()
            case "Audio":
                samples = [number(sample) or 0.0 for sample in items(told.get("pcm"))]
                yield Sound(int16_bytes(samples))
            case "Text":
                start, end = number(told.get("start_s")) or 0.0, number(told.get("stop_s"))
                yield SpokenWord(string(told.get("text")), start, end)
            case "Error":
                raise RateLimitError(f"kyutai: {string(told.get('message'))[:200]}")
            case _:
                pass
