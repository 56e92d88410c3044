"""AWS's models that hear and speak, Nova Sonic, over HTTP/2.

https://docs.aws.amazon.com/nova/latest/nova2-userguide/sonic-input-events.html
https://docs.aws.amazon.com/nova/latest/nova2-userguide/sonic-output-events.html

The model alone decides on turns, and says that it hears the user only with the first words. It cannot be told
to stop, nor what was heard: it trims its own context when it is interrupted, and what else it still says is
dropped here. It says nothing word for word: it is asked to, by a typed message. What is noted without a wish
for an answer waits for the next typed message. Its transcript of what it has really said is not used, since
playout knows that. It sees no pictures.
"""

import time
from typing import Any
from urllib.parse import quote

from ...context import Context
from ...services.aws_signing import AwsEventSigner, AwsSigner
from ...services.http2_stream import load_http2, open_stream
from ...services.realtime_codec import RealtimeCodec
from ...services.socket_realtime import SocketRealtime
from ...services.websocket_client import MessageStream
from .nova_sonic import NovaSonicCodec

__all__ = ["Realtime"]


class Realtime(SocketRealtime):
    """Nova 2 Sonic.

    `options` are further fields of the session's beginning, such as
    `turnDetectionConfiguration={"endpointingSensitivity": "HIGH"}` or `inferenceConfiguration`.
    """

    input_rate = 16000
    detection = "theirs"
    goes_on_after_tools = True

    def __init__(
        self,
        model: str = "amazon.nova-2-sonic-v1:0",
        *,
        voice: str = "matthew",
        region: str | None = None,
        key: str | None = None,
        secret: str | None = None,
        base_url: str | None = None,
        **options: Any,
    ) -> None:
        self._signer = AwsSigner("bedrock", region, key=key, secret=secret)
        super().__init__("aws", self._signer.key, model)
        self._path = f"/model/{quote(model, safe='')}/invoke-with-bidirectional-stream"
        self._voice = voice
        self._base_url = base_url
        self._options = options

    async def load(self) -> None:
        """Import the HTTP/2 library."""
        await load_http2("aws")

    async def open(self) -> None:
        """Check the key, its secret and the region."""
        self._signer.check()
        await super().open()

    async def dial(self, context: Context, handle: str | None, codec: RealtimeCodec) -> MessageStream:
        url = (self._base_url or f"https://bedrock-runtime.{self._signer.region}.amazonaws.com") + self._path
        kind = {"Content-Type": "application/vnd.amazon.eventstream"}
        headers = self._signer.signed_headers("POST", url, kind, None, at=time.time())
        events = AwsEventSigner(self._signer, headers["Authorization"].rpartition("=")[2])

        def seal(message: bytes) -> bytes:
            return events.sign(message, at=time.time())

        return await open_stream("aws", url, headers, key_name=self.key.name, seal=seal)

    def codec(self, detects: bool, handle: str | None) -> RealtimeCodec:
        return NovaSonicCodec(self._voice, self._options)
