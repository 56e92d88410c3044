"""The table of all vendors in docs/guides/services.md, made from their records.

python tools/vendors_table.py          writes it
python tools/vendors_table.py --check  exits with 1 if it is not what the records say
"""

import sys
from pathlib import Path

from antiphon.services.ports import Vendor
from antiphon.vendors import available

PAGE = Path(__file__).parents[1] / "docs/guides/services.md"
BEGIN, END = "<!-- made from the records -->", "<!-- end of what is made from the records -->"
COLUMNS = {"stt": "speech to text", "llm": "language model", "tts": "text to speech"}


def cell(vendor: Vendor, port: str) -> str:
    """Return the default model of a port; "" if the vendor does not provide it."""
    if port not in vendor.provides:
        return ""
    model = (vendor.default or {}).get(port)
    return f"`{model}`" if model else "yes" if model is None else "name a model"


def line(vendor: Vendor) -> str:
    """Return the line of a vendor."""
    docs = vendor.docs if "://" in vendor.docs else f"../../{vendor.docs}"
    cells = [f"[{vendor.name}]({docs})", *(cell(vendor, port) for port in COLUMNS)]
    return f"| {' | '.join([*cells, f'`{vendor.env}`' if vendor.env else ''])} |"


def renewed(page: str) -> str:
    """Return the page with the table as the records are now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    shown = [vendor for vendor in available() if vendor.provides.keys() & COLUMNS.keys()]
    table = [
        f"| vendor | {' | '.join(COLUMNS.values())} | key |",
        f"| {' | '.join(['---'] * (len(COLUMNS) + 2))} |",
        *map(line, shown),
    ]
    return "\n".join([f"{before}{BEGIN}", "", *table, "", f"{END}{after}"])


if __name__ == "__main__":
    page = PAGE.read_text("utf-8")
    if "--check" not in sys.argv:
        PAGE.write_text(renewed(page), "utf-8")
    elif renewed(page) != page:
        sys.exit(f"{PAGE.name} is not what the vendors' records say: run python tools/vendors_table.py")
