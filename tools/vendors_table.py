"""The tables of all vendors in docs/guides/services.md, made from their records.

python tools/vendors_table.py          writes them
python tools/vendors_table.py --check  exits with 1 if they are not what the records say
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from antiphon.cli.services.listing import limit_of, price_of
from antiphon.services.ports import Vendor
from antiphon.telemetry.prices import FREE, package_prices
from antiphon.vendors import abilities, available, needed

PAGE = Path(__file__).parents[1] / "docs/guides/services.md"
BEGIN, END = "<!-- made from the records -->", "<!-- end of what is made from the records -->"
PORTS = {
    "stt": "Speech to text",
    "llm": "Language models",
    "tts": "Text to speech",
    "realtime": "Speech to speech",
}
COLUMNS = ("vendor", "default model", "can", "languages", "limit", "price", "key", "checked")
ABSENT = {"stt": ("limit",), "llm": ("languages", "limit"), "tts": ("limit",), "realtime": ("languages",)}
"""The columns that the table of a port does not have."""


def line(vendor: Vendor, port: str) -> str:
    """Return the line of a vendor in the table of a port."""
    docs = vendor.docs if "://" in vendor.docs else f"../../{vendor.docs}"
    model = (vendor.default or {}).get(port)
    price = price_of(vendor, port, package_prices())
    cells = dict(
        zip(
            COLUMNS,
            (
                f"[{vendor.name}]({docs})",
                "name a model" if model == "" else f"`{model}`" if model else "",
                ", ".join(abilities(vendor, port)),
                vendor.languages.get(port, ""),
                limit_of(vendor, port),
                "" if price is None else "free" if price is FREE else str(price),
                ", ".join(f"`{name}`" for name in needed(vendor, [port])),
                vendor.checked,
            ),
            strict=True,
        )
    )
    return f"| {' | '.join(cell for head, cell in cells.items() if head not in ABSENT[port])} |"


def tables() -> Iterator[str]:
    """Yield the lines of the tables."""
    for port, title in PORTS.items():
        heads = [head for head in COLUMNS if head not in ABSENT[port]]
        yield from ("", f"### {title}", "", f"| {' | '.join(heads)} |", f"| {'--- | ' * len(heads)}".strip())
        yield from (line(vendor, port) for vendor in available() if port in vendor.provides)


def renewed(page: str) -> str:
    """Return the page with the tables as the records are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([f"{before}{BEGIN}", *tables(), "", f"{END}{after}"])


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    if "--check" not in sys.argv:
        PAGE.write_text(renewed(page), "utf-8")
    elif renewed(page) != page:
        sys.exit(f"{PAGE.name} is not what the vendors' records say: run python tools/vendors_table.py")
