"""Kyutai's Unmute and Moshi, which hear and speak on a GPU of one's own.

https://github.com/kyutai-labs/unmute
https://github.com/kyutai-labs/moshi

Both only hear: they say nothing on demand, so that there is no greeting of ours, take no typed words, and
call no tools. Both decide alone when to speak, and are not told what was heard.

Unmute is a recogniser, a language model and a voice. It takes instructions, into which the conversation so
far is written when a connection is renewed, and it speaks first: that is its own greeting.

Moshi is one model that hears and speaks at all times. It takes no instructions, forgets everything with its
connection, and tells neither the user's words nor turns: a turn is made of the loudness of the user's sound,
and a response of Moshi ends when it has had no words for a while.
"""

from ...errors import ConfigurationError
from ...services.keys import VendorKey
from ...services.realtime_codec import RealtimeCodec
from ...services.socket_realtime import SocketRealtime
from ...services.websocket_client import Handshake
from .moshi import MoshiCodec
from .unmute import UnmuteCodec

__all__ = ["Realtime"]

URLS = {"unmute": "ws://localhost:8000/v1/realtime", "moshi": "ws://localhost:8998/api/chat"}


class Realtime(SocketRealtime):
    """A server that runs Unmute or Moshi, which is its `model`.

    `voice` and `language` ("en", "fr", "en/fr") are Unmute's. `url` is the address of the websocket.
    """

    detection = "theirs"
    takes_words = False
    calls_tools = False

    def __init__(
        self,
        model: str = "unmute",
        *,
        voice: str | None = None,
        language: str | None = None,
        key: str = "",
        url: str | None = None,
    ) -> None:
        if model not in URLS:
            raise ConfigurationError(
                f"kyutai has no model {model!r} that hears and speaks: {', '.join(URLS)}"
            )
        if model == "moshi" and (voice or language):
            raise ConfigurationError("kyutai: the voice and the language of Moshi are chosen by its server")
        super().__init__("kyutai", VendorKey("kyutai", None, key))
        self._model = model
        self._voice, self._language = voice, language
        self._url = url or URLS[model]

    async def handshake(self, handle: str | None) -> Handshake:
        headers = {"Authorization": f"Bearer {self.key.value}"} if self.key.value else {}
        return Handshake(self._url, headers, ["realtime"] if self._model == "unmute" else [])

    def codec(self, detects: bool, handle: str | None) -> RealtimeCodec:
        return MoshiCodec() if self._model == "moshi" else UnmuteCodec(self._voice, self._language)
