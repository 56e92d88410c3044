"""Twilio's protocol and its variants: JSON events with audio in base64.

What the providers send differs so little that one parser, `JsonEvents`, reads all of them. What they expect
from us, and how their `start` event describes the call, is data: a `Dialect`.
"""

import re
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from ...errors import BadResponseError
from .messages import decode_base64, decode_message, json_string, key_pressed, text_at
from .port import CallDetails, CallerAudio, CallEvent, CallStarted, CallStopped, MarkPlayed, WireMessage
from .reordering import ReorderBuffer

__all__ = ["Dialect", "JsonEvents", "ProviderMessage"]

CONTENT = {"mulaw": "audio/x-mulaw", "l16": "audio/x-l16"}


class MediaMessage(msgspec.Struct):
    """A piece of the caller's audio."""

    payload: str
    track: str = "inbound"
    chunk: str | int | None = None


class Pressed(msgspec.Struct):
    digit: str | int


class Named(msgspec.Struct):
    name: str


class ProviderMessage(msgspec.Struct):
    """A message from a provider, with the fields of all dialects."""

    event: str
    media: MediaMessage | None = None
    dtmf: Pressed | None = None
    mark: Named | None = None
    start: dict[str, Any] | None = None
    stream_id: Any = None  # Telnyx: in start
    extra_headers: Any = None  # Plivo: in start
    name: Any = None  # Plivo: in playedStream
    payload: Any = None  # Telnyx: in error


@dataclass(frozen=True)
class Dialect:
    """One provider's variant of the protocol.

    `started` parses its `start` event; the strings are templates of the messages that we send. Their
    placeholders are DATA (audio in base64), RATE (Hz), and, replaced by quoted JSON strings, STREAM (the
    stream's id), NAME (of a mark), KEYS and CONTENT (the media type).
    """

    started: Callable[[ProviderMessage], CallDetails]
    media: str
    clear: str
    mark: str
    keys: str | None = None
    ordered: bool = True
    """False if media messages may arrive out of order and must be sorted by their `chunk` numbers."""
    packet: float = 0.02
    """Seconds of audio that the provider wants in one message."""


class JsonEvents:
    """The `Codec` of a dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.packet = dialect.packet
        self._dialect = dialect
        self._reorder = None if dialect.ordered else ReorderBuffer()
        self._fill_in_templates(CallDetails("", ""))

    def feed(self, message: WireMessage) -> Sequence[CallEvent]:
        """Parse a message.

        Raises BadResponseError if it is malformed or reports an error.
        """
        said = decode_message(_decoder, message)
        if (media := said.media) is not None and said.event == "media":
            return self._caller_audio(media)
        match said:
            case ProviderMessage(event="start", start=dict()):
                call = self._dialect.started(said)
                self._fill_in_templates(call)
                return (CallStarted(call),)
            case ProviderMessage(event="dtmf", dtmf=Pressed(digit=digit)):
                return (key_pressed(digit),)
            case (
                ProviderMessage(event="mark", mark=Named(name=name))
                | ProviderMessage(event="playedStream", name=str(name))
            ):
                return (MarkPlayed(name),)
            case ProviderMessage(event="stop"):
                return (CallStopped(),)
            case ProviderMessage(event="error", payload=why):
                reason = text_at(why, "detail") or text_at(why, "title") or "an error"
                raise BadResponseError(f"the provider reports: {reason[:200]}")
            case ProviderMessage(event="media" | "start" | "dtmf" | "mark" | "playedStream"):
                raise BadResponseError(f"an event {said.event!r} lacks its contents")
            case _:
                return ()

    def media(self, data: bytes) -> str:
        """Return the message that plays audio."""
        return self._media[0] + b2a_base64(data, newline=False).decode("ascii") + self._media[1]

    def clear(self) -> str:
        """Return the message that discards audio which has not been played."""
        return self._clear

    def mark(self, name: str) -> str:
        """Return the message that asks for an event once playback gets here."""
        return self._mark[0] + json_string(name) + self._mark[1]

    def keys(self, keys: str) -> str | None:
        """Return the message that presses keys, or None if the dialect has none."""
        return self._dialect.keys.replace("KEYS", json_string(keys)) if self._dialect.keys else None

    def end(self) -> None:
        """Return None: a REST request ends the call."""

    def transfer(self, to: str) -> None:
        """Return None: a REST request transfers the call."""

    def _fill_in_templates(self, call: CallDetails) -> None:
        stream, dialect = json_string(call.stream), self._dialect
        values = {
            "STREAM": stream,
            "CONTENT": json_string(CONTENT.get(call.spoken.encoding, "")),
            "RATE": str(call.spoken.sample_rate),
        }
        self._media = _split_template(dialect.media, "DATA", values)
        self._mark = _split_template(dialect.mark, "NAME", values)
        self._clear = dialect.clear.replace("STREAM", stream)

    def _caller_audio(self, media: MediaMessage) -> Sequence[CallEvent]:
        if not media.track.startswith("inbound"):
            return ()
        data = decode_base64(media.payload)
        if self._reorder is None:
            return (CallerAudio(data),) if data else ()
        try:
            number = int(media.chunk) if media.chunk is not None else None
        except ValueError as error:
            raise BadResponseError(f"a chunk is numbered {media.chunk!r:.40}") from error
        return [CallerAudio(piece) for piece in self._reorder.put(number, data)]


def _split_template(template: str, placeholder: str, values: dict[str, str]) -> tuple[str, str]:
    """Return what precedes and follows the placeholder, with `values` filled in."""
    before, after = (
        re.sub("|".join(values), lambda found: values[found.group()], part)
        for part in template.split(placeholder)
    )
    return before, after


_decoder = msgspec.json.Decoder(ProviderMessage)
