"""What a conversation looks like."""

import io
from collections.abc import Sequence
from itertools import pairwise

import pytest
from rich.console import Console

from antiphon import Agent, Speaking
from antiphon.cli.screen import Screen, measured, summary, waterfall
from antiphon.telemetry.cost import Costs
from antiphon.telemetry.latency import Latency, ReplyTiming, TurnTiming
from antiphon.testing import LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS, loud, run_virtual
from antiphon.transports.caller import Caller, CallerLine


def turn(
    times: Sequence[float] = (1.0, 1.25, 1.25, 1.4, 1.5, 1.55, 1.55), source: str = "recording"
) -> TurnTiming:
    ended, certain, closed, token, asked, audio, played = times
    answer = ReplyTiming(1, closed, token, asked, audio, played)
    return TurnTiming(1, "hello", 0.0, ended, source, certain, closed, "", answer)  # pyright: ignore[reportArgumentType]


def test_a_waterfall_has_a_bar_for_each_part_beginning_where_the_last_ended() -> None:
    rows = [row.plain for row in waterfall(turn())]
    assert [row.split()[0] for row in rows] == ["endpointing", "first", "first", "first", "voice"]
    bars = [(row.find("█"), row.rfind("█")) for row in rows[:-1]]
    assert all(begin == end + 1 for (_, end), (begin, _) in pairwise(bars))
    assert [row.split()[-1] for row in rows] == ["250", "150", "100", "50", "ms"]
    assert rows[-1].split()[-2] == "550"
    assert len({len(row.removesuffix(" ms")) for row in rows}) == 1


def test_a_long_answer_does_not_make_a_wider_one() -> None:
    short, long = waterfall(turn()), waterfall(turn((1.0, 4.0, 4.0, 6.0, 6.1, 6.11, 6.11)))
    assert {row.cell_len for row in short} == {row.cell_len for row in long}


def test_without_an_answer_there_is_none() -> None:
    assert waterfall(TurnTiming(1, "hello", 0.0, 1.0, "vad", 1.2, 1.2, "")) == []


@pytest.mark.parametrize(
    ("source", "words"), [("recording", "recording"), ("vad", "detector"), ("typed", "typed")]
)
def test_it_is_said_where_was_measured(source: str, words: str) -> None:
    assert words in measured([turn(source=source)])


def test_the_summary_is_of_all_answers() -> None:
    out = Console(file=io.StringIO(), force_terminal=False)
    summary(out, [turn(), turn((1.0, 1.25, 1.25, 1.4, 1.5, 1.65, 1.65))], Costs())
    assert isinstance(out.file, io.StringIO)
    *_, last, where = out.file.getvalue().splitlines()
    assert last.split() == ["voice", "to", "voice", "600", "645"]
    assert where.startswith("Measured from")
    assert "2 answers" in out.file.getvalue()


def shown_of(agent: Agent, lines: Sequence[CallerLine], out: Console) -> str:
    latency = Latency()

    async def call() -> None:
        with Screen(out, latency) as screen:
            await agent.session(Caller(lines, 16000), observers=[latency, screen]).run()

    run_virtual(call())
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_an_answer_of_which_nothing_was_audible_has_no_line() -> None:
    """The caller goes on before the slow model has said a word; only the answer to the whole is shown."""
    agent = Agent(
        "Be brief.",
        stt=ScriptedSTT(["I have a", "question about the opening hours of your shop"]),
        llm=ScriptedLLM(["Never heard.", "We are open from nine to five."], first=2.5),
        tts=ScriptedTTS(),
        vad=LoudVAD(),
        eot=ScriptedEOT(),
        speaking=Speaking(please_wait=None),  # which would be audible
    )
    lines = [CallerLine(loud(1.0), 0.5, "now"), CallerLine(loud(2.0), 2.0, "now")]
    shown = shown_of(agent, lines, Console(file=io.StringIO(), force_terminal=False, width=100))
    said = [line.split(None, 2)[1:] for line in shown.splitlines() if line.split()[1] in ("agent", "caller")]
    assert ["agent", "We are open from nine to five."] in said
    assert [words for who, *words in said if who == "agent"] == [["We are open from nine to five."]]


def test_on_a_terminal_it_is_in_colour_and_ends_clean() -> None:
    out = Console(file=io.StringIO(), force_terminal=True, width=100, legacy_windows=False)
    agent = Agent(
        "Be brief.",
        stt=ScriptedSTT(["hello", "wait"]),
        llm=ScriptedLLM(["I will tell you everything that there is to know about it.", "Yes?"]),
        tts=ScriptedTTS(),
        vad=LoudVAD(),
        eot=ScriptedEOT(),
    )
    shown = shown_of(agent, [CallerLine(loud(1.0), 0.5, "now"), CallerLine(loud(0.6), 1.0, "barge-in")], out)
    for expected in ("caller", "agent", "‖", '("wait")', "endpointing", "\x1b[2;9m", "listening"):
        assert expected in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor is given back
