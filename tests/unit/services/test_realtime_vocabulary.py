"""The page of the realtime vocabulary says of every word what it is with every vendor."""

from typing import get_args

from antiphon.services import realtime_vocabulary
from antiphon.services.realtime_vocabulary import RealtimeEvent, RealtimeInput


def test_the_tables_have_every_word_and_every_vendor() -> None:
    lines = (realtime_vocabulary.__doc__ or "").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    words = [f"`{kind.__name__}`" for kind in (*get_args(RealtimeInput), *get_args(RealtimeEvent))]
    named = [row[0] for row in rows if row[0].startswith("`")]
    assert sorted(named) == sorted(words * 2)
    heads = [row[1:] for row in rows if row[0] == "what"]
    assert [vendor for head in heads for vendor in head] == [
        "OpenAI and its dialects", "GPT-Live", "Gemini Live", "Nova Sonic",
        "Ultravox", "Hume EVI", "Unmute", "Moshi",
    ]  # fmt: skip
    assert {len(row) for row in rows} == {5}
