"""Alibaba's models that hear, see and speak: Qwen-Omni.

https://www.alibabacloud.com/help/en/model-studio/client-events

The protocol is that of OpenAI's beta. Of items the vendor takes the results of tools alone: the conversation
so far stands in the instructions, and what the user types in those of one response. The vendor cannot be told
what was heard of a response. Pictures must be JPEGs of at most 500 kB, and are left out otherwise.
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from ...context import AgentSaid, Context, Image, ToolAnswered, UserSaid
from ...services.chat_messages import tools
from ...services.flat_realtime import FlatRealtimeCodec
from ...services.keys import VendorKey
from ...services.ports import Sees
from ...services.realtime_vocabulary import RealtimeInput, ToolOutput, UserWords
from ...services.socket_realtime import SocketRealtime
from ...services.vendor_values import address, json_text
from ...services.websocket_client import Handshake, Message

__all__ = ["QwenRealtimeCodec", "Realtime"]

LARGEST = 500_000  # bytes of a picture
BEFORE = "\n\nThe conversation so far, which you continue:\n"
NEWS = "\n\nThis is new, and you answer it now:\n"


class Realtime(SocketRealtime):
    """Qwen-Omni.

    The vendor always tells the user's words. `options` are further fields of the session, such as
    `temperature`; models before 3.5 want `output_audio_format="pcm24"` and have no tools. `base_url` chooses
    the region: "wss://dashscope.aliyuncs.com/api-ws/v1" is Beijing.
    """

    input_rate = 16000
    sees: Sees = "video"

    def __init__(
        self,
        model: str = "qwen3.5-omni-flash-realtime",
        *,
        voice: str = "Tina",
        speaks: bool = True,
        detection_settings: dict[str, Any] | None = None,
        key: str | None = None,
        base_url: str = "wss://dashscope-intl.aliyuncs.com/api-ws/v1",
        **options: Any,
    ) -> None:
        super().__init__("qwen", VendorKey("qwen", "DASHSCOPE_API_KEY", key), model)
        self.speaks = speaks
        self._url = address(f"{base_url}/realtime", {"model": model})
        self._detection = detection_settings or {"type": "server_vad"}
        self._settings: dict[str, Any] = {
            "modalities": ["text", "audio"] if speaks else ["text"],
            "voice": voice,
            "input_audio_format": "pcm",
            "output_audio_format": "pcm",
            **options,
        }

    async def handshake(self, handle: str | None) -> Handshake:
        return Handshake(self._url, {"Authorization": f"Bearer {self.key.value}"})

    def codec(self, detects: bool, handle: str | None) -> "QwenRealtimeCodec":
        return QwenRealtimeCodec(
            "qwen", self._settings | {"turn_detection": self._detection if detects else None}
        )


class QwenRealtimeCodec(FlatRealtimeCodec):
    """A connection."""

    lasts = 7200.0
    input_rate = 16000
    truncates = False

    def __init__(self, vendor: str, settings: Mapping[str, Any]) -> None:
        super().__init__(vendor, settings)
        self._before = ""
        self._instructions = ""
        self._news: list[str] = []  # for the next response
        self._heard_sound = False
        self._picture: Image | None = None

    # Towards the vendor

    def begin(self, context: Context) -> Iterable[Message]:
        if lines := list(_lines(context)):
            self._before = BEFORE + "\n".join(lines)
        return super().begin(Context(context.instructions, (), context.tools))

    def known(self, context: Context) -> dict[str, Any]:
        self._instructions = context.instructions + self._before
        return {"instructions": self._instructions, "tools": tools(context)}

    def put(self, item: RealtimeInput) -> Iterable[Message]:
        match item:
            case UserWords(text):
                self._news.append(f"The user has written: {json.dumps(text, ensure_ascii=False)}")
            case ToolOutput(id, _, output) if self.items.has(id):
                yield self.add({"type": "function_call_output", "call_id": id, "output": output})
            case ToolOutput(_, name, output):  # of a call over another connection
                self._news.append(f"Result of {name}: {output}")
            case _:
                yield from super().put(item)
                if (picture := self._picture) is not None and self._heard_sound:
                    self._picture = None
                    yield from self.show(picture)

    def append(self, pcm: bytes) -> Message:
        self._heard_sound = True
        return super().append(pcm)

    def show(self, image: Image) -> Iterable[Message]:
        """Show a picture, or keep it until the first sound, which must come before."""
        if not self._heard_sound:
            self._picture = image
        elif image.media_type == "image/jpeg" and len(image.data) <= LARGEST:
            yield json_text(type="input_image_buffer.append", image=b64encode(image.data).decode())

    def respond(self) -> Iterable[Message]:
        news, self._news = "\n".join(self._news), []
        return (self.create(instructions=self._instructions + NEWS + news) if news else self.create(),)

    def create(self, **response: object) -> Message:
        response.pop("tool_choice", None)
        return super().create(**response)

    def cancel(self, response: str | None) -> Message:
        return super().cancel(None)


def _lines(context: Context) -> Iterable[str]:
    for entry in context.entries:
        match entry:
            case UserSaid(text) if text.strip():
                yield f"User: {text}"
            case AgentSaid(text) if text.strip():
                yield f"You: {text}"
            case ToolAnswered(call, result):
                yield f"Result of {call.name}({call.arguments}): {result}"
            case _:
                pass
