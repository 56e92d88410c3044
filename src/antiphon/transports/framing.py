"""How audio and messages share a websocket: the protobuf frames of the public client libraries, or JSON.

The frames (proto3, package pipecat): Frame { oneof: text = 1, audio = 2, transcription = 3, message = 4,
interruption = 5 }, of which two are used: AudioRawFrame { id = 1, name = 2, audio = 3, sample_rate = 4,
num_channels = 5, pts = 6 } and MessageFrame { data = 1 }, the JSON of a message of the client protocol.
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
"""Bytes of a message; one that is longer is not read."""
MOST_FIELDS = 64  # of a protobuf message; a frame has six


@dataclass(frozen=True, slots=True)
class FramedAudio:
    """Samples, 16-bit, as the client sent them."""

    pcm: bytes
    sample_rate: int
    channels: int


@dataclass(frozen=True, slots=True)
class FramedMessage:
    """A message of the client protocol, as text."""

    text: str


class Framing(Protocol):
    """One way to say both on one wire."""

    def read(self, message: bytes | str) -> FramedAudio | FramedMessage | None:
        """What it holds; None where it is nothing of use. Raises nothing, whatever it is."""
        ...

    def sound(self, pcm: bytes, sample_rate: int) -> bytes | str:
        """Mono 16-bit samples for the client to play."""
        ...

    def message(self, text: str) -> bytes | str:
        """A message of the client protocol."""
        ...


class Protobuf:
    """Binary messages, each a Frame."""

    def read(self, message: bytes | str) -> FramedAudio | FramedMessage | None:
        """An audio or a message frame."""
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

    def sound(self, pcm: bytes, sample_rate: int) -> bytes:
        """An audio frame."""
        audio = b"".join((
            tag(2, BYTES), varint(5), b"audio", tag(3, BYTES), varint(len(pcm)), pcm,
            tag(4, VARINT), varint(sample_rate), tag(5, VARINT), varint(1),
        ))  # fmt: skip
        return tag(AUDIO, BYTES) + varint(len(audio)) + audio

    def message(self, text: str) -> bytes:
        """A message frame."""
        data = text.encode()
        content = tag(1, BYTES) + varint(len(data)) + data
        return tag(MESSAGE, BYTES) + varint(len(content)) + content


class Json:
    """Text messages: those of the client protocol as they are, and audio as two more of them.

    Client to server "raw-audio", read by the protocol itself; server to client "bot-tts-audio" {audio:
    base64, sample_rate, num_channels}.
    """

    def read(self, message: bytes | str) -> FramedAudio | FramedMessage | None:
        """Any text."""
        return FramedMessage(message) if isinstance(message, str) and len(message) <= LARGEST else None

    def sound(self, pcm: bytes, sample_rate: int) -> str:
        """A bot-tts-audio message."""
        audio = base64.b64encode(pcm).decode()
        data = {"audio": audio, "sample_rate": sample_rate, "num_channels": 1}
        return msgspec.json.encode({"label": "rtvi-ai", "type": "bot-tts-audio", "data": data}).decode()

    def message(self, text: str) -> str:
        """The text itself."""
        return text


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a protobuf message: number and value. Raises ValueError where it is none, or too long."""
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
    """A number, seven bits to a byte, lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire: int) -> bytes:
    """What stands before a field's value."""
    return varint(number << 3 | wire)
