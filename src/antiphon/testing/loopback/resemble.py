"""Resemble: https://docs.resemble.ai/api-reference/synthesis/websocket"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, graph, spoken

__all__ = ["ResembleVoices"]


class ResembleVoices(VendorServer):
    """Voices that answer a request with audio and times of characters."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/stream", path
        assert headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Send audio cut inside of samples; the times are those of the whole request."""
        last = -1
        async for message in connection:
            match message:
                case {"voice_uuid": str(), "data": str(text), "request_id": int(name)}:
                    assert name > last, "request ids count up"
                    assert message["binary_response"] is False, message
                    assert message["precision"] == "PCM_16", message
                    assert message["no_audio_header"] is True, message
                    last, times = name, graph(text.strip())
                    pcm = b"".join(spoken(text.strip(), message["sample_rate"]))
                    for place, at in enumerate(range(0, len(pcm), 4801)):
                        audio = {"type": "audio", "audio_content": b64encode(pcm[at : at + 4801]).decode()}
                        first = {} if place else {"audio_timestamps": times}
                        await connection.send(audio | first | {"request_id": name})
                    await connection.send({"type": "audio_end", "request_id": name})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
