"""`antiphon new`: the beginnings of a package of one's own."""

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigurationError
from .show import reports_errors

__all__ = ["app", "write_vendor"]

app = typer.Typer(no_args_is_help=True, help="Begin a package of your own.")

MODEL = "gramophone"  # the vendor of the templates, whose name the new one's takes the place of
SUFFIX = ".template"
KINDS = ("tts_socket", "tts_http", "stt_socket", "stt_http", "llm_http", "realtime_socket")
"""The folders of templates: the port, and what the vendor is reached over."""


@app.callback()
def new() -> None:
    """Begin a package of your own."""


@app.command()
@reports_errors
def vendor(
    name: Annotated[str, typer.Argument(help="Its name in model strings, such as acme.")],
    port: Annotated[str, typer.Option(help="What it provides: stt, llm, tts or realtime.")] = "tts",
    http: Annotated[
        bool | None,
        typer.Option("--http/--socket", help="How it is reached; by default a websocket, or HTTP for llm."),
    ] = None,
    into: Annotated[Path | None, typer.Option(help="The new folder; by default antiphon-NAME.")] = None,
) -> None:
    """Write a package for a vendor: its codec, a server on loopback, and the tests."""
    over = "http" if http or (http is None and port == "llm") else "socket"
    folder = into or Path(f"antiphon-{name.replace('_', '-')}")
    write_vendor(name, f"{port}_{over}", folder)
    typer.echo(f"{folder} is a package whose tests pass. Next:")
    typer.echo(f"  cd {folder} && pip install -e . --group dev && pytest && antiphon services list")
    typer.echo("Then put the vendor's own protocol in the place of the made-up one: README.md says where.")


def write_vendor(name: str, kind: str, folder: Path) -> None:
    """Write a vendor's package of a kind, one of `KINDS`, into a new folder.

    Raises ConfigurationError if the name, the kind or the folder will not do.
    """
    from ..vendors import available

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name.endswith("_"):
        raise ConfigurationError(f"{name!r} is no name for a vendor: use a-z, 0-9 and _")
    if name in (vendor.name for vendor in available()):
        raise ConfigurationError(f"there is a vendor {name} already: choose another name")
    if kind not in KINDS:
        known = ", ".join(one.replace("_", " over ") for one in KINDS)
        raise ConfigurationError(f"there is no template for {kind.replace('_', ' over ')}; there are {known}")
    if folder.exists():
        raise ConfigurationError(f"{folder} is there already: choose another place with --into")
    port = kind.partition("_")[0]
    templates = files("antiphon.cli").joinpath("templates", "vendor")
    try:
        for part in ("shared", port, kind):
            _copy(templates.joinpath(part), folder, name, port)
    except OSError as error:
        raise ConfigurationError(f"cannot write {folder}: {error.strerror}") from error


def _copy(template: Traversable, target: Path, name: str, port: str) -> None:
    """Copy a folder of templates, with the vendor's name in names and texts."""
    target.mkdir(parents=True, exist_ok=True)
    for entry in template.iterdir():
        path = target / _renamed(entry.name, name).removesuffix(SUFFIX)
        if entry.is_dir():
            _copy(entry, path, name, port)
        else:
            path.write_text(_renamed(entry.read_text("utf-8"), name).replace("{port}", port), "utf-8")


def _renamed(text: str, name: str) -> str:
    """Put the vendor's name into a text, in the ways in which it is written."""
    camel = "".join(part.capitalize() for part in name.split("_"))
    text = text.replace(MODEL.upper(), name.upper()).replace(MODEL.capitalize(), camel)
    return text.replace(f"antiphon-{MODEL}", f"antiphon-{name.replace('_', '-')}").replace(MODEL, name)
