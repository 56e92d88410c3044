"""Gradium: https://docs.gradium.ai/api-reference/endpoint/tts-websocket"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["GradiumVoices"]


class GradiumVoices(VendorServer):
    """Voices that speak each text at once; the times of words count on."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/api/speech/tts", path
        assert headers["x-api-key"] == KEY

    async def talk(self, connection: Connection) -> None:
        """Speak each text of a request that was set up."""
        seconds: dict[str, float] = {}
        async for message in connection:
            match message:
                case {"type": "setup", "client_req_id": str(name), "output_format": "pcm_24000"}:
                    assert name not in seconds, "a request is set up once"
                    assert message["voice_id"], message
                    assert message["close_ws_on_eos"] is False, message
                    seconds[name] = 0.0
                    await connection.greet({"type": "ready", "client_req_id": name})
                case {"type": "text", "client_req_id": str(name), "text": str(text)}:
                    about = {"client_req_id": name}
                    for word, start, end in zip(*word_times(text, seconds[name]), strict=True):
                        times = {"start_s": start, "stop_s": end}
                        await connection.send({"type": "text", "text": word, **times, **about})
                    for pcm in spoken(text.strip(), 24000):
                        seconds[name] += len(pcm) / 48000
                        await connection.send({"type": "audio", "audio": b64encode(pcm).decode(), **about})
                case {"type": "end_of_stream", "client_req_id": str(name)}:
                    del seconds[name]
                    await connection.send({"type": "end_of_stream", "client_req_id": name})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
