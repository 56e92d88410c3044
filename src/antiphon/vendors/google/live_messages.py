"""The messages of Gemini Live that we send, and parts of those that it sends.

https://ai.google.dev/api/live
"""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any

from ...context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from ...encodable import to_json
from ...errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from ...services.chat_messages import INTERRUPTED, alternating
from ...services.realtime_codec import CodecEvent
from ...services.realtime_vocabulary import Consumed, Voice
from ...services.vendor_values import base64_bytes, fields, items, json_text, string, token_count
from ...services.websocket_client import Message

__all__ = [
    "GO_ON",
    "SPEECH_BEGINS",
    "SPEECH_ENDS",
    "close_error",
    "consumed",
    "history",
    "media",
    "refusal",
    "returned",
    "stop",
    "tool_response",
    "verbatim",
    "voice",
    "words",
]

SPEECH_BEGINS = json_text(realtimeInput={"activityStart": {}})
SPEECH_ENDS = json_text(realtimeInput={"activityEnd": {}})
GO_ON = "[Go on.]"  # asks for an answer to nothing new; some models do not answer an empty turn
VERBATIM = "Say exactly the following words, in the language in which they are written, and nothing else: "
NORMAL = ("", "TURN_COMPLETE_REASON_UNSPECIFIED", "NEED_MORE_INPUT")  # why a turn is complete
KINDS = {"TEXT": "text", "AUDIO": "audio", "IMAGE": "image", "VIDEO": "image", "DOCUMENT": "text"}
SOUND = (("prompt", "read"), ("response", "written"), ("candidates", "written"))
TEXT = {"toolUsePromptTokenCount": "text tokens read", "thoughtsTokenCount": "text tokens written"}


def media(kind: str, data: bytes, media_type: str) -> Message:
    """Return sound, or a picture, of the user."""
    blob = {"data": b64encode(data).decode(), "mimeType": media_type}
    return json_text(realtimeInput={kind: blob})


def words(texts: Sequence[str], *, complete: bool) -> Message:
    """Return words of the user; if they are complete, they are answered."""
    turn = {"role": "user", "parts": [{"text": text} for text in texts]}
    return json_text(clientContent={"turns": [turn], "turnComplete": complete})


def verbatim(text: str) -> str:
    """Return words of the user that ask the model to say a text."""
    return VERBATIM + to_json(text).decode()


def stop() -> Message:
    """Return what interrupts the vendor if it detects turns itself."""
    return json_text(clientContent={"turnComplete": False})


def tool_response(call: str, name: str, output: str) -> Message:
    """Return the result of a call, whose id may be ""."""
    result = ({"id": call} if call else {}) | {"name": name, "response": {"output": output}}
    return json_text(toolResponse={"functionResponses": [result]})


def returned(name: str, output: str) -> str:
    """Return in words what a tool has returned."""
    return f"[The tool {name} returned: {output}]"


def history(context: Context, *, complete: bool = False) -> Message | None:
    """Return the conversation so far; calls and results must be text.

    It is `complete` if the setup has announced it; else the vendor would answer it.
    """
    turns = alternating(context.entries, _parts, agent="model", field="parts")
    return json_text(clientContent={"turns": turns, "turnComplete": complete}) if turns else None


def _parts(entry: Entry) -> Iterator[dict[str, Any]]:
    match entry:
        case UserSaid(text) if text.strip():
            yield {"text": text}
        case AgentSaid(text, calls, interrupted):
            if text.strip():
                yield {"text": text + INTERRUPTED * interrupted}
            for call in calls:
                yield {"text": f"[I called the tool {call.name} with {call.arguments}]"}
        case ToolAnswered(call, result):
            yield {"text": returned(call.name, result)}
        case _:
            pass


def consumed(usage: object) -> Iterator[CodecEvent]:
    """Yield what was used. The fields have other names on the two platforms.

    Tokens whose kind is not told count as sound, which costs most.
    """
    told, counts = fields(usage), dict[str, int]()
    for side, done in SOUND:
        rest = token_count(told.get(f"{side}TokenCount"))
        for detail in map(fields, items(told.get(f"{side}TokensDetails"))):
            count = min(rest, token_count(detail.get("tokenCount")))
            unit = f"{KINDS.get(string(detail.get('modality')), 'audio')} tokens {done}"
            counts[unit], rest = counts.get(unit, 0) + count, rest - count
        unit = f"audio tokens {done}"
        counts[unit] = counts.get(unit, 0) + rest
    for name, unit in TEXT.items():
        counts[unit] = counts.get(unit, 0) + token_count(told.get(name))
    yield from (Consumed(unit, count) for unit, count in counts.items() if count)


def voice(content: dict[str, Any]) -> Iterator[Voice]:
    """Yield the voice in what the server tells; thoughts are never spoken."""
    for part in map(fields, items(fields(content.get("modelTurn")).get("parts"))):
        pcm = base64_bytes(fields(part.get("inlineData")).get("data"))
        if pcm and not part.get("thought"):
            yield Voice(pcm[: len(pcm) // 2 * 2])


def refusal(content: dict[str, Any]) -> str:
    """Return why a turn was broken off; "" if it is complete."""
    reason = string(content.get("turnCompleteReason"))
    return "" if reason in NORMAL else reason[:80]


def close_error(code: int, reason: str) -> TheyErred | None:
    """Return the error of a close code, whose reason tells more than the code."""
    said, low = f"google closed the connection: {code} {reason[:200]}", reason.lower()
    if "api key" in low or "credential" in low or "permission" in low:
        return AuthenticationError(said)
    if "quota" in low or "resource_exhausted" in low:
        return RateLimitError(said)
    if code == 1007 and "no turn" in low:  # an activity in which it heard nothing: a new connection helps
        return UnavailableError(said)
    if code == 1008:  # a model that there is not; or something that it has lost or given up
        return BadResponseError(said) if "model" in low else UnavailableError(said)
    return None
