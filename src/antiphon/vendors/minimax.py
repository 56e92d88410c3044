"""MiniMax's text to speech over websockets, a connection for each utterance.

https://platform.minimax.io/docs/api-reference/speech-t2a-websocket
"""

from collections.abc import Iterable
from typing import Any

from ..errors import BadResponseError
from ..services.http_client import stated_error
from ..services.keys import VendorKey
from ..services.ports import Vendor
from ..services.socket_tts import SocketTTS
from ..services.vendor_values import fields, json_object, json_text, string
from ..services.voice_codec import (
    MessagesDue,
    PieceEnded,
    Sound,
    VoiceCodec,
    VoiceEvent,
    VoiceReady,
)
from ..services.websocket_client import Handshake, Message

__all__ = ["TTS", "VENDOR"]

STATUSES = {1000: 500, 1001: 408, 1002: 429, 1004: 401, 1013: 500, 1039: 429, 1041: 429, 2049: 401}
"""The vendor's codes, as those of HTTP."""


class TTS(SocketTTS):
    """MiniMax. `voice` is the id of a voice, `language` a word such as "English".

    `settings` are further fields of the vendor's `voice_setting`, such as {"speed": 1.1, "emotion": "happy"};
    `options` further fields of a task.
    """

    def __init__(
        self,
        model: str = "speech-2.8-turbo",
        *,
        voice: str = "English_expressive_narrator",
        language: str | None = None,
        settings: dict[str, object] | None = None,
        key: str | None = None,
        base_url: str = "wss://api.minimax.io",
        **options: object,
    ) -> None:
        super().__init__("minimax", VendorKey("minimax", "MINIMAX_API_KEY", key), model)
        self._url = f"{base_url}/ws/v1/t2a_v2"
        self._task: dict[str, Any] = {
            "model": model,
            "voice_setting": {"voice_id": voice, **(settings or {})},
            "audio_setting": {"format": "pcm", "sample_rate": self.sample_rate, "channel": 1},
            "language_boost": language,
        } | options

    async def handshake(self) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self) -> VoiceCodec:
        return MiniMaxCodec(self._task)


class MiniMaxCodec(VoiceCodec):
    """A connection, which is one task.

    The vendor closes it at once if told that a task is finished, so it is closed here, once all was spoken.
    """

    waits_for_ready = True
    reusable = False
    marks_pieces = True
    ends_with_pieces = True
    unused_for = 100.0  # the vendor closes a task without text after 120

    def __init__(self, task: dict[str, Any]) -> None:
        self._task = task

    def text(self, context: str, text: str) -> Iterable[Message]:
        return (json_text(event="task_continue", text=text),)

    def read(self, message: Message) -> Iterable[VoiceEvent]:
        told = json_object(message)
        result = fields(told.get("base_resp"))
        if code := result.get("status_code"):
            status = STATUSES.get(code, 400) if isinstance(code, int) else None
            raise stated_error("minimax", status, result.get("status_msg"), "MINIMAX_API_KEY")
        match told.get("event"):
            case "connected_success":
                yield MessagesDue((json_text(event="task_start", **self._task),))
            case "task_started":
                yield VoiceReady()
            case "task_continued":
                yield Sound(_audio(fields(told.get("data")).get("audio")))
                if told.get("is_final"):
                    yield PieceEnded()
            case "task_failed":
                raise BadResponseError("minimax: the task failed")
            case _:
                pass


def _audio(value: object) -> bytes:
    """Return the bytes that a text holds as hexadecimal digits."""
    try:
        return bytes.fromhex(string(value))
    except ValueError as error:
        raise BadResponseError(f"minimax: not hexadecimal: {string(value)[:40]!r}") from error


VENDOR = Vendor(
    name="minimax",
    provides={"tts": "TTS"},
    docs="https://platform.minimax.io/docs/api-reference/speech-t2a-websocket",
    env=("MINIMAX_API_KEY",),
    extra="services",
    default={"tts": "speech-2.8-turbo"},
    options={"tts": "voice"},
    checked="2026-11-30",
)
