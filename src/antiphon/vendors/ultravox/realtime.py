"""Ultravox: calls that are created by HTTP and held over websockets.

https://docs.ultravox.ai/apps/websockets

The vendor decides on turns, does not say when one begins, and is not told what was heard of an answer. Its
instructions and tools are fixed for each call, so a change is told by a new call in a pause. It takes no
pictures, and says nothing of usage, which is the time that a conversation takes.
"""

from collections.abc import Iterator
from typing import Any

from ...context import AgentSaid, Context, ToolAnswered, UserSaid
from ...errors import BadResponseError
from ...services.http_client import HttpClient, HttpRequest, body
from ...services.keys import VendorKey
from ...services.socket_realtime import SocketRealtime
from ...services.vendor_values import address, fields, items, json_object, string
from ...services.websocket_client import Handshake
from .codec import UltravoxCodec

__all__ = ["Realtime"]

LASTS = 3600.0  # seconds after which the vendor ends a call
WITHIN = 5.0  # seconds for the creation of a call
LONGEST_TOOL = "40s"  # the most that the vendor allows; else it waits for 2.5 s
BUFFER_MS = 30000  # of voice that may be ahead: it is dropped at an interruption


class Realtime(SocketRealtime):
    """Ultravox.

    `voice` is the name or id of one of the vendor's voices. `options` are further fields of a call.
    """

    input_rate = 16000
    detection = "theirs"
    goes_on_after_tools = True
    bills_open = True

    def __init__(
        self,
        model: str = "ultravox-v0.7",
        *,
        voice: str = "Mark",
        key: str | None = None,
        base_url: str = "https://api.ultravox.ai/api",
        **options: Any,
    ) -> None:
        super().__init__("ultravox", VendorKey("ultravox", "ULTRAVOX_API_KEY", key), model)
        self._http = HttpClient("ultravox", extra="services", key_name=self.key.name)
        self._url = address(f"{base_url}/calls", {"enableGreetingPrompt": False})
        rates = {"inputSampleRate": self.input_rate, "outputSampleRate": self.output_rate}
        self._call: dict[str, Any] = {
            "model": model,
            "voice": voice,
            "maxDuration": f"{LASTS:g}s",
            "firstSpeakerSettings": {"user": {}},
            "medium": {"serverWebSocket": rates | {"clientBufferSizeMs": BUFFER_MS}},
            **options,
        }

    async def open(self) -> None:
        """Check the key, and join the shared HTTP connections."""
        await super().open()
        await self._http.open()

    async def close(self) -> None:
        """Leave the shared HTTP connections."""
        await self._http.close()

    async def handshake_for(self, context: Context, handle: str | None) -> Handshake:
        call = self._call | {"systemPrompt": context.instructions, "selectedTools": list(_tools(context))}
        if messages := list(_messages(context)):
            call["initialMessages"] = messages
        request = HttpRequest(self._url, call, {"X-API-Key": self.key.value})
        async with self._http.post(request, within=WITHIN) as response:
            created = json_object(await body(response, 1 << 20), "a call")
        if not (url := string(created.get("joinUrl"))):
            raise BadResponseError("ultravox created a call without an address to join it")
        return Handshake(url)

    def codec(self, detects: bool, handle: str | None) -> UltravoxCodec:
        longest = string(self._call["maxDuration"]).removesuffix("s")
        return UltravoxCodec(float(longest) if longest.isdecimal() else LASTS)


def _tools(context: Context) -> Iterator[dict[str, Any]]:
    """Yield the tools: the vendor wants each parameter with a schema of its own."""
    for tool in context.tools:
        required = items(tool.parameters.get("required"))
        parameters = [
            {
                "name": name,
                "location": "PARAMETER_LOCATION_BODY",
                "schema": schema,
                "required": name in required,
            }
            for name, schema in fields(tool.parameters.get("properties")).items()
        ]
        yield {
            "temporaryTool": {
                "modelToolName": tool.name,
                "description": tool.description,
                "dynamicParameters": parameters,
                "timeout": LONGEST_TOOL,
                "client": {},
            }
        }


def _messages(context: Context) -> Iterator[dict[str, Any]]:
    """Yield the conversation so far."""
    for entry in context.entries:
        match entry:
            case UserSaid(text) if text.strip():
                yield {"role": "MESSAGE_ROLE_USER", "text": text}
            case AgentSaid(text, calls):
                if text.strip():
                    yield {"role": "MESSAGE_ROLE_AGENT", "text": text}
                for call in calls:
                    yield {"role": "MESSAGE_ROLE_TOOL_CALL", "text": call.arguments, "toolName": call.name,
                           "invocationId": call.id}  # fmt: skip
            case ToolAnswered(call, result):
                yield {"role": "MESSAGE_ROLE_TOOL_RESULT", "text": result, "toolName": call.name,
                       "invocationId": call.id}  # fmt: skip
            case _:
                pass
