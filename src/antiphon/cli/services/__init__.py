"""`antiphon services`: list, check, compare and hear the vendors."""

import typer

from .checking import check
from .comparing import compare
from .listing import list_services
from .voices import list_voices, say

__all__ = ["app"]

app = typer.Typer(invoke_without_command=True)


@app.callback()
def services(context: typer.Context) -> None:
    """The vendors of speech and language models; without a command, the list of them."""
    if context.invoked_subcommand is None:
        list_services()


app.command("list")(list_services)
app.command()(check)
app.command()(compare)
app.command("voices")(list_voices)
app.command()(say)
