"""The protocol that Twilio began and others speak in their own words: JSON events, with audio in base64.

A provider's dialect is a table: how it says what we say, and what its `start` tells. What it says to us
differs so little that one reader takes it all.
"""

import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ...errors import BadResponseError
from .order import Order
from .port import (
    AudioFormat,
    CallDetails,
    CallerAudio,
    CallStarted,
    CallStopped,
    Event,
    KeyPressed,
    MarkPlayed,
    Message,
)

__all__ = ["Dialect", "Events", "ProviderMessage", "audio", "key", "line", "quoted", "read", "text", "texts"]

LONGEST = 1 << 18  # characters of a message; five seconds of audio have less
KEYS = frozenset("0123456789*#ABCD")
CONTENT = {"mulaw": "audio/x-mulaw", "l16": "audio/x-l16"}


class MediaMessage(msgspec.Struct):
    """A piece of the caller's voice."""

    payload: str
    track: str = "inbound"
    chunk: str | int | None = None


class Pressed(msgspec.Struct):
    digit: str | int


class Named(msgspec.Struct):
    name: str


class ProviderMessage(msgspec.Struct):
    """Any message of any of the dialects."""

    event: str
    media: MediaMessage | None = None
    dtmf: Pressed | None = None
    mark: Named | None = None
    start: dict[str, Any] | None = None
    stream_id: Any = None  # of Telnyx's start
    extra_headers: Any = None  # of Plivo's
    name: Any = None  # of Plivo's checkpoint
    payload: Any = None  # of Telnyx's error


@dataclass(frozen=True)
class Dialect:
    """How a provider puts it.

    In the texts, STREAM, DATA, NAME, KEYS, CONTENT (how audio is written) and RATE stand for what is said;
    all but DATA and RATE become quoted strings.
    """

    started: Callable[[ProviderMessage], CallDetails]
    media: str
    clear: str
    mark: str
    keys: str | None = None
    ordered: bool = True
    """Whether media come in the order of their numbers."""
    packet: float = 0.02


