"""What `Agent.run` does: the agent as a program of its own."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigurationError, UsageError
from .converse import JournalFile, Json, Out, Virtual, play
from .show import console, told
from .talk import HEADPHONES, Rests, Typing, speak, type_in

if TYPE_CHECKING:
    from ..agent import Agent

__all__ = ["run"]

Terminal = Annotated[bool, typer.Option("--terminal", help="Speak, by microphone and loudspeaker.")]
Wav = Annotated[Path | None, typer.Option("--wav", metavar="CALLER.wav", help="Play a recorded caller.")]


def run(agent: "Agent") -> None:
    """Talk to the agent as the program's arguments say: by speaking where there is sound, else by typing."""
    from . import prepare
    from .agents import loading

    if file := loading.get():
        raise UsageError(
            f'{file} runs its agent when it is imported: write agent.run() under if __name__ == "__main__":'
        )

    @told
    def command(
        terminal: Terminal = False,
        text: Typing = False,
        wav: Wav = None,
        no_barge_in: Rests = False,
        out: Out = None,
        json: Json = None,
        journal: JournalFile = None,
        virtual: Virtual = False,
    ) -> None:
        if terminal + text + (wav is not None) > 1:
            raise UsageError("choose one of --terminal, --text and --wav")
        if wav is not None:
            play(agent, wav, out=out, json=json, journal=journal, virtual=virtual)
        elif text:
            type_in(agent)
        else:
            _speak_or_type(agent, no_barge_in, must_speak=terminal)

    prepare()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help="Talk to this agent: by speaking where there is sound, else by typing.")(command)
    app(prog_name=Path(sys.argv[0]).name)


def _speak_or_type(agent: "Agent", rests: bool, *, must_speak: bool) -> None:
    from ..transports import terminal

    try:
        devices = terminal.Terminal(rests=rests)
    except ConfigurationError as error:
        if must_speak:
            raise
        console().print(f"No sound here, so it is typed. {error}", style="dim", soft_wrap=True)
        type_in(agent)
    else:
        speak(agent, devices, hint=None if rests else HEADPHONES)
