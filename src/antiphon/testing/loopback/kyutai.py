"""Kyutai's moshi-server.

https://github.com/kyutai-labs/moshi/tree/main/rust/moshi-server
"""

from array import array
from collections.abc import Mapping

import msgspec

from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["MoshiServer"]


class MoshiServer(VendorServer):
    """moshi-server, which tells words early, and closes after an utterance."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/api/tts_streaming", path
        assert headers["kyutai-api-key"] == KEY
        assert query["format"] == "PcmMessagePack", query
        assert query["voice"], query

    async def talk(self, connection: Connection) -> None:
        """Speak each text at once."""
        seconds = 0.0
        await connection.greet(_packed(type="Ready"))
        async for data in connection:
            assert isinstance(data, bytes), "messages are binary"
            match msgspec.msgpack.decode(data):
                case {"type": "Text", "text": str(text)}:
                    for word, start, end in zip(*word_times(text, seconds), strict=True):
                        await connection.send(_packed(type="Text", text=word, start_s=start, stop_s=end))
                    for pcm in spoken(text.strip(), 24000):
                        seconds += len(pcm) / 48000
                        samples = [sample / 32768 for sample in array("h", pcm)]
                        await connection.send(_packed(type="Audio", pcm=samples))
                case {"type": "Eos"}:
                    await connection.close()
                case message:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _packed(**told: object) -> bytes:
    return msgspec.msgpack.encode(told)
