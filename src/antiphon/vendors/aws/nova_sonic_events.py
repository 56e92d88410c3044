"""The events that AWS's Nova Sonic is sent, and two readings of what it sends.

https://docs.aws.amazon.com/nova/latest/nova2-userguide/sonic-input-events.html
"""

import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Any
from uuid import uuid4

from ...context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from ...encodable import encodable, to_json
from ...errors import AuthenticationError, BadResponseError, RateLimitError, TheyErred, UnavailableError
from ...services.aws_event_stream import AwsEvent, encode_event
from ...services.chat_messages import INTERRUPTED, alternating
from ...services.vendor_values import json_object, reason_in

__all__ = ["GO_ON", "VERBATIM", "NovaSonicEvents", "call_arguments", "stated_by_sonic"]

VERBATIM = "Say exactly the following words, in the language in which they are written, and nothing else: "
GO_ON = "Please go on."  # stands for a wish for an answer to nothing new
INFERENCE = {"maxTokens": 1024, "topP": 0.9, "temperature": 0.7}
PCM = {"mediaType": "audio/lpcm", "sampleSizeBits": 16, "channelCount": 1, "audioType": "SPEECH",
       "encoding": "base64"}  # fmt: skip
PLAIN = {"textInputConfiguration": {"mediaType": "text/plain"}}
TURNS = 40  # of the history, at most
TEXT, HISTORY = 40_000, 160_000  # bytes of one turn of the history and of all; AWS allows a bit more
REFUSED = {
    "throttlingException": RateLimitError,
    "accessDeniedException": AuthenticationError,
    "resourceNotFoundException": BadResponseError,
    "validationException": BadResponseError,
}
TRANSIENT = ("instability", "imed out", "try again", "retry")  # in a validationException


class NovaSonicEvents:
    """Makes the events of one connection.

    They are one prompt with one stream of sound, and blocks of text and of tools' results beside it.
    """

    def __init__(self, voice: str, options: Mapping[str, Any]) -> None:
        self._voice = voice
        self._options = options
        self._prompt = str(uuid4())
        self._names = (f"{self._prompt}-{number}" for number in count(1))
        self._sound = next(self._names)

    def begin(self, context: Context) -> Iterable[bytes]:
        """Yield what stands before the sound."""
        yield _event("sessionStart", {"inferenceConfiguration": INFERENCE} | dict(self._options))
        audio = PCM | {"sampleRateHertz": 24000, "voiceId": self._voice}
        yield self._say(
            "promptStart",
            textOutputConfiguration={"mediaType": "text/plain"},
            audioOutputConfiguration=audio,
            **_tools(context),
        )
        yield from self.text("SYSTEM", context.instructions or "Be helpful.")
        for role, text in _history(context):
            yield from self.text(role, text)
        heard = {"audioInputConfiguration": PCM | {"sampleRateHertz": 16000}}
        yield self._start(self._sound, "AUDIO", "USER", True, **heard)

    def sound(self, pcm: bytes) -> bytes:
        """Return the user's sound."""
        return self._say("audioInput", contentName=self._sound, content=b64encode(pcm).decode())

    def text(self, role: str, text: str, *, interactive: bool = False) -> Iterable[bytes]:
        """Yield a text; an `interactive` one is answered."""
        name = next(self._names)
        yield self._start(name, "TEXT", role, interactive, **PLAIN)
        yield self._say("textInput", contentName=name, content=encodable(text))
        yield self._say("contentEnd", contentName=name)

    def result(self, call: str, output: str) -> Iterable[bytes]:
        """Yield the result of a tool."""
        name, told = next(self._names), {"toolUseId": call, "type": "TEXT"} | PLAIN
        yield self._start(name, "TOOL", "TOOL", False, toolResultInputConfiguration=told)
        yield self._say("toolResult", contentName=name, content=_object(output))
        yield self._say("contentEnd", contentName=name)

    def end(self) -> Iterable[bytes]:
        """Yield what ends the session."""
        yield self._say("contentEnd", contentName=self._sound)
        yield self._say("promptEnd")
        yield _event("sessionEnd", {})
        yield b""  # the end of the stream is signed too

    def _start(self, name: str, kind: str, role: str, interactive: bool, **more: object) -> bytes:
        block = {"contentName": name, "type": kind, "role": role, "interactive": interactive}
        return self._say("contentStart", **block, **more)

    def _say(self, kind: str, **values: object) -> bytes:
        return _event(kind, {"promptName": self._prompt} | values)


def _event(kind: str, values: Mapping[str, object]) -> bytes:
    inner = b64encode(to_json({"event": {kind: values}})).decode()
    payload = to_json({"bytes": inner})
    return encode_event(payload, event_type="chunk", message_type="event", content_type="application/json")


def _tools(context: Context) -> dict[str, object]:
    tools = [
        {"toolSpec": {"name": tool.name, "description": tool.description or tool.name,
                      "inputSchema": {"json": json.dumps(tool.parameters)}}}
        for tool in context.tools
    ]  # fmt: skip
    wanted = {"toolUseOutputConfiguration": {"mediaType": "application/json"}}
    return {**wanted, "toolConfiguration": {"tools": tools}} if tools else {}


def _history(context: Context) -> list[tuple[str, str]]:
    """Return roles and texts of the newest turns.

    The user comes first, and there are no more than AWS takes.
    """
    turns: list[tuple[str, str]] = []
    size = 0
    for turn in reversed(alternating(context.entries, _parts)[-TURNS:]):
        text = "\n".join(part["text"] for part in turn["content"]).encode()[:TEXT].decode(errors="ignore")
        size += len(text.encode())
        if size > HISTORY:
            break
        turns.insert(0, (turn["role"].upper(), text))
    return turns[1:] if turns and turns[0][0] == "ASSISTANT" else turns


def _parts(entry: Entry) -> Iterator[dict[str, Any]]:
    match entry:
        case UserSaid(text) if text.strip():
            yield {"text": encodable(text)}
        case AgentSaid(text, _, interrupted) if text.strip():
            yield {"text": encodable(text) + INTERRUPTED * interrupted}
        case ToolAnswered(call, result):
            yield {"text": encodable(f"[{call.name}({call.arguments}) returned: {result}]")}
        case _:
            pass


def _object(output: str) -> str:
    """Return the result of a tool as the JSON of an object, which AWS wants."""
    try:
        return json.dumps(json_object(output), ensure_ascii=False)
    except BadResponseError:
        return json.dumps({"result": output}, ensure_ascii=False)


def call_arguments(content: object) -> str:
    """Return the arguments of a call; some models encode them twice, or not at all."""
    if not isinstance(content, str):
        return json.dumps(content or {})
    if not content.strip():
        return "{}"
    try:
        inner = json.loads(content)
    except ValueError:
        return content
    return inner if isinstance(inner, str) and inner.lstrip().startswith("{") else content


def stated_by_sonic(event: AwsEvent) -> TheyErred:
    """Return the error that an event states."""
    kind = event.headers.get(":exception-type") or event.headers.get(":error-code", "an error")
    said = event.headers.get(":error-message") or reason_in(event.payload)
    known = REFUSED.get(kind, UnavailableError)
    if known is BadResponseError and any(word in said for word in TRANSIENT):
        known = UnavailableError
    return known(f"aws: {kind}: {said[:200]}")
