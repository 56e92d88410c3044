"""What clients say: the messages of the protocol as they come in, decoded, checked and bounded.

An envelope is {"label": "rtvi-ai", "type": ..., "id": ..., "data": {...}}. Public description:
https://docs.pipecat.ai/api-reference/standards/rtvi-standard
"""

from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import msgspec

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
"""The protocol that is spoken here; clients of major version 1 are served in theirs."""
LARGEST = 1 << 20
"""Characters of a message; one that is longer is not read."""
MOST_PARTS = 20_000  # lists and objects in a message: a megabyte of empty ones takes 0.1 s to read

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Words: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=20_000)]
Key: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9A-D*#]\Z")]
Keys: TypeAlias = Annotated[list[Key], msgspec.Meta(min_length=1, max_length=64)]


class Body(msgspec.Struct):
    """The data of a message."""


class ClientReady(Body):
    """The client wants to hear that the agent is ready; it is told so whatever it says of itself."""

    version: Any = ""


class ClientRequest(Body):
    """Something of the client's own program: its type and its data."""

    t: Name
    d: Any = None


class TextOptions(Body):
    """How typed words are to be taken; null is as good as nothing."""

    run_immediately: bool | None = None
    audio_response: bool | None = None


class SendText(Body):
    """The user has typed."""

    content: Words
    options: TextOptions | None = None


class SendFile(Body):
    """The user hands over a file."""

    file: dict[str, Any]
    content: str | None = None
    options: dict[str, Any] | None = None


class RawAudio(Body):
    """Microphone audio, where the transport has no better way: 16-bit samples in base64."""

    audio: str = msgspec.field(name="base64Audio")
    sample_rate: int = msgspec.field(name="sampleRate", default=16000)
    channels: int = msgspec.field(name="numChannels", default=1)


class RawAudioBatch(Body):
    """Several pieces of it."""

    audio: list[str] = msgspec.field(name="base64AudioBatch")
    sample_rate: int = msgspec.field(name="sampleRate", default=16000)
    channels: int = msgspec.field(name="numChannels", default=1)


class Dtmf(Body):
    """Keys of the telephone: all at once, or one (protocol 2.0)."""

    buttons: Keys | None = None
    button: Key | None = None


class CallResult(Body):
    """What a function of the client has returned."""

    tool_call_id: Name
    result: Any = None
    function_name: str | None = None
    arguments: Any = None


class DisconnectBot(Body):
    """The agent is to leave."""


class UIEvent(Body):
    """Something happened in the client's user interface."""

    event: Name
    payload: Any = None


class UISnapshot(Body):
    """What the user interface shows, as a tree of roles and names."""

    tree: dict[str, Any]


class UICancel(Body):
    """The user wants a group of jobs to be stopped."""

    job_id: Name
    reason: str | None = None


class AppendToContext(Body):
    """What protocol 1 had before send-text."""

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
"""Every message that a client may send."""


class _Envelope(msgspec.Struct):
    label: Any = None
    type: Any = None
    id: Any = None
    data: msgspec.Raw = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True)
class Received:
    """A message that is as it should be."""

    id: str
    body: Body


@dataclass(frozen=True, slots=True)
class BadMessage:
    """One that is not: why, for the client's programmer to read."""

    id: str
    why: str


def decode(text: str) -> Received | BadMessage | None:
    """Read a message; None where it is none of this protocol. Raises nothing, whatever the text is."""
    if len(text) > LARGEST:
        return BadMessage("", f"a message of {len(text)} characters is too long; {LARGEST} are read")
    if text.count("[") + text.count("{") > MOST_PARTS:
        why = f"a message has too many lists and objects; {MOST_PARTS} are read"
        return BadMessage("", why) if LABEL in text else None
    try:
        envelope = msgspec.json.decode(text, type=_Envelope)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if envelope.label != LABEL:
        return None
    number = "" if envelope.id is None else envelope.id
    if not isinstance(number, str) or len(number) > 256:
        return BadMessage("", "the id of a message is a text of up to 256 characters")
    kind = TYPES.get(envelope.type) if isinstance(envelope.type, str) else None
    if kind is None:
        return BadMessage(number, f"Unsupported type {str(envelope.type)[:64]}")
    data = b"{}" if bytes(envelope.data) == b"null" else envelope.data
    try:
        return Received(number, msgspec.json.decode(data, type=kind))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        return BadMessage(number, f"Invalid {envelope.type}: {str(error)[:200]}")


def encode(kind: str, data: Any, number: str) -> str:
    """A message to the client. Raises TypeError or ValueError where the data is not for JSON."""
    message = {"label": LABEL, "type": kind, "id": number}
    if data is not None:
        message["data"] = data
    return msgspec.json.encode(message).decode()


def major(version: str) -> int | None:
    """The major version; None where that is no version."""
    first, _, rest = version.partition(".")
    return int(first) if len(first) < 4 and first.isascii() and first.isdigit() and rest else None
