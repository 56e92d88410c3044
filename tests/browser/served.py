"""A server with an agent whose services follow a script: what the clients in a real browser talk to.

    python served.py PORT [--local]

It prints "ready" once it listens. The agent takes whatever is loud for speech, every stretch of it for
"What time is it?", and answers at once: see `Obedient`, and `Program` for what a client's program may ask.
With --local it has the local models instead.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from antiphon import Agent
from antiphon.context import Context, ToolAnswered, UserSaid
from antiphon.conversation.tools import Tool, tool
from antiphon.frames import ClientMessage, ServerMessage, SessionStarted, ToolCall, UserKey
from antiphon.pipeline import Part
from antiphon.processor import Processor, on
from antiphon.rtvi import client_tool, ui_command
from antiphon.server.app import app
from antiphon.server.port import Opening
from antiphon.server.run import serve
from antiphon.server.settings import ServerSettings
from antiphon.services.ports import (
    AudioChunk,
    Flush,
    LanguageModel,
    Recognized,
    Speech,
    SpeechToText,
    TextDelta,
    TextToSpeech,
    VoiceActivity,
    Word,
)
from antiphon.transports.port import Transport
from antiphon.transports.webrtc import WebRTC

NOON = "It is noon and all is well."
LONG = "I shall tell you all about it, slowly and from the beginning, so that there is time to stop me. " * 4
BUSY = 4.5  # seconds: longer than a client waits for a server that has fallen silent


class LevelVAD(VoiceActivity):
    """Takes what is louder than -40 dBFS for speech: a coded silence is not quite silent."""

    sample_rate = 16000
    window = 512

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        """1.0 or 0.0 for each window."""
        async for window in audio:
            samples = np.frombuffer(window, np.int16).astype(np.float32)
            yield 1.0 if np.sqrt(np.mean(samples**2)) > 328 else 0.0


class OneQuestion(SpeechToText):
    """Hears the same question in every stretch of speech."""

    segmented = True
    sample_rate = 16000

    async def transcribe(self, audio: AsyncIterator[AudioChunk | Flush]) -> AsyncIterator[Recognized]:
        """one Recognized for each Flush."""
        async for item in audio:
            if isinstance(item, Flush):
                yield Recognized("What time is it?", item.final)


class Obedient(LanguageModel):
    """Answers by what the user's last words ask for; a result of a tool it repeats."""

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall]:
        """Words, or the call of a tool."""
        last = context.entries[-1] if context.entries else None
        if isinstance(last, ToolAnswered):
            yield TextDelta(f"The answer is {last.result}.")
        elif isinstance(last, UserSaid) and "weather" in last.text:
            yield ToolCall("call_1", "weather", '{"city": "Paris"}')
        elif isinstance(last, UserSaid) and "sum" in last.text:
            yield ToolCall("call_2", "add", '{"a": 1, "b": 2}')
        elif isinstance(last, UserSaid) and "hush" not in last.text:
            for word in (LONG if "long" in last.text else NOON).split():
                yield TextDelta(word + " ")

    async def warm(self, context: Context) -> None:
        """Nothing to warm."""


class Tone(TextToSpeech):
    """Speaks in a tone of 440 Hz, 15 characters a second."""

    sample_rate = 24000

    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
        """Pieces of 100 ms."""
        number = -1
        async for piece in text:
            number += 1
            samples = np.arange(round(len(piece) / 15 * self.sample_rate))
            tone = (6000 * np.sin(2 * np.pi * 440 / self.sample_rate * samples)).astype(np.int16).tobytes()
            for start in range(0, len(tone), 4800):
                yield Speech(tone[start : start + 4800], number)


class Program(Processor):
    """The agent's program: answers "echo", refuses "refuse", and makes a renegotiation when told to."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @on(ClientMessage)
    def asked(self, message: ClientMessage) -> Iterator[ServerMessage]:
        """Requests, and what is told."""
        match message.type:
            case "echo":
                yield ServerMessage(message.data, message.id)
            case "refuse":
                yield ServerMessage("this is refused", message.id, failed=True)
            case "renegotiate" if isinstance(self._transport, WebRTC):
                self._transport.renegotiate()
            case "command":
                yield ui_command("toast", {"title": "Hello"})
            case _:
                yield ServerMessage({"told": message.type, "data": message.data})

    @on(UserKey)
    def key(self, frame: UserKey) -> Iterator[ServerMessage]:
        """A key was pressed."""
        yield ServerMessage({"key": frame.key})


class Busy(Processor):
    """Holds everything up as soon as the conversation has begun, as one who loads a model does."""

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        """It was begun."""
        asyncio.get_running_loop().call_soon(threading.Event().wait, BUSY)


@dataclass
class Scripted(Agent):
    """An agent with a program."""

    is_busy: bool = False

    def pipeline(self, transport: Transport) -> list[Part]:
        """The usual parts, and the program behind the transport's input."""
        first, *rest = super().pipeline(transport)
        return [first, *([Busy()] if self.is_busy else []), Program(transport), *rest]


@tool
async def add(a: int, b: int) -> int:
    """The sum of two numbers."""
    return a + b


WEATHER: Tool = client_tool(
    "weather",
    "The weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


def scripted(opening: Opening) -> Agent:
    """An agent of this conversation's own."""
    wants = cast(dict[str, object] | None, opening.body) or {}
    return Scripted(
        "You are a test.",
        stt=OneQuestion(),
        llm=Obedient(),
        tts=Tone(),
        vad=LevelVAD(),
        eot=None,
        tools=[add, WEATHER],
        greeting="Good day." if "greet" in wants else None,
        is_busy="busy" in wants,
    )


def main() -> None:
    """Serve until a signal comes."""
    settings = ServerSettings(port=int(sys.argv[1]))
    local = Agent("You answer questions of callers. One short sentence.", greeting=None)
    agents = {"local": local} if "--local" in sys.argv else {"scripted": scripted}
    serve(app(agents, settings), settings, began=lambda: print("ready", flush=True))  # noqa: T201


if __name__ == "__main__":
    main()