class Events:
    """A codec of such a dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.packet = dialect.packet
        self._dialect = dialect
        self._order = None if dialect.ordered else Order()
        self._begin(CallDetails("", ""))

    def feed(self, message: Message) -> Sequence[Event]:
        """What it says. Raises BadResponseError for what is no such event."""
        said = read(_said, message)
        if (media := said.media) is not None and said.event == "media":
            return self._heard(media)
        match said:
            case ProviderMessage(event="start", start=dict()):
                call = self._dialect.started(said)
                self._begin(call)
                return (CallStarted(call),)
            case ProviderMessage(event="dtmf", dtmf=Pressed(digit=digit)):
                return (key(digit),)
            case (
                ProviderMessage(event="mark", mark=Named(name=name))
                | ProviderMessage(event="playedStream", name=str(name))
            ):
                return (MarkPlayed(name),)
            case ProviderMessage(event="stop"):
                return (CallStopped(),)
            case ProviderMessage(event="error", payload=why):
                said_why = text(why, "detail") or text(why, "title") or "an error"
                raise BadResponseError(f"the provider says: {said_why[:200]}")
            case ProviderMessage(event="media" | "start" | "dtmf" | "mark" | "playedStream"):
                raise BadResponseError(f"an event {said.event!r} without what belongs to it")
            case _:
                return ()

    def media(self, data: bytes) -> str:
        """Play this."""
        return self._media[0] + b2a_base64(data, newline=False).decode("ascii") + self._media[1]

    def clear(self) -> str:
        """Forget what waits."""
        return self._clear

    def mark(self, name: str) -> str:
        """Say when this is reached."""
        return self._mark[0] + quoted(name) + self._mark[1]

    def keys(self, keys: str) -> str | None:
        """Press keys, where the dialect has a word for it."""
        return self._dialect.keys.replace("KEYS", quoted(keys)) if self._dialect.keys else None

    def end(self) -> None:
        """A request ends the call."""

    def transfer(self, to: str) -> None:
        """A request hands it on."""

    def _begin(self, call: CallDetails) -> None:
        stream, dialect = quoted(call.stream), self._dialect
        words = {
            "STREAM": stream,
            "CONTENT": quoted(CONTENT.get(call.spoken.encoding, "")),
            "RATE": str(call.spoken.sample_rate),
        }
        self._media = _around("DATA", dialect.media, words)
        self._mark = _around("NAME", dialect.mark, words)
        self._clear = dialect.clear.replace("STREAM", stream)

    def _heard(self, media: MediaMessage) -> Sequence[Event]:
        if not media.track.startswith("inbound"):
            return ()
        data = audio(media.payload)
        if self._order is None:
            return (CallerAudio(data),) if data else ()
        try:
            number = int(media.chunk) if media.chunk is not None else None
        except ValueError as error:
            raise BadResponseError(f"a chunk is numbered {media.chunk!r:.40}") from error
        return [CallerAudio(piece) for piece in self._order.put(number, data)]


def _around(hole: str, template: str, words: dict[str, str]) -> tuple[str, str]:
    """What stands before and behind the hole, with the other words filled in."""
    before, after = (
        re.sub("|".join(words), lambda found: words[found.group()], part) for part in template.split(hole)
    )
    return before, after


_said = msgspec.json.Decoder(ProviderMessage)


def read(decoder: "msgspec.json.Decoder[Any]", message: Message) -> Any:
    """A message, by its type. Raises BadResponseError for one that is not of it."""
    if len(message) > LONGEST:
        raise BadResponseError(f"a message of {len(message)} characters; {LONGEST} are the most")
    try:
        return decoder.decode(message)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadResponseError(f"a message is not of the protocol: {str(error)[:200]}") from error


def audio(payload: str) -> bytes:
    """What base64 holds. Raises BadResponseError."""
    try:
        return a2b_base64(payload, strict_mode=True)
    except ValueError as error:
        raise BadResponseError(f"audio is not base64: {error}") from error


def key(digit: str | int) -> KeyPressed:
    """A key that was pressed. Raises BadResponseError for what is none."""
    if (pressed := str(digit).upper()) not in KEYS:
        raise BadResponseError(f"{pressed[:20]!r} is no key of a telephone")
    return KeyPressed(pressed)


def text(data: Any, *path: str) -> str:
    """The text or number at a place of a message, "" where there is none."""
    for name in path:
        data = data.get(name) if isinstance(data, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return str(data) if isinstance(data, str | int) and not isinstance(data, bool) else ""  # pyright: ignore[reportUnknownArgumentType]


def texts(data: Any) -> dict[str, str]:
    """Those of an object's values that are texts or numbers."""
    if not isinstance(data, dict):
        return {}
    return {str(name): text(data, name) for name in data if text(data, name)}  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


ENCODINGS: dict[str, Any] = {
    **dict.fromkeys(("audio/x-mulaw", "pcmu", "mulaw", "ulaw", "audio/pcmu", ""), "mulaw"),
    **dict.fromkeys(("audio/x-alaw", "pcma", "alaw", "audio/pcma"), "alaw"),
    **dict.fromkeys(("audio/x-l16", "audio/l16", "audio/x-raw", "raw/slin", "slin", "l16"), "l16"),
    "g722": "g722",
    "opus": "opus",
}
"""What providers call how audio is written."""
RATES = frozenset((8000, 16000, 24000, 32000, 48000))


def line(encoding: str, rate: str | int = "") -> AudioFormat:
    """The line of a provider's words, such as "audio/l16;rate=16000".

    Raises BadResponseError where we do not speak so.
    """
    word, _, rest = encoding.lower().replace("@", ";").partition(";")
    hz = "".join(filter(str.isdigit, rest.partition(";")[0]))[:6] or str(rate)[:6]
    written = ENCODINGS.get(word.strip())
    sample_rate = int(hz) if hz.isdecimal() else 8000
    if written == "g722":
        sample_rate = 16000  # which RTP, and so many providers, call 8000
    if written is None or sample_rate not in RATES:
        raise BadResponseError(f"audio as {encoding[:40]!r} at {hz} Hz is not spoken here")
    return AudioFormat(written, sample_rate)


def quoted(value: str) -> str:
    """A JSON string, safe in a larger one."""
    return msgspec.json.encode(value).decode()
