"""`antiphon services`: list, check, compare and hear the vendors."""

import typer

from .checking import check
from .comparing import compare
from .listing import list_services
from .voices import list_voices, say

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="The vendors of speech and language models.")
app.command("list")(list_services)
app.command()(check)
app.command()(compare)
app.command("voices")(list_voices)
app.command()(say)
