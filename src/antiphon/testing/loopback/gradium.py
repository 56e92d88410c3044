"""Gradium: speech to text, and voices.

https://docs.gradium.ai
"""

from base64 import b64decode, b64encode
from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer, spoken, word_times

__all__ = ["GradiumSteps", "GradiumVoices"]


class GradiumSteps(VendorServer):
    """Speech to text: https://docs.gradium.ai

    The last word comes after the answer to a flush.
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/api/speech/asr", path
        assert headers["x-api-key"] == KEY

    async def talk(self, connection: Connection) -> None:
        """Tell words one by one, and a step for each audio."""
        heard, told, ready = HeardAudio(), 0, False
        async for message in connection:
            match message:
                case {"type": "setup", "model_name": str(), "input_format": "pcm_16000"}:
                    assert not ready, "set up twice"
                    ready = True
                    await connection.greet({"type": "ready", "request_id": "1", "frame_size": 1280})
                case {"type": "audio", "audio": str(audio)}:
                    assert ready, "audio came before the setup"
                    heard.feed(b64decode(audio))
                    if heard.due() and told < 2:
                        await connection.send(_text(heard.words.split()[told]))
                        told += 1
                    await connection.send({"type": "step", "vad": [], "step_idx": 0})
                case {"type": "flush", "flush_id": str() | int() as name}:
                    words, told = heard.answer().split()[told:], 0
                    for word in words[:-1]:
                        await connection.send(_text(word))
                    await connection.send({"type": "flushed", "flush_id": name})
                    for word in words[-1:]:
                        await connection.send(_text(word))
                case {"type": "end_of_stream"}:
                    await connection.send({"type": "end_of_stream"})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def _text(word: str) -> dict[str, object]:
    return {"type": "text", "text": word, "start_s": 0.0}


class GradiumVoices(VendorServer):
    """Voices that speak each text at once; the times of words count on.

    Requests have names if they share a connection, which closes after a request
    unless it was told not to.
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/api/speech/tts", path
        assert headers["x-api-key"] == KEY

    async def talk(self, connection: Connection) -> None:
        """Speak each text of a request that was set up."""
        seconds: dict[str | None, float] = {}
        closes = True
        async for message in connection:
            name = message.get("client_req_id")
            about = {} if name is None else {"client_req_id": name}
            match message:
                case {"type": "setup", "output_format": "pcm_24000", "voice_id": str()}:
                    assert name not in seconds, "a request is set up once"
                    seconds[name] = 0.0
                    closes = message.get("close_ws_on_eos", True)
                    await connection.greet({"type": "ready", "request_id": "1", **about})
                case {"type": "text", "text": str(text)}:
                    for word, start, end in zip(*word_times(text, seconds[name]), strict=True):
                        times = {"start_s": start, "stop_s": end}
                        await connection.send({"type": "text", "text": word, **times, **about})
                    for pcm in spoken(text.strip(), 24000):
                        seconds[name] += len(pcm) / 48000
                        await connection.send({"type": "audio", "audio": b64encode(pcm).decode(), **about})
                case {"type": "end_of_stream"}:
                    del seconds[name]
                    await connection.send({"type": "end_of_stream", **about})
                    if closes:
                        await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
