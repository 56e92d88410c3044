"""`antiphon talk`: talk with an agent on this machine, by voice or by typing."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..frames import Failed, Frame, ReplyEnded, ReplyStarted, Signal, Text, ToolEnded, UserText
from .converse import AgentFile, PolicyFile, agent_of
from .show import console, reports_errors

if TYPE_CHECKING:
    from rich.console import Console

    from ..agent import AgentDefinition
    from ..session import Session
    from ..transports.terminal import Terminal

__all__ = ["NoBargeIn", "TextMode", "talk", "talk_by_text", "talk_by_voice"]

TextMode = Annotated[bool, typer.Option("--text", help="Type instead of speaking.")]
NoBargeIn = Annotated[
    bool,
    typer.Option("--no-barge-in", help="Do not listen while the agent speaks, for use with a loudspeaker."),
]

READ_SIZE = 1 << 16  # bytes
HEADPHONES = "Use headphones, or the agent hears itself; with a loudspeaker, use --no-barge-in."


@reports_errors
def talk(
    agent: AgentFile = None, text: TextMode = False, no_barge_in: NoBargeIn = False, policy: PolicyFile = None
) -> None:
    """Talk with an agent, by microphone and loudspeaker or by typing."""
    if text:
        talk_by_text(agent_of(agent, policy))
    else:
        from ..transports.terminal import Terminal

        hint = None if no_barge_in else HEADPHONES
        talk_by_voice(agent_of(agent, policy), Terminal(rests=no_barge_in), hint=hint)


# Speaking --------------------------------------------------------------------------------------------


def talk_by_voice(agent: "AgentDefinition", terminal: "Terminal", *, hint: str | None = None) -> None:
    """Run a conversation by microphone and loudspeaker, until it ends or Ctrl-C."""
    from ..telemetry.cost import Costs
    from ..telemetry.latency import Latency
    from .ready import fetch, opened
    from .screen import Screen, summary

    out = console()
    latency, costs = Latency(), Costs()

    async def converse() -> None:
        async with opened(agent, out):
            out.print(f"Speak now; Ctrl-C ends the call. {hint or ''}", style="bold", soft_wrap=True)
            with Screen(out, latency) as screen:
                await agent.session(terminal, observers=[latency, costs, screen]).run()

    fetch(agent)
    try:
        asyncio.run(converse())
    finally:
        summary(out, latency.turns, costs)


# Typing ----------------------------------------------------------------------------------------------


def talk_by_text(agent: "AgentDefinition", source: int = 0) -> None:
    """Run a typed conversation; each line of the file descriptor `source` is a turn."""
    from ..playout.playout import Playout
    from ..services.llm import LLM
    from ..services.streams import ready
    from ..session import Session
    from ..telemetry.cost import Costs
    from .ready import fetch, loading

    out = console()
    fetch(agent, "llm")
    model, costs = agent.service("llm"), Costs()

    async def converse() -> None:
        conversation = agent.conversation()
        with loading([agent], out, "llm"):
            await ready(model)
            await model.warm(conversation.context)
        page = WrittenPage(out, prompt=os.isatty(source))
        session = Session([conversation, LLM(model), Playout()], observers=[page, costs])
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

    async def converse_and_close() -> None:
        try:
            await converse()
        finally:
            await agent.close()

    try:
        asyncio.run(converse_and_close())
    finally:
        if told := costs.line():
            out.print(told, style="dim", soft_wrap=True)


async def _type(session: "Session", page: "WrittenPage", source: int) -> None:
    """Send typed lines to the session.

    Lines of a pipe or a file each wait for the previous answer.
    """
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


class WrittenPage:
    """An observer that prints a typed conversation."""

    media = False

    def __init__(self, out: "Console", *, prompt: bool) -> None:
        self.out = out
        self.prompt = prompt
        self._asked = False

    def ask(self) -> None:
        """Print the prompt, unless it is printed already."""
        if self.prompt and not self._asked:
            self._asked = True
            self.out.print("you    ", style="bold cyan", end="")

    def typed(self, text: str) -> None:
        """Record that a line was read; print it if it was not typed on this terminal."""
        self._asked = False
        if text and not self.prompt:
            self.out.print(f"you    {text}", soft_wrap=True)

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """Print the agent's words, tool calls and failures as they come."""
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
        """End the prompt's line when the session is over."""
        if self._asked:
            self.out.print()


async def lines(source: int) -> AsyncGenerator[str, None]:
    """Yield the lines of a terminal, a pipe or a file as they arrive."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        arrived.put_nowait(os.read(source, READ_SIZE))

    def read_all() -> None:
        with suppress(RuntimeError):  # the conversation ended first, and the loop with it
            more = b"..."
            while more:
                more = os.read(source, READ_SIZE)
                loop.call_soon_threadsafe(arrived.put_nowait, more)

    try:
        loop.add_reader(source, read)
        watched = True
    except (PermissionError, NotImplementedError):  # a file; or anything on Windows
        threading.Thread(target=read_all, name="antiphon typing", daemon=True).start()
        watched = False
    rest = b""
    try:
        while more := await arrived.get():
            *whole, rest = (rest + more).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace")
        if rest:
            yield rest.decode(errors="replace")
    finally:
        if watched:
            loop.remove_reader(source)
