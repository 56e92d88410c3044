"""Hume's Empathic Voice Interface, EVI.

https://dev.hume.ai/reference/speech-to-speech-evi/chat

The vendor decides on turns, and goes on with a chat over a new connection. A conversation that it does not
know is told in the prompt. It cannot be told to stop, nor what was heard: an answer that the app cuts off is
made to its end. It takes no pictures, and says nothing of usage, which is the time that a conversation takes.
"""

from ...services.keys import VendorKey
from ...services.socket_realtime import SocketRealtime
from ...services.vendor_values import address
from ...services.websocket_client import Handshake
from .evi_codec import INPUT_RATE, EVICodec
from .evi_sound import OUTPUT_RATE

__all__ = ["Realtime"]


class Realtime(SocketRealtime):
    """EVI. The model is the id of a configuration, or "default".

    `voice` is the id of a voice, unless it is that of the configuration. `options` are further parameters of
    a chat.
    """

    input_rate = INPUT_RATE
    output_rate = OUTPUT_RATE
    detection = "theirs"
    goes_on_after_tools = True
    bills_open = True

    def __init__(
        self,
        model: str = "default",
        *,
        voice: str | None = None,
        key: str | None = None,
        base_url: str = "wss://api.hume.ai",
        **options: object,
    ) -> None:
        super().__init__("hume", VendorKey("hume", "HUME_API_KEY", key), model)
        self._url = f"{base_url}/v0/evi/chat"
        config = None if model == "default" else model
        self._query = {"config_id": config, "voice_id": voice, "verbose_transcription": True} | options

    async def handshake(self, handle: str | None) -> Handshake:
        query = {"api_key": self.key.value, "resumed_chat_group_id": handle}
        return Handshake(address(self._url, query | self._query))

    def codec(self, detects: bool, handle: str | None) -> EVICodec:
        return EVICodec(resumes=handle is not None)
