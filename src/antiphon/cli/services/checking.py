"""`antiphon services check`: whether a service works with your key."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ...errors import ConfigurationError
from ...services.ports import PORTS
from ...vendors import ports_meant, record, vendor_of
from ..show import reports_errors
from .completing import service_names
from .listing import TRIED

__all__ = ["check"]


@reports_errors
def check(
    names: Annotated[list[str], typer.Argument(metavar="VENDOR[/MODEL]...", autocompletion=service_names)],
    port: Annotated[str | None, typer.Option(help=f"Only this kind of service: {', '.join(TRIED)}.")] = None,
    wav: Annotated[Path | None, typer.Option(help="Speech to hear; else the local voice speaks.")] = None,
) -> None:
    """Make one short live call with your key, and say what works and how fast."""
    if port not in (None, *TRIED):
        raise ConfigurationError(f"there is no check for {port!r}: choose from {', '.join(TRIED)}")
    from .checks import check_ports
    from .recordings import read_recordings

    asked = {name: _ports(name, port) for name in names}
    recording = read_recordings(wav)[0] if wav else None
    works = [asyncio.run(check_ports(name, ports, recording)) for name, ports in asked.items()]
    if not all(works):
        raise typer.Exit(1)


def _ports(name: str, port: str | None) -> list[str]:
    """Return the kinds of service to check.

    Raises ConfigurationError if there is none, or if a model may be of several kinds.
    """
    if port is not None and port in record(vendor_of(name)).provides:
        return [port]
    meant = [one for one in ports_meant(name) if one in TRIED and port is None]
    if not meant:
        raise ConfigurationError(f"{name} provides no {port or 'speech or language model'}")
    if name != vendor_of(name) and len(meant) > 1:
        kinds = " or ".join(PORTS[one].words for one in meant)
        raise ConfigurationError(f"{name} may be {kinds}: say which, with --port {' or '.join(meant)}")
    return meant
