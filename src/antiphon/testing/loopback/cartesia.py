"""Cartesia: Ink and Sonic."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from .server import KEY, Connection, HeardAudio, VendorServer, spoken, word_times

__all__ = ["CartesiaInk", "CartesiaSonic"]

VOICE_RATES = (8000, 16000, 22050, 24000, 44100, 48000)


class CartesiaInk(VendorServer):
    """Ink, asked for words: https://docs.cartesia.ai/api-reference/stt"""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/stt/websocket", path
        assert headers.get("x-api-key") == KEY or headers["authorization"] == f"Bearer {KEY}"
        assert headers["cartesia-version"] >= "2026", headers
        assert query["model"].startswith("ink"), query
        assert query["encoding"] == "pcm_s16le", query
        assert query["sample_rate"] == "16000", query

    async def talk(self, connection: Connection) -> None:
        """Tell words that may change; answer "finalize" with all of them, in two deltas."""
        heard = HeardAudio()
        async for message in connection:
            match message:
                case bytes():
                    heard.feed(message)
                    if heard.due():
                        told = {"type": "transcript", "text": heard.words, "is_final": False}
                        await connection.send(told)
                case "finalize" | "close":
                    if words := heard.answer():
                        for delta in (words[:7], words[7:]):
                            told = {"type": "transcript", "text": delta, "is_final": True}
                            await connection.send(told | {"request_id": "1"})
                    done = "flush_done" if message == "finalize" else "done"
                    await connection.send({"type": done, "request_id": "1"})
                    if message == "close":
                        await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


class CartesiaSonic(VendorServer):
    """Sonic: https://docs.cartesia.ai/api-reference/tts/websocket"""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, version and key; a version may stand in the address or a header."""
        assert path == "/tts/websocket", path
        assert query.get("cartesia_version", headers.get("cartesia-version", "")) >= "2026", query
        assert headers.get("x-api-key") == KEY or headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Speak each transcript of a context at once, with the times of its words."""
        seconds: dict[str, float] = {}
        settings: dict[str, object] = {}
        async for message in connection:
            match message:
                case {"context_id": str(context), "cancel": True}:
                    assert set(message) == {"context_id", "cancel"}, message
                    self.cancelled += 1
                    seconds.pop(context, None)
                    await connection.send(_told("done", context))
                case {"context_id": str(context), "transcript": str(), "continue": bool(more)}:
                    fixed = {k: v for k, v in message.items() if k not in ("transcript", "continue", "flush")}
                    assert settings.setdefault(context, fixed) == fixed, "a context's settings are locked"
                    form = message["output_format"]
                    assert form["container"] == "raw", form
                    assert form["encoding"] == "pcm_s16le", form
                    assert form["sample_rate"] in VOICE_RATES, form
                    assert message["voice"]["mode"] == "id", message
                    await self._speak(connection, message, seconds)
                    if not more:
                        await connection.send(_told("done", context))
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")

    async def _speak(
        self, connection: Connection, message: dict[str, Any], seconds: dict[str, float]
    ) -> None:
        context, text, rate = (
            message["context_id"],
            message["transcript"],
            message["output_format"]["sample_rate"],
        )
        begun = seconds.setdefault(context, 0.0)
        words, starts, ends = word_times(text, begun)
        if words and message.get("add_timestamps"):
            times = {"words": words, "start": starts, "end": ends}
            await connection.send(_told("timestamps", context) | {"word_timestamps": times})
        for pcm in spoken(text.strip(), rate):
            seconds[context] += len(pcm) / 2 / rate
            data = b64encode(pcm).decode()
            await connection.send(_told("chunk", context) | {"data": data, "step_time": 1.5})


def _told(kind: str, context: str) -> dict[str, object]:
    return {"type": kind, "context_id": context, "done": kind == "done", "status_code": 206}
