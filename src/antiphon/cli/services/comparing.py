"""`antiphon services compare`: several services with the same work, side by side."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ...errors import ConfigurationError
from ...services.ports import PORTS
from ...vendors import record, vendor_of
from ..show import reports_errors
from .completing import service_names_of

__all__ = ["compare"]

HEARS = ("stt", "realtime")


def _services(port: str, words: str) -> Any:
    complete = service_names_of(port)
    return typer.Option(f"--{port}", metavar="NAME,NAME...", help=words, autocompletion=complete)


@reports_errors
def compare(
    stt: Annotated[str, _services("stt", "Speech to text, with the recordings of --wav.")] = "",
    llm: Annotated[str, _services("llm", "Language models, with a few short questions.")] = "",
    tts: Annotated[str, _services("tts", "Text to speech, with a few sentences.")] = "",
    realtime: Annotated[
        str, _services("realtime", "Models that hear and speak, with the questions of --wav.")
    ] = "",
    wav: Annotated[
        Path | None, typer.Option(help="A wav file, or a folder of them; what is said in x.wav is in x.txt.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for what the voices say, as wav files.")] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write all that was measured.")
    ] = None,
) -> None:
    """Give several services the same work; print errors, latency and cost.

    Vendors are measured at the same time, services on this machine one after another.
    """
    listed = {"stt": stt, "llm": llm, "tts": tts, "realtime": realtime}
    chosen = {port: _names(names) for port, names in listed.items()}
    if not any(chosen.values()):
        raise ConfigurationError("name what to compare, as in --stt deepgram,soniox --wav calls/")
    if wav is None and (hears := next((port for port in HEARS if chosen[port]), None)):
        words = PORTS[hears].words
        raise ConfigurationError(f"{words} is compared with recordings: pass --wav FILE_OR_FOLDER")
    from ...telemetry.prices import load_prices
    from ..report import check_place, write
    from .rows import make_folder
    from .side_by_side import COMPARISONS

    load_prices()  # what is wrong is said before anything is measured, and paid for
    if json is not None:
        check_place(json)
    if chosen["tts"] and out is not None:
        make_folder(out)
    told: dict[str, list[dict[str, Any]]] = {}
    works = True
    for port, names in chosen.items():
        if names:
            rows = COMPARISONS[port](names, wav if port in HEARS else out)
            told[port] = [row.told() for row in rows]
            works = works and all(row.done for row in rows)
    if json is not None:
        write(json, told)
    if not works:
        raise typer.Exit(1)


def _names(listed: str) -> list[str]:
    """Return the names in a list.

    Raises ConfigurationError if there is no such vendor.
    """
    names = [name for part in listed.split(",") if (name := part.strip())]
    for name in names:
        record(vendor_of(name))
    return names
