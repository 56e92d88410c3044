"""The progress of a download: bars on a terminal, lines elsewhere."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

Progress = Callable[[str, str, int, int], None]
"""A callback with the model, what is being done, the bytes present, and the bytes in total."""

Tell = Callable[[str, int], None]
"""A callback with what is being done for one model, and its bytes that are present."""


@contextmanager
def shown(progress: Progress | None = None) -> Generator[Progress]:
    """Yield the caller's own progress callback, or one that writes to stderr."""
    if progress is not None:
        yield progress
    elif sys.stderr.isatty():
        with _bars() as bars:
            yield bars
    else:
        yield _lines()


@contextmanager
def _bars() -> Generator[Progress]:
    from rich import progress as rich
    from rich.console import Console
    from rich.table import Column

    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    columns = (
        rich.TextColumn("{task.fields[model]}", style="bold", markup=False),
        rich.BarColumn(bar_width=16),
        rich.DownloadColumn(),
        rich.TransferSpeedColumn(),
        rich.TimeRemainingColumn(),
        rich.TextColumn("{task.description}", style="dim", markup=False, table_column=rest),
    )
    tasks: dict[str, rich.TaskID] = {}
    with rich.Progress(*columns, console=Console(stderr=True), expand=True) as bars:

        def show(model: str, what: str, done: int, total: int) -> None:
            if model not in tasks:
                tasks[model] = bars.add_task(what, model=model, total=total, completed=done)
            bars.update(tasks[model], description=what, completed=done, total=total)

        yield show


def _lines() -> Progress:
    last: dict[str, str] = {}

    def show(model: str, what: str, done: int, total: int) -> None:
        if last.get(model) != what:
            last[model] = what
            sys.stderr.write(f"{model}: {what} ({done / 1e6:.1f} of {total / 1e6:.1f} MB here)\n")
            sys.stderr.flush()

    return show
