"""The command line `antiphon`."""

import io
import logging
import os
import sys
from typing import Annotated

import typer

from ..version import __version__
from .converse import converse
from .demo import demo
from .dial import dial
from .doctor import doctor
from .models import app as models
from .new import app as new_app
from .serve import serve
from .services import app as services_app  # `services` is the folder
from .show import DEBUG
from .talk import talk
from .turns import app as turns

__all__ = ["main"]

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Real-time voice agents. Call and response.",
)
app.command()(demo)
app.command()(talk)
app.command()(converse)
app.command()(serve)
app.command()(dial)
app.command()(doctor)
app.add_typer(turns, name="turns")
app.add_typer(models, name="models")
app.add_typer(services_app, name="services")
app.add_typer(new_app, name="new")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"antiphon {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command that the program's arguments name."""
    prepare()
    app(prog_name="antiphon")


def prepare() -> None:
    """Set up output and logging.

    Characters that the output cannot encode are replaced. Only errors are logged, or with ANTIPHON_DEBUG
    everything.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if os.environ.get(DEBUG):
        logging.basicConfig(level=logging.DEBUG)
    else:
        logging.getLogger("antiphon").setLevel(logging.ERROR)
