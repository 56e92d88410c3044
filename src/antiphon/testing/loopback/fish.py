"""Fish Audio.

https://docs.fish.audio/api-reference/endpoint/openapi-v1/text-to-speech-live-with-timestamps
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["FishVoices"]


class FishVoices(VendorServer):
    """Voices that speak what is flushed, and close after an utterance."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, key and model."""
        assert path == "/v1/tts/live/with-timestamp", path
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["model"] in ("s1", "s2-pro", "s2.1-pro"), headers

    async def talk(self, connection: Connection) -> None:
        """Answer each flush with a chunk, whose alignment is completed at its end."""
        request: dict[str, Any] = {}
        waiting, chunk, offset = "", 0, 0.0
        async for data in connection:
            assert isinstance(data, bytes), "messages are binary"
            match msgspec.msgpack.decode(data):
                case {"event": "start", "request": given} if not request:
                    request = given
                    assert request["text"] == "", request
                    assert request["format"] == "pcm", request
                case {"event": "text", "text": str(text)} if request:
                    waiting += text
                case {"event": "flush" | "stop" as event} if request:
                    offset = await self._speak(connection, request["sample_rate"], waiting, chunk, offset)
                    waiting, chunk = "", chunk + 1
                    if event == "stop":
                        await connection.send(_packed({"event": "finish", "reason": "stop"}))
                        await connection.close()
                case message:
                    raise AssertionError(f"not a message of the protocol: {message}")

    async def _speak(self, connection: Connection, rate: int, text: str, chunk: int, offset: float) -> float:
        times = zip(*word_times(text), strict=True)
        words = [{"text": word, "start": start, "end": end} for word, start, end in times]
        about = {"event": "audio", "chunk_seq": chunk, "chunk_audio_offset_sec": offset}
        for place, pcm in enumerate(spoken(text.strip(), rate), 1):
            alignment = {"segments": words[:place]} if place % 2 else None
            await connection.send(_packed(about, audio=pcm, alignment=alignment))
            offset += len(pcm) / 2 / rate
        if words:
            await connection.send(_packed(about, audio=b"", alignment={"segments": words}))
        return offset


def _packed(told: Mapping[str, object], **more: object) -> bytes:
    return msgspec.msgpack.encode({**told, **more})
