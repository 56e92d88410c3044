"""Framings: how audio and messages share a websocket, as protobuf or as JSON.

The protobuf frames of the public client libraries (proto3, package pipecat): Frame { oneof: text = 1,
audio = 2, transcription = 3, message = 4, interruption = 5 }. Two are used: AudioRawFrame { id = 1, name = 2,
audio = 3, sample_rate = 4, num_channels = 5, pts = 6 } and MessageFrame { data = 1 }, the JSON of a message
of the client protocol.
Encoding: https://protobuf.dev/programming-guides/encoding/
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

__all__ = ["FramedAudio", "FramedMessage", "Framing", "Json", "Protobuf"]

AUDIO, MESSAGE = 2, 4
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
LARGEST = 1 << 21
"""The size in bytes above which a message is ignored."""
MOST_FIELDS = 64  # of a protobuf message; a frame has six


@dataclass(frozen=True, slots=True)
class FramedAudio:
    """16-bit samples from the client, at its rate; channels are interleaved."""

    pcm: bytes
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class FramedMessage:
    """A message of the client protocol (RTVI), as JSON text."""

    text: str


class Framing(Protocol):
    """A sans-I/O codec for audio and messages on one wire."""

    def decode(self, message: bytes | str) -> FramedAudio | FramedMessage | None:
        """Parse a message from the client.

        Returns None if it is malformed or irrelevant, and never raises.
        """
        ...

    def encode_audio(self, pcm: bytes, sample_rate: int) -> bytes | str:
        """Encode mono 16-bit samples for the client to play."""
        ...

    def encode_message(self, text: str) -> bytes | str:
        """Encode a message of the client protocol."""
        ...


class Protobuf:
    """Binary messages, each a protobuf Frame."""

    def decode(self, message: bytes | str) -> FramedAudio | FramedMessage | None:
        """Parse an audio or a message frame."""
        if isinstance(message, str) or len(message) > LARGEST:
            return None
        try:
            kind, content = 0, b""
            for number, value in fields(message):
                if number in range(1, 6) and isinstance(value, bytes):
                    kind, content = number, value  # the last of a oneof counts
            if kind == AUDIO:
                found = dict(fields(content))
                pcm, rate, channels = found.get(3, b""), found.get(4, 0), found.get(5, 0)
                if isinstance(pcm, bytes) and isinstance(rate, int) and isinstance(channels, int):
                    return FramedAudio(pcm, rate & 0xFFFFFFFF, channels & 0xFFFFFFFF)
            elif kind == MESSAGE:
                data = dict(fields(content)).get(1, b"")
                return FramedMessage(data.decode()) if isinstance(data, bytes) else None
        except ValueError:
            return None
        return None

    def encode_audio(self, pcm: bytes, sample_rate: int) -> bytes:
        """Encode an audio frame."""
        audio = b"".join((
            tag(2, BYTES), varint(5), b"audio", tag(3, BYTES), varint(len(pcm)), pcm,
            tag(4, VARINT), varint(sample_rate), tag(5, VARINT), varint(1),
        ))  # fmt: skip
        return tag(AUDIO, BYTES) + varint(len(audio)) + audio

    def encode_message(self, text: str) -> bytes:
        """Encode a message frame."""
        data = text.encode()
        content = tag(1, BYTES) + varint(len(data)) + data
        return tag(MESSAGE, BYTES) + varint(len(content)) + content


class Json:
    """Text messages: those of the client protocol unchanged, and two more for audio.

    The client sends "raw-audio", which the client protocol itself handles. We send "bot-tts-audio" {audio:
    base64, sample_rate, num_channels}.
    """

    def decode(self, message: bytes | str) -> FramedAudio | FramedMessage | None:
        """Return the text unchanged, or None if it is binary or too long."""
        return FramedMessage(message) if isinstance(message, str) and len(message) <= LARGEST else None

    def encode_audio(self, pcm: bytes, sample_rate: int) -> str:
        """Encode a bot-tts-audio message."""
        audio = base64.b64encode(pcm).decode()
        data = {"audio": audio, "sample_rate": sample_rate, "num_channels": 1}
        return msgspec.json.encode({"label": "rtvi-ai", "type": "bot-tts-audio", "data": data}).decode()

    def encode_message(self, text: str) -> str:
        """Return the text unchanged."""
        return text


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field of a protobuf message.

    Raises ValueError if the message is malformed.
    """
    at = count = 0
    while at < len(data):
        if (count := count + 1) > MOST_FIELDS:
            raise ValueError("too many fields")
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if not 0 < number < 1 << 29:
            raise ValueError("no such field number")
        if wire == VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == BYTES:
            length, at = _varint(data, at)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise ValueError("no such wire type")
        if at + length > len(data):
            raise ValueError("cut short")
        yield number, data[at : at + length]
        at += length


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(10):
        if at + place >= len(data):
            break
        byte = data[at + place]
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at + place + 1
    raise ValueError("a number that never ends")


def varint(value: int) -> bytes:
    """Encode a number as a protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire: int) -> bytes:
    """Encode the tag that precedes a field's value."""
    return varint(number << 3 | wire)
