"""OpenAI's GPT-Live, a protocol of its own.

https://developers.openai.com/api/docs/guides/voice-websockets

The model hears and speaks at the same time and knows no turns: the ends of turns and responses are found in
the pauses. Work goes to a second model, the `thinker`, which calls the tools; what the voice says while a
tool of ours runs is left out. A response cannot be cancelled: the rest of one that was cut off is not passed
on, and the vendor is not told what was heard. Pictures and typed words go to the thinker.
"""

from typing import Any, Literal

from ...services.keys import VendorKey
from ...services.ports import Sees
from ...services.socket_realtime import SocketRealtime
from ...services.websocket_client import Handshake
from .codec import GPTLiveCodec

__all__ = ["Realtime"]


class Realtime(SocketRealtime):
    """gpt-live-1 and its successors.

    `thinker` is the model that does the work, with `thinker_settings` such as
    `{"reasoning": {"effort": "low"}}`.
    """

    detection: Literal["ours", "theirs", "either"] = "theirs"
    goes_on_after_tools = True
    sees: Sees = "turns"

    def __init__(
        self,
        model: str = "gpt-live-1",
        *,
        voice: str = "marin",
        thinker: str = "gpt-5.5",
        thinker_settings: dict[str, Any] | None = None,
        key: str | None = None,
        base_url: str = "wss://api.openai.com/v1",
    ) -> None:
        super().__init__("openai_live", VendorKey("openai_live", "OPENAI_API_KEY", key), model)
        self._url = f"{base_url}/live/sessions"
        audio = {"format": {"type": "audio/pcm", "rate": self.output_rate}, "output": {"voice": voice}}
        self._settings = {"model": model, "audio": audio}
        self._thinker = {"model": thinker, **(thinker_settings or {})}

    async def handshake(self, handle: str | None) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self, detects: bool, handle: str | None) -> GPTLiveCodec:
        return GPTLiveCodec(self._settings, self._thinker)
