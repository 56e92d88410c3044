"""MiniMax: https://platform.minimax.io/docs/api-reference/speech-t2a-websocket"""

from collections.abc import Mapping

from .server import KEY, Connection, VendorServer, spoken

__all__ = ["MiniMaxVoices"]

DONE = {"status_code": 0, "status_msg": "success"}


class MiniMaxVoices(VendorServer):
    """Voices, a task for each connection."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        """Check path and key."""
        assert path == "/ws/v1/t2a_v2", path
        assert headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        """Take one task, and close at once when it is finished."""
        await connection.greet({"event": "connected_success", "session_id": "1", "base_resp": DONE})
        rate = 0
        async for message in connection:
            match message:
                case {"event": "task_start", "model": str(), "voice_setting": {"voice_id": str()}} if (
                    not rate
                ):
                    assert message["audio_setting"]["format"] == "pcm", message
                    rate = message["audio_setting"]["sample_rate"]
                    await connection.greet({"event": "task_started", "base_resp": DONE})
                case {"event": "task_continue", "text": str(text)} if rate:
                    parts = [pcm.hex() for pcm in spoken(text.strip(), rate)]
                    for place, audio in enumerate(parts, 1):
                        final = place == len(parts)
                        told = {"event": "task_continued", "data": {"audio": audio}, "is_final": final}
                        await connection.send(told | {"base_resp": DONE})
                case {"event": "task_finish"} if rate:
                    await connection.send({"event": "task_finished", "base_resp": DONE})
                    await connection.close()
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")
