"""The messages of the protocol; those of the client are validated.

An envelope is {"label": "rtvi-ai", "type": ..., "id": ..., "data": {...}}. Public description:
https://docs.pipecat.ai/api-reference/standards/rtvi-standard
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import msgspec

from ..encodable import encodable, from_json, to_json

__all__ = [
    "LABEL",
    "LARGEST",
    "VERSION",
    "AppendToContext",
    "BadMessage",
    "Body",
    "CallResult",
    "ClientReady",
    "ClientRequest",
    "DisconnectBot",
    "Dtmf",
    "RawAudio",
    "RawAudioBatch",
    "Received",
    "SendFile",
    "SendText",
    "UICancel",
    "UIEvent",
    "UISnapshot",
    "decode",
    "encode",
    "major",
]

LABEL = "rtvi-ai"
VERSION = "2.2.0"
"""The version that this implements; clients of major version 1 are served in their own version."""
LARGEST = 1 << 20
"""Characters of a message, at most."""
MOST_PARTS = 20_000  # lists and objects in a message, at most: to decode a megabyte of them takes 0.1 s

_ESCAPED_HALF = re.compile(  # of a surrogate pair, without its other half
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Words: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
Key: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-D*#]\Z")]
KeyList: TypeAlias = Annotated[list[Key], msgspec.Meta(min_length=1, max_length=64)]


class Body(msgspec.Struct):
    """The data of a message."""


class ClientReady(Body):
    """The client is ready and asks for bot-ready. Any `version` is accepted."""

    version: Any = ""


class ClientRequest(Body):
    """A message to the agent's program: its type and its data."""

    t: Name
    d: Any = None


class TextOptions(Body):
    """How to treat typed words; null means the default, as if the field were missing."""

    run_immediately: bool | None = None
    audio_response: bool | None = None


class SendText(Body):
    """The user has typed."""

    content: Words
    options: TextOptions | None = None


class SendFile(Body):
    """The user sent a file."""

    file: dict[str, Any]
    content: str | None = None
    options: dict[str, Any] | None = None


class RawAudio(Body):
    """Microphone audio, for transports without an audio channel.

    `audio` holds 16-bit samples in base64.
    """

    audio: str = msgspec.field(name="base64Audio")
    sample_rate: int = msgspec.field(name="sampleRate", default=16000)
    channels: int = msgspec.field(name="numChannels", default=1)


class RawAudioBatch(Body):
    """Several pieces of microphone audio."""

    audio: list[str] = msgspec.field(name="base64AudioBatch")
    sample_rate: int = msgspec.field(name="sampleRate", default=16000)
    channels: int = msgspec.field(name="numChannels", default=1)


class Dtmf(Body):
    """Keys of the telephone keypad: a list, or one key (protocol 2.0)."""

    buttons: KeyList | None = None
    button: Key | None = None


class CallResult(Body):
    """The result of a function of the client."""

    tool_call_id: Name
    result: Any = None
    function_name: str | None = None
    arguments: Any = None


class DisconnectBot(Body):
    """The client asks the agent to leave."""


class UIEvent(Body):
    """Something happened in the client's user interface."""

    event: Name
    payload: Any = None


class UISnapshot(Body):
    """The content of the user interface, as a tree of roles and names."""

    tree: dict[str, Any]


class UICancel(Body):
    """The user asks to stop a group of jobs."""

    job_id: Name
    reason: str | None = None


class AppendToContext(Body):
    """The predecessor of send-text in protocol 1."""

    role: str
    content: Any
    run_immediately: bool | None = None


TYPES: dict[str, type[Body]] = {
    "client-ready": ClientReady,
    "client-message": ClientRequest,
    "send-text": SendText,
    "send-file": SendFile,
    "raw-audio": RawAudio,
    "raw-audio-batch": RawAudioBatch,
    "dtmf": Dtmf,
    "llm-function-call-result": CallResult,
    "disconnect-bot": DisconnectBot,
    "ui-event": UIEvent,
    "ui-snapshot": UISnapshot,
    "ui-cancel-job-group": UICancel,
    "append-to-context": AppendToContext,
}
"""The messages that a client may send, by their type."""


class _Envelope(msgspec.Struct):
    label: Any = None
    type: Any = None
    id: Any = None
    data: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Received:
    """A valid message."""

    id: str
    body: Body


@dataclass(frozen=True, slots=True)
class BadMessage:
    """An invalid message; `why` is for the client's programmer to read."""

    id: str
    why: str


def decode(text: str) -> Received | BadMessage | None:
    """Decode a message; returns None if it is not of this protocol.

    Never raises, whatever the text is.
    """
    if len(text) > LARGEST:
        return BadMessage("", f"a message of {len(text)} characters is too long; the limit is {LARGEST}")
    if text.count("[") + text.count("{") > MOST_PARTS:
        why = f"a message has too many lists and objects; the limit is {MOST_PARTS}"
        return BadMessage("", why) if LABEL in text else None
    envelope = _envelope(text)
    if envelope is None:
        return None
    if envelope.label != LABEL:
        return None
    number = "" if envelope.id is None else envelope.id
    if not isinstance(number, str) or len(number) > 256:
        return BadMessage("", "the id of a message must be a string of up to 256 characters")
    kind = TYPES.get(envelope.type) if isinstance(envelope.type, str) else None
    if kind is None:
        return BadMessage(number, f"Unsupported type {str(envelope.type)[:64]}")
    data = b"{}" if bytes(envelope.data) == b"null" else envelope.data
    try:
        return Received(number, msgspec.json.decode(data, type=kind))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return BadMessage(number, f"Invalid {envelope.type}: {str(error)[:200]}")


def _envelope(text: str) -> _Envelope | None:
    """Read a message without decoding its data.

    Mends text that holds only half of an emoji.
    """
    try:
        return msgspec.json.decode(_mended(text), type=_Envelope)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _mended(text: str) -> str | bytes:
    """Return the text with lone halves of surrogate pairs mended.

    JSON with escaped halves is decoded and encoded again.
    """
    lone = _ESCAPED_HALF.search(text) is not None
    return to_json(from_json(text)) if lone else encodable(text)


def encode(kind: str, data: Any, number: str) -> str:
    """Encode a message to the client.

    Raises TypeError or ValueError if JSON cannot express the data.
    """
    message = {"label": LABEL, "type": kind, "id": number}
    if data is not None:
        message["data"] = data
    return to_json(message).decode()


def major(version: str) -> int | None:
    """Return the major version; None if this is not a version number."""
    first, _, rest = version.partition(".")
    return int(first) if len(first) < 4 and first.isascii() and first.isdigit() and rest else None
