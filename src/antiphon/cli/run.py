"""The implementation of `Agent.run`: the agent as a program of its own."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import UsageError
from ..server.settings import ServerSettings
from .converse import JournalFile, JsonFile, OutFile, Virtual, play_recording
from .serve import Address, Port, check_phone_settings, open_server
from .show import reports_errors
from .talk import HEADPHONES, NoBargeIn, TextMode, talk_by_text, talk_by_voice

if TYPE_CHECKING:
    from ..agent import AgentDefinition

__all__ = ["run"]

TerminalMode = Annotated[bool, typer.Option("--terminal", help="Talk by microphone and loudspeaker.")]
Wav = Annotated[
    Path | None, typer.Option("--wav", metavar="CALLER.wav", help="Play a recorded caller to the agent.")
]
Phone = Annotated[bool, typer.Option("--phone", help="Serve it to phone calls, and show the webhook's URL.")]


def run(agent: "AgentDefinition") -> None:
    """Run the agent according to the program's arguments; by default, serve its page."""
    from ..agent_file import loading
    from . import prepare

    if file := loading.get():
        raise UsageError(
            f'{file} runs its agent when it is imported: put agent.run() under if __name__ == "__main__":'
        )

    @reports_errors
    def command(
        host: Address = None,
        port: Port = None,
        phone: Phone = False,
        terminal: TerminalMode = False,
        text: TextMode = False,
        wav: Wav = None,
        no_barge_in: NoBargeIn = False,
        out: OutFile = None,
        json: JsonFile = None,
        journal: JournalFile = None,
        virtual: Virtual = False,
    ) -> None:
        if phone + terminal + text + (wav is not None) > 1:
            raise UsageError("choose one of --phone, --terminal, --text and --wav")
        if wav is not None:
            play_recording(agent, wav, out=out, json=json, journal=journal, virtual=virtual)
        elif text:
            talk_by_text(agent)
        elif terminal:
            from ..transports.terminal import Terminal

            talk_by_voice(agent, Terminal(rests=no_barge_in), hint=None if no_barge_in else HEADPHONES)
        else:
            settings = ServerSettings.from_environment(host=host, port=port)
            if phone:
                check_phone_settings(settings)
            file = Path(sys.argv[0])
            open_server(file if settings.isolation == "process" else {file.stem: agent}, settings)

    prepare()
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(help="Talk to this agent: by default on a page at http://localhost:7860.")(command)
    app(prog_name=Path(sys.argv[0]).name)
