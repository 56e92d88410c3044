"""`antiphon talk`: speak with an agent here, by microphone and loudspeaker or by typing."""

import asyncio
import os
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..frames import Failed, Frame, ReplyEnded, ReplyStarted, Signal, Text, ToolEnded, UserText
from .converse import AgentFile, PolicyFile, called
from .show import console, told

if TYPE_CHECKING:
    from rich.console import Console

    from ..agent import AgentDefinition
    from ..session import Session
    from ..transports.terminal import Terminal

__all__ = ["Rests", "Typing", "speak", "talk", "type_in"]

Typing = Annotated[bool, typer.Option("--text", help="Type and read instead of speaking.")]
Rests = Annotated[
    bool, typer.Option("--no-barge-in", help="For a loudspeaker: do not listen while the agent speaks.")
]

HEADPHONES = "Use headphones, or the agent hears itself; with a loudspeaker: --no-barge-in."


@told
def talk(
    agent: AgentFile = None, text: Typing = False, no_barge_in: Rests = False, policy: PolicyFile = None
) -> None:
    """Talk with an agent, by microphone and loudspeaker or by typing."""
    if text:
        type_in(called(agent, policy))
    else:
        from ..transports.terminal import Terminal

        speak(called(agent, policy), Terminal(rests=no_barge_in), hint=None if no_barge_in else HEADPHONES)


# Speaking --------------------------------------------------------------------------------------------


def speak(agent: "AgentDefinition", terminal: "Terminal", *, hint: str | None = None) -> None:
    """Hold a conversation over the terminal's devices, until Ctrl-C or the agent ends it."""
    from ..telemetry.latency import Latency
    from .ready import fetch, opened
    from .screen import Screen, summary

    out = console()
    latency = Latency()

    async def hold() -> None:
        async with opened(agent, out):
            out.print(f"Speak. Ctrl-C ends. {hint or ''}", style="bold", soft_wrap=True)
            with Screen(out, latency) as screen:
                await agent.session(terminal, observers=[latency, screen]).run()

    fetch(agent)
    try:
        asyncio.run(hold())
    finally:
        summary(out, latency.turns)


# Typing ----------------------------------------------------------------------------------------------


def type_in(agent: "AgentDefinition", source: int = 0) -> None:
    """Hold a conversation in writing: what comes from the file descriptor `source`, line by line."""
    from ..playout.playout import Playout
    from ..services.llm import LLM
    from ..services.streams import ready
    from ..session import Session
    from .ready import fetch
    from .show import step

    out = console()
    fetch(agent, "llm")
    model = agent.service("llm")

    async def hold() -> None:
        conversation = agent.conversation()
        with step(out, "Model loaded"):
            await ready(model)
            await model.warm(conversation.context)
        page = Page(out, prompt=os.isatty(source))
        session = Session([conversation, LLM(model), Playout()], observers=[page])
        async with session:
            typing = asyncio.ensure_future(_type(session, page, source))
            over = asyncio.ensure_future(session.wait())
            try:
                await asyncio.wait((typing, over), return_when=asyncio.FIRST_COMPLETED)
                if typing.done():
                    typing.result()
            finally:
                typing.cancel()
                over.cancel()

    async def hold_and_close() -> None:
        try:
            await hold()
        finally:
            await agent.close()

    asyncio.run(hold_and_close())


async def _type(session: "Session", page: "Page", source: int) -> None:
    """Give the session what is typed. Lines that nobody types live wait for the answer to the one before."""
    page.ask()
    async for line in lines(source):
        text = line.strip()
        page.typed(text)
        if not text:
            page.ask()
            continue
        session.send(UserText(text))
        if not page.prompt and (reply := session.reply) is not None:
            await reply
    await session.end("nothing more is typed")


class Page:
    """Writes a conversation down while it is typed. An observer of its session."""

    media = False

    def __init__(self, out: "Console", *, prompt: bool) -> None:
        self.out = out
        self.prompt = prompt
        self._asked = False

    def ask(self) -> None:
        """Ask for a line, unless that stands there already."""
        if self.prompt and not self._asked:
            self._asked = True
            self.out.print("you    ", style="bold cyan", end="")

    def typed(self, text: str) -> None:
        """A line has come; one that was not typed on this screen is shown on it."""
        self._asked = False
        if text and not self.prompt:
            self.out.print(f"you    {text}", soft_wrap=True)

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """Write what the agent says, as it says it."""
        match what:
            case ReplyStarted():
                if self._asked:
                    self._asked = False
                    self.out.print()
                self.out.print("agent  ", style="bold magenta", end="")
            case Text(_, text):
                self.out.print(text, end="", soft_wrap=True)
            case ToolEnded(_, call, result):
                self.out.print(f"\n[{call.name} {call.arguments} → {result}]", style="yellow", soft_wrap=True)
            case Failed() if not what.recovered:
                self.out.print(f"\n{what.part} failed: {what.message}", style="red", soft_wrap=True)
            case ReplyEnded():
                self.out.print()
                if not what.interrupted:
                    self.ask()
            case _:
                pass

    def close(self) -> None:
        """The session is over."""
        if self._asked:
            self.out.print()


async def lines(source: int) -> AsyncGenerator[str, None]:
    """The lines of a terminal, a pipe or a file, as they come."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()
    read = lambda: arrived.put_nowait(os.read(source, 65536))  # noqa: E731
    try:
        loop.add_reader(source, read)
        watched = True
    except PermissionError:  # a file, which is always ready
        watched = False
    rest = b""
    try:
        while True:
            if not watched:
                read()
            if not (more := await arrived.get()):
                break
            *whole, rest = (rest + more).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")
        if rest:
            yield rest.decode(errors="replace")
    finally:
        if watched:
            loop.remove_reader(source)
