"""Output of the command line: messages, tables and errors."""

import functools
import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import typer

from ..errors import AntiphonError, YouErred

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console", "progress", "reports_errors", "say", "step", "table"]

P = ParamSpec("P")
R = TypeVar("R")

DEBUG = "ANTIPHON_DEBUG"


def console() -> "Console":
    """Return standard output, which prints text without interpreting markup."""
    from rich.console import Console

    return Console(highlight=False, markup=False, emoji=False)


def say(what: object) -> None:
    """Print a message to standard error."""
    typer.echo(f"antiphon: {what}", err=True)


def reports_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Decorate a command to print an AntiphonError as a message, not a traceback.

    The exit status is 2 for a YouErred, 1 for any other, and 130 after Ctrl-C. ANTIPHON_DEBUG=1 shows the
    traceback as well.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except AntiphonError as error:
            if os.environ.get(DEBUG):
                import traceback

                traceback.print_exception(error)
            say(error)
            raise typer.Exit(2 if isinstance(error, YouErred) else 1) from None
        except KeyboardInterrupt:
            say("stopped")
            raise typer.Exit(130) from None

    return run


def table(out: "Console", heads: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> None:
    """Print a table; an "r" at a column's position in `right` right-aligns it."""
    sides = ["right" if side == "r" else "left" for side in right.ljust(len(heads))]
    if out.is_terminal:
        from rich.box import SIMPLE_HEAD
        from rich.table import Table

        shown = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
        for head, side in zip(heads, sides, strict=True):
            shown.add_column(head, justify="right" if side == "right" else "left", overflow="fold")
        for row in rows:
            shown.add_row(*row)
        out.print(shown)
        return
    widths = [max(len(row[column]) for row in (heads, *rows)) for column in range(len(heads))]
    for row in (heads, *rows):
        cells = zip(row, widths, sides, strict=True)
        line = "  ".join(f"{cell:{'>' if side == 'right' else '<'}{width}}" for cell, width, side in cells)
        out.print(line.rstrip(), soft_wrap=True)


@contextmanager
def step(out: "Console", doing: str, done: str) -> Generator[None]:
    """Show what the `with` block does while it runs, then how long it took."""
    begun = time.monotonic()
    if out.is_terminal:
        with out.status(f"{doing} ..."):
            yield
    else:
        out.print(f"{doing} ...", style="dim", soft_wrap=True)
        yield
    out.print(f"{done}: {time.monotonic() - begun:.1f} s", style="dim", soft_wrap=True)


@contextmanager
def progress(out: "Console") -> Generator[Callable[[str], object]]:
    """Yield what shows, on a terminal, what the `with` block is doing."""
    if not out.is_terminal:
        yield lambda doing: None
        return
    with out.status("") as status:
        yield status.update
