"""A client of the client protocol on a wire in memory, for tests."""

import asyncio
import base64
from dataclasses import dataclass
from typing import Any

import msgspec

from ..transports.framing import FramedAudio, FramedMessage, Framing, Json, Protobuf

__all__ = ["ToldMessage", "WireClient"]


@dataclass(frozen=True, slots=True)
class ToldMessage:
    """A message that the client received, and when."""

    at: float
    type: str
    id: str
    data: Any


class WireClient:
    """A wire with a scripted client at its far end.

    The client sends what the test tells it to, and keeps what it receives. Times are those of the event loop.
    """

    def __init__(self, framing: Framing | None = None) -> None:
        self.framing = framing or Protobuf()
        self.told: list[ToldMessage] = []
        self.heard: list[tuple[float, FramedAudio]] = []
        """The time and audio of each piece of the agent's voice."""
        self.closed: int | None = None
        """The code with which the agent's side closed the wire."""
        self._gone = False
        self._outgoing: asyncio.Queue[bytes | str | None] = asyncio.Queue()

    # What a test does --------------------------------------------------------------------------------

    def ready(self, version: str = "2.1.0") -> None:
        """Send the client's first message, "client-ready"."""
        self.say("client-ready", {"version": version, "about": {"library": "test"}}, "ready")

    def say(self, kind: str, data: Any = None, number: str = "1") -> None:
        """Send a message of the client protocol."""
        envelope = {"label": "rtvi-ai", "type": kind, "id": number, "data": data}
        self.put(self.framing.encode_message(msgspec.json.encode(envelope).decode()))

    def put(self, message: bytes | str) -> None:
        """Send raw bytes or text."""
        self._outgoing.put_nowait(message)

    def leave(self) -> None:
        """Close the wire from the client's side."""
        self._outgoing.put_nowait(None)

    async def talk(self, pcm: bytes, sample_rate: int = 16000) -> None:
        """Send mono 16-bit audio in real time, in pieces of 20 ms."""
        size = sample_rate // 50 * 2
        for begun in range(0, len(pcm), size):
            await asyncio.sleep(0.02)
            self.sound(pcm[begun : begun + size], sample_rate)

    def sound(self, pcm: bytes, sample_rate: int = 16000) -> None:
        """Send audio in one message."""
        if isinstance(self.framing, Json):
            audio = base64.b64encode(pcm).decode()
            self.say("raw-audio", {"base64Audio": audio, "sampleRate": sample_rate, "numChannels": 1}, "")
        else:
            self.put(self.framing.encode_audio(pcm, sample_rate))

    def all(self, *kinds: str) -> list[Any]:
        """Return the data of the received messages of these types, in order."""
        return [told.data for told in self.told if told.type in kinds]

    def answer(self, number: str) -> ToldMessage:
        """Return the answer to the message with this id."""
        return next(told for told in self.told if told.id == number)

    # The wire ----------------------------------------------------------------------------------------

    async def receive(self) -> bytes | str | None:
        """Return the client's next message; None once it has left."""
        if self.closed is not None or self._gone:
            return None
        message = await self._outgoing.get()
        self._gone = message is None
        return message

    def send(self, message: bytes | str) -> None:
        """Deliver a message to the client."""
        if self.closed is not None:
            return
        now = asyncio.get_running_loop().time()
        match self.framing.decode(message):
            case FramedAudio() as sound:
                self.heard.append((now, sound))
            case FramedMessage(text):
                said = msgspec.json.decode(text)
                data = said.get("data")
                if said["type"] == "bot-tts-audio":
                    pcm = base64.b64decode(data["audio"])
                    self.heard.append((now, FramedAudio(pcm, data["sample_rate"], data["num_channels"])))
                else:
                    self.told.append(ToldMessage(now, said["type"], said.get("id", ""), data))
            case None:
                raise AssertionError(f"the client cannot read {message[:80]!r}")

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the wire from the agent's side."""
        self.closed = code
        self._outgoing.put_nowait(None)
