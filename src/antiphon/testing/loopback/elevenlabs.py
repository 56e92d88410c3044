"""ElevenLabs: Scribe, and voices and dialogues with several contexts."""

from base64 import b64decode, b64encode
from collections.abc import Mapping

from .server import KEY, Connection, HeardAudio, VendorServer, spoken

__all__ = ["ElevenLabsDialogue", "ElevenLabsScribe", "ElevenLabsVoices"]


class ElevenLabsScribe(VendorServer):
    """Scribe.

    https://elevenlabs.io/docs/api-reference/speech-to-text/v-1-speech-to-text-realtime
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v1/speech-to-text/realtime", path
        assert headers["xi-api-key"] == KEY
        assert query["audio_format"] == "pcm_16000", query
        assert query["commit_strategy"] == "manual", query

    async def talk(self, connection: Connection) -> None:
        """Answer audio with partial words, a commit with all of them."""
        heard, since = HeardAudio(), 0.0
        await connection.greet({"message_type": "session_started", "session_id": "1", "config": {}})
        async for message in connection:
            match message:
                case {
                    "message_type": "input_audio_chunk",
                    "audio_base_64": str(audio),
                    "commit": bool(commit),
                    "sample_rate": 16000,
                }:
                    heard.feed(b64decode(audio))
                    if commit:
                        await connection.send(
                            {"message_type": "committed_transcript", "text": heard.answer()}
                        )
                    elif heard.loud and heard.seconds - since >= 0.3:
                        since = heard.seconds
                        await connection.send({"message_type": "partial_transcript", "text": heard.words})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


class ElevenLabsVoices(VendorServer):
    """Voices.

    https://elevenlabs.io/docs/api-reference/text-to-speech/v-1-text-to-speech-voice-id-multi-stream-input
    """

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path.startswith("/v1/text-to-speech/"), path
        assert path.endswith("/multi-stream-input"), path
        assert headers["xi-api-key"] == KEY
        self.sample_rate = int(query["output_format"].removeprefix("pcm_"))

    async def talk(self, connection: Connection) -> None:
        """Speak what is flushed, with times of characters."""
        waiting: dict[str, str] = {}
        async for message in connection:
            match message:
                case {"context_id": str(context), "close_context": True}:
                    self.cancelled += bool(waiting.pop(context, ""))
                    await connection.send({"contextId": context, "isFinal": True})
                case {"context_id": str(context), "text": str() | None} | {
                    "context_id": str(context),
                    "flush": True,
                }:
                    text = message.get("text") or ""
                    if context not in waiting:
                        assert text == " ", "the first message of a context is a space"
                        assert len(waiting) < 5, "more than five contexts"
                    else:
                        assert "voice_settings" not in message, "settings belong into the first message"
                    waiting[context] = waiting.get(context, "") + text
                    if message.get("flush"):
                        await self._speak(connection, context, waiting[context].lstrip())
                        waiting[context] = " "
                case {"close_socket": True}:
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")

    async def _speak(self, connection: Connection, context: str, text: str) -> None:
        for place, pcm in enumerate(spoken(text, self.sample_rate)):
            chars = text[place * 2 : place * 2 + 2]  # 50 ms each, and pieces of 100 ms
            alignment = {
                "chars": list(chars),
                "charStartTimesMs": [50 * at for at in range(len(chars))],
                "charDurationsMs": [50] * len(chars),
            }
            audio = b64encode(pcm).decode()
            await connection.send({"audio": audio, "contextId": context, "alignment": alignment})


class ElevenLabsDialogue(VendorServer):
    """Dialogues, which the models from v3 on speak."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path == "/v1/text-to-dialogue/multi-stream-input", path
        assert headers["xi-api-key"] == KEY
        assert query["model_id"].startswith(("eleven_v3", "eleven_v4")), query
        self.sample_rate = int(query["output_format"].removeprefix("pcm_"))

    async def talk(self, connection: Connection) -> None:
        """Speak what is flushed in a context that was registered with its voices."""
        waiting: dict[str, str] = {}
        async for message in connection:
            match message:
                case {"context_id": str(context), "voices": [_]}:
                    assert context not in waiting, "voices can only be set in the first message"
                    assert len(waiting) < 5, "more than five contexts"
                    waiting[context] = ""
                case {"context_id": str(context), "inputs": [{"text": str(text), "voice_id": _}]}:
                    waiting[context] += text
                case {"context_id": str(context), "flush": True}:
                    for place, pcm in enumerate(spoken(waiting[context], self.sample_rate)):
                        chars = waiting[context][place * 2 : place * 2 + 2]
                        starts, lengths = [0, 50][: len(chars)], [50] * len(chars)
                        alignment: dict[str, object] = {"chars": list(chars)}
                        alignment |= {"char_start_times_ms": starts, "char_durations_ms": lengths}
                        audio = b64encode(pcm).decode()
                        await connection.send({"context_id": context, "audio": audio, "alignment": alignment})
                    waiting[context] = ""
                case {"context_id": str(context), "keep_alive": True}:
                    assert context in waiting, context
                case {"context_id": str(context), "close_context": True}:
                    self.cancelled += 1
                    waiting.pop(context, None)  # it may have ended while the client cancelled it
                    await connection.send({"context_id": context, "is_final": True})
                case {"close_socket": True}:
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
