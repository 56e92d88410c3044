"""What `Agent.run` does: the agent as a program of its own."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..server.settings import ServerSettings
from .converse import JournalFile, Json, Out, Virtual, play
from .serve import Address, Port, numbered, open_server
from .show import told
from .talk import HEADPHONES, Rests, Typing, speak, type_in

if TYPE_CHECKING:
    from ..agent import AgentDefinition

__all__ = ["run"]

Terminal = Annotated[bool, typer.Option("--terminal", help="Speak, by microphone and loudspeaker.")]
Wav = Annotated[Path | None, typer.Option("--wav", metavar="CALLER.wav", help="Play a recorded caller.")]
Phone = Annotated[bool, typer.Option("--phone", help="Serve it to a phone number, and say how.")]


def run(agent: "AgentDefinition") -> None:
    """Talk to the agent as the program's arguments say: in a browser, where nothing else is asked for."""
    from ..agent_file import loading
    from . import prepare

    if file := loading.get():
        raise UsageError(
            f'{file} runs its agent when it is imported: write agent.run() under if __name__ == "__main__":'
        )

    @told
    def command(
        host: Address = None,
        port: Port = None,
        phone: Phone = False,
        terminal: Terminal = False,
        text: Typing = False,
        wav: Wav = None,
        no_barge_in: Rests = False,
        out: Out = None,
        json: Json = None,
        journal: JournalFile = None,
        virtual: Virtual = False,
    ) -> None:
        if phone + terminal + text + (wav is not None) > 1:
            raise UsageError("choose one of --phone, --terminal, --text and --wav")
        if wav is not None:
            play(agent, wav, out=out, json=json, journal=journal, virtual=virtual)
        elif text:
            type_in(agent)
        elif terminal:
            from ..transports.terminal import Terminal

            speak(agent, Terminal(rests=no_barge_in), hint=None if no_barge_in else HEADPHONES)
        else:
            settings = ServerSettings.from_environment(host=host, port=port)
            if phone:
                numbered(settings)
            apart = settings.isolation == "process"
            file = Path(sys.argv[0])
            open_server(file if apart else {file.stem: agent}, settings)

    prepare()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help="Talk to this agent: at http://localhost:7860, or as the options say.")(command)
    app(prog_name=Path(sys.argv[0]).name)
