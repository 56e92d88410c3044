"""The items of a conversation in the protocol of OpenAI's Realtime API.

https://platform.openai.com/docs/api-reference/realtime-client-events/conversation/item/create
"""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from typing import Any

from ..context import AgentSaid, Context, Image, ToolAnswered, UserSaid
from ..encodable import encodable
from .chat_messages import tools

__all__ = ["RealtimeItems", "data_uri", "realtime_tools", "user_item"]

LONGEST_ID = 32  # characters of a call's id
TAIL = 28  # of them, that are the vendor's in an id of our own such as "12-call_1"


class RealtimeItems:
    """Makes items for one connection, whose tool calls it knows.

    `said` is the type of what the agent said: "output_text", or "text" in older dialects.
    """

    def __init__(self, said: str) -> None:
        self._said = said
        self._calls: list[str] = []

    def knows(self, call: str) -> None:
        """Note the id of a call that the model made."""
        self._calls.append(call)

    def has(self, call: str) -> bool:
        """Return whether the connection knows a call of this id."""
        return call in self._calls

    def history(self, context: Context) -> Iterable[dict[str, Any]]:
        """Yield the items of a conversation so far."""
        for entry in context.entries:
            match entry:
                case UserSaid(text, pictures):
                    if text.strip() or pictures:
                        yield user_item(text, pictures)
                case AgentSaid(text, calls):
                    if text.strip():
                        content = [{"type": self._said, "text": encodable(text)}]
                        yield {"type": "message", "role": "assistant", "content": content}
                    for call in calls:
                        yield self._call(call.id[-LONGEST_ID:], call.name, call.arguments)
                case ToolAnswered(call, result):
                    if (known := call.id[-LONGEST_ID:]) in self._calls:
                        yield _output(known, result)

    def output(self, call: str, name: str, output: str) -> Iterable[dict[str, Any]]:
        """Yield the result of a call.

        The vendor refuses the result of a call that it does not know. One that was made over another
        connection is in the history under an id of ours; if it is not, it is told here.
        """
        end = f"-{call}"[-TAIL:]
        ours = (one for one in reversed(self._calls) if one.endswith(end))
        if (known := call if call in self._calls else next(ours, None)) is None:
            known = call[-LONGEST_ID:]
            yield self._call(known, name, "{}")
        yield _output(known, output)

    def _call(self, call: str, name: str, arguments: str) -> dict[str, Any]:
        self._calls.append(call)
        return {"type": "function_call", "call_id": call, "name": name, "arguments": arguments or "{}"}


def user_item(text: str, pictures: Sequence[Image] = ()) -> dict[str, Any]:
    """Return what the user said or showed."""
    content: list[dict[str, Any]] = [{"type": "input_text", "text": encodable(text)}] if text.strip() else []
    content += [{"type": "input_image", "image_url": data_uri(image)} for image in pictures]
    return {"type": "message", "role": "user", "content": content}


def data_uri(image: Image) -> str:
    """Return a picture as an address that holds it."""
    return f"data:{image.media_type};base64,{b64encode(image.data).decode()}"


def realtime_tools(context: Context) -> list[dict[str, Any]]:
    """Return the context's tools as this protocol describes them."""
    return [{"type": "function", **tool["function"]} for tool in tools(context)]


def _output(call: str, output: str) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call, "output": encodable(output)}
