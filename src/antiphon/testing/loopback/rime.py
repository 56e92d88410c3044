"""Rime: https://docs.rime.ai/docs/websockets"""

from base64 import b64encode
from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, spoken, word_times

__all__ = ["RimeVoices"]


class RimeVoices(VendorServer):
    """Voices on /ws3, which speak what is flushed.

    What is flushed while they speak is spoken as one, with one "done".
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/ws3", path
        assert headers["authorization"] == f"Bearer {KEY}"
        assert query["speaker"], query
        assert query["modelId"] in ("coda", "mistv2", "mistv3"), query
        assert query["audioFormat"] == "pcm", query
        assert query["segment"] == "never", query
        self.sample_rate = int(query["samplingRate"])

    async def talk(self, connection: Connection) -> None:
        """Answer a flush with words, audio that is cut inside of samples, and "done"."""
        waiting = ""
        async for message in connection:
            match message:
                case {"text": str(text), "contextId": str()}:
                    assert text.endswith(" "), "without a space the last dot is read aloud"
                    waiting += text
                case {"operation": "flush", "contextId": str(context)}:
                    words, starts, ends = word_times(waiting)
                    times = {"words": words, "start": starts, "end": ends}
                    if words:
                        told = {"type": "timestamps", "contextId": context, "word_timestamps": times}
                        await connection.send(told)
                    pcm = b"".join(spoken(waiting.strip(), self.sample_rate))
                    for at in range(0, len(pcm), 4801):
                        data = b64encode(pcm[at : at + 4801]).decode()
                        await connection.send({"type": "chunk", "contextId": context, "data": data})
                    await connection.send({"type": "done", "contextId": context})
                    waiting = ""
                case {"operation": "clear"}:
                    self.cancelled += 1
                    waiting = ""
                case {"operation": "eos"}:
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
