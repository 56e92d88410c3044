"""A diagram and a table of the turn engine's rules, for the documentation.

python -m antiphon.turns.diagram docs/concepts/turns.md
"""

import sys
from pathlib import Path

from .floor import State
from .table import ALWAYS, TABLE

__all__ = ["arrows", "renewed"]

BEGIN, END = "<!-- made from the table -->", "<!-- end of what is made from the table -->"


def arrows() -> dict[tuple[State, State], list[str]]:
    """Return the reasons why one state follows another, by the two states.

    Facts that mean the same in every state are left out.
    """
    found: dict[tuple[State, State], list[str]] = {}
    for (state, fact), row in TABLE.items():
        for then, why in row.then.items():
            if then is not state and fact not in ALWAYS:
                reasons = found.setdefault((state, then), [])
                if why not in reasons:
                    reasons.append(why)
    return found


def _diagram() -> str:
    lines = ["stateDiagram-v2", "    [*] --> LISTENING"]
    lines += [
        f"    {one.name} --> {other.name}: {', or '.join(why)}" for (one, other), why in arrows().items()
    ]
    return "\n".join(lines)


def _table() -> str:
    """Return a Markdown table with a line for each state and act."""
    rows: dict[tuple[str, str], list[str]] = {}
    follows: dict[tuple[str, str], list[str]] = {}
    for (state, fact), row in TABLE.items():
        key = ("any" if fact in ALWAYS else state.name, (row.act.__doc__ or "").splitlines()[0])
        facts, then = rows.setdefault(key, []), follows.setdefault(key, [])
        if fact.__name__ not in facts:
            facts.append(fact.__name__)
        then += [other.name for other in row.then if other is not state and other.name not in then]
    lines = ["| state | fact | what is done | what may follow |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {state} | {', '.join(facts)} | {done} | {', '.join(follows[state, done])} |"
        for (state, done), facts in rows.items()
    ]
    return "\n".join(lines)


def renewed(page: str) -> str:
    """Return the page with the current diagram and table.

    Raises ValueError if it has no place for them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n```mermaid\n{_diagram()}\n```\n\n{_table()}\n\n{END}{after}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        page = Path(name)
        page.write_text(renewed(page.read_text("utf-8")), "utf-8")
