"""`antiphon services list`: the vendors, what each can do, and what it costs."""

import os
from typing import Annotated

import typer

from ...errors import ConfigurationError
from ...services.ports import PORTS, Vendor
from ...telemetry.prices import FREE, Price, PriceTable, is_own, load_prices
from ...vendors import abilities, available, connection_limit, create, needed
from ..show import console, reports_errors, table

__all__ = ["TRIED", "limit_of", "list_services", "price_of"]

TRIED = ("stt", "llm", "tts", "realtime")
"""The ports that vendors on the network have, which are listed, checked and compared."""
LONGEST = 14  # characters of a model's name, so that a line fits into 80 columns
MEANING = {
    "stt": "interim: words while somebody speaks; turns: it can decide when one is over.",
    "llm": "direct: it does not reason first. Price: of a million tokens read/written.",
    "tts": "word times: what was heard is known; cancel: by a message, not by closing.",
    "realtime": "turns: it can decide when one is over; our turns: the session can; heard: it forgets what\n"
    "was not heard; text: for another voice. Price: of a million tokens of sound heard/spoken.",
}
PortOption = Annotated[str | None, typer.Option(help=f"Only one kind, with details: {', '.join(PORTS)}.")]


@reports_errors
def list_services(port: PortOption = None) -> None:
    """List the vendors: what each provides and needs; with --port, what it can do."""
    out = console()
    if port is None:
        rows = [row for vendor in available() for row in _overview(vendor)]
        table(out, ("vendor", "provides", "needs"), rows)
        out.print(
            "Details: antiphon services list --port stt, llm, tts or realtime", style="dim", soft_wrap=True
        )
        return
    if port not in PORTS:
        raise ConfigurationError(f"there is no kind of service {port!r}: choose from {', '.join(PORTS)}")
    prices = load_prices()
    rows = [_details(vendor, port, prices) for vendor in available() if port in vendor.provides]
    heads = ("vendor", "model", "can", "languages", "limit", "price", "checked")
    used = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    table(out, [heads[place] for place in used], [[row[place] for place in used] for row in rows])
    if meaning := MEANING.get(port):
        out.print(meaning, style="dim", soft_wrap=True)


def price_of(vendor: Vendor, port: str, prices: PriceTable) -> Price | None:
    """Return the price of a vendor's default model; None if it is not known."""
    if (vendor.default or {}).get(port) == "":
        return FREE if is_own(vendor.name) else None
    service = create(port, vendor.name)  # which knows under whose name it is billed
    return prices.price(service.vendor, port, service.model)


def limit_of(vendor: Vendor, port: str) -> str:
    """Return how long a connection of a realtime model may last; it is renewed."""
    seconds = connection_limit(vendor) if port == "realtime" else None
    return f"{seconds / 60:g} min" if seconds is not None else ""


def _overview(vendor: Vendor) -> list[tuple[str, str, str]]:
    """Return the lines of a vendor, one for each variable that it needs."""
    ports = " ".join(port if port in vendor.provides else " " * len(port) for port in TRIED).rstrip()
    if not ports:
        return []
    needs = [f"{name} (set)" if name in os.environ else name for name in needed(vendor)] or ["no key"]
    return [(vendor.name, ports, needs[0]), *(("", "", name) for name in needs[1:])]


def _details(vendor: Vendor, port: str, prices: PriceTable) -> tuple[str, ...]:
    model = (vendor.default or {}).get(port)
    shown = "name a model" if model == "" else model or ""
    price = price_of(vendor, port, prices)
    return (
        vendor.name,
        shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…",
        ", ".join(abilities(vendor, port)),
        vendor.languages.get(port, ""),
        limit_of(vendor, port),
        "?" if price is None else "free" if price is FREE else str(price),
        vendor.checked[:7],
    )
