"""OpenAI's transcription in real time, as others speak it too."""

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from .server import KEY, Connection, HeardAudio, VendorServer

__all__ = ["OpenAITranscription", "TogetherTranscription"]

SESSION = {"type": "session.created", "event_id": "1", "session": {"id": "1", "type": "transcription"}}
TRANSCRIPTION = "conversation.item.input_audio_transcription."


class OpenAITranscription(VendorServer):
    """Transcription: https://platform.openai.com/docs/guides/realtime-transcription

    Words come as deltas while audio comes, and again as a whole after a commit.
    """

    sample_rate = 24000

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/realtime", path
        assert query == {"intent": "transcription"}, "a model in the address opens a conversation"
        assert headers["authorization"] == f"Bearer {KEY}"

    async def set_up(self, connection: Connection, session: dict[str, Any]) -> None:
        """Check what a session.update sets."""
        assert session["type"] == "transcription", session
        heard = session["audio"]["input"]
        assert heard["format"] == {"type": "audio/pcm", "rate": 24000}, heard
        assert heard["turn_detection"] is None, "these models end no turns"
        assert heard["transcription"]["model"], heard
        await connection.greet({"type": "session.updated", "session": session, "event_id": "2"})

    async def talk(self, connection: Connection) -> None:
        """Tell deltas, and each committed item."""
        heard, told, item, held = HeardAudio(), "", 1, 0.0
        await connection.greet(SESSION)
        async for message in connection:
            name = f"item-{item}"
            match message:
                case {"type": "session.update"}:
                    await self.set_up(connection, message["session"])
                case {"type": "input_audio_buffer.append", "audio": str(audio)}:
                    before = heard.seconds
                    heard.feed(b64decode(audio), self.sample_rate)
                    held += heard.seconds - before
                    if heard.due() and not told:
                        told = heard.words[:7]
                        await connection.send({
                            "type": f"{TRANSCRIPTION}delta", "item_id": name, "delta": told,
                            "event_id": "3", "content_index": 0,
                        })  # fmt: skip
                case {"type": "input_audio_buffer.commit"} if held < 0.1:
                    await connection.send({
                        "type": "error",
                        "event_id": "6",
                        "error": {
                            "type": "invalid_request_error",
                            "code": "input_audio_buffer_commit_empty",
                            "message": "The buffer is empty.",
                        },
                    })  # fmt: skip
                case {"type": "input_audio_buffer.commit"}:
                    words, told, held = heard.answer(), "", 0.0
                    await connection.send({
                        "type": "input_audio_buffer.committed", "item_id": name, "event_id": "4",
                    })  # fmt: skip
                    await connection.send({
                        "type": f"{TRANSCRIPTION}completed", "item_id": name, "transcript": words,
                        "event_id": "5", "content_index": 0, "usage": {"type": "duration", "seconds": 1},
                    })  # fmt: skip
                    item += 1
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


class TogetherTranscription(OpenAITranscription):
    """Together's transcription, which is set up by its address.

    https://docs.together.ai/docs/inference/transcription/streaming
    """

    sample_rate = 16000

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path, parameters and key."""
        assert path in ("/realtime", "/v1/realtime"), path
        assert query["model"], query
        assert query["input_audio_format"] == "pcm_s16le_16000", query
        assert query["turn_detection"] == "none", query
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["openai-beta"] == "realtime=v1", headers

    async def set_up(self, connection: Connection, session: dict[str, Any]) -> None:
        """Refuse: there is nothing to set up."""
        raise AssertionError(session)
