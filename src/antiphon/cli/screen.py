"""Printing a conversation as it happens, with each answer's latency."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..frames import (
    Failed,
    Frame,
    PlayoutStarted,
    ReplyEnded,
    ReplyStarted,
    Signal,
    Text,
    ToolEnded,
    Transcript,
    UserTurn,
    UserTurnStarted,
)
from ..telemetry.cost import Costs
from ..telemetry.latency import PARTS, Latency, ReplyTiming, ToolRun, TurnTiming, summarise
from .show import table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text as Line

__all__ = ["Screen", "measured", "summary", "waterfall"]

LABELS: dict[str, str] = {
    part: part.replace("stt", "STT").replace("_", " ") for part in (*PARTS, "voice_to_voice")
}
COLOURS = dict(zip(PARTS, ("blue", "cyan", "magenta", "yellow", "green", "white"), strict=True))
VOICES = {"caller": "bold cyan", "agent": "bold magenta", "tool": "yellow", "failed": "bold red"}
STATES = {"listening": "dim", "thinking": "yellow"} | VOICES
BARS = 48  # columns of a waterfall
SCALE = 1.0  # seconds that BARS columns stand for; more if an answer took longer
INDENT = 18  # columns before the text


class Screen:
    """An observer that prints the conversation.

    On a terminal, a live line shows who is speaking. Among the session's observers it must come after
    `latency`, because it prints what that has measured.
    """

    media = False

    def __init__(self, out: "Console", latency: Latency) -> None:
        self.out = out
        self.latency = latency
        self._live: Live | None = None
        self._state, self._words = "listening", ""
        self._printed = set[int]()  # the numbers of the turns that were printed

    def __enter__(self) -> "Screen":
        if self.out.is_terminal:
            from rich.live import Live
            from rich.spinner import Spinner

            spinner = Spinner("dots")
            self._live = Live(
                console=self.out,
                get_renderable=lambda: self._live_line(spinner),
                transient=True,
                refresh_per_second=8,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """Record an event, to be printed once the session has handled it."""
        match what:
            case UserTurnStarted():
                self._state, self._words = "caller", ""
            case Transcript(text, final) if text and not final:
                self._words = text
            case Transcript() if (turn := self.latency.worded) is not None:
                self._call_soon(self._print_turn, turn)
            case UserTurn():
                self._state, self._words = "thinking", ""
                self._call_soon(self._print_turn, self.latency.turns[-1])
            case ReplyStarted():
                self._words = ""
            case Text(_, text, at):
                self._words = self._words[:at] + text
            case PlayoutStarted():
                self._state = "agent"
            case ToolEnded(reply):
                for run in answer.tools if (answer := self.latency.answer(reply)) else ():
                    if run.call.id == what.call.id:
                        self._call_soon(self._print_tool, now, run)
            case ReplyEnded(speculative=True):
                pass  # it was never audible
            case ReplyEnded(reply):
                if self._state == "agent":
                    self._state, self._words = "listening", ""
                if answer := self.latency.answer(reply):
                    self._call_soon(self._print_answer, answer, self.latency.turn_of(reply))
            case Failed() if not what.recovered:
                self._call_soon(self._print, now, "failed", f"{what.part}: {what.message}")
            case _:
                pass

    def _call_soon(self, show: Callable[..., None], *arguments: Any) -> None:
        asyncio.get_running_loop().call_soon(show, *arguments)

    def _live_line(self, spinner: "Spinner") -> "Spinner":
        from rich.text import Text as Line

        width = max(10, self.out.width - INDENT - 4)
        words = self._words if len(self._words) <= width else "…" + self._words[-width:]
        line = Line.assemble((f"{self._state:<9}", STATES[self._state]), " ", (words, "dim"))
        spinner.update(text=line, style=STATES[self._state])
        return spinner

    # What is printed -------------------------------------------------------------------------------

    def _print_turn(self, turn: TurnTiming) -> None:
        if turn.user and turn.number not in self._printed:  # twice if a part has rewritten it
            self._printed.add(turn.number)
            self._print(turn.started, "caller", turn.user)

    def _print_tool(self, now: float, run: ToolRun) -> None:
        self._print(now, "tool", f"{run.call.name} {run.call.arguments} → {run.result}")

    def _print_answer(self, answer: ReplyTiming, turn: TurnTiming | None) -> None:
        from rich.text import Text as Line

        said = answer.said.strip()
        if answer.played is None and (answer.interrupted or not said):
            return  # the caller went on speaking before any of it was heard, or there was nothing to say
        heard = answer.heard.strip() if answer.interrupted else said
        line = Line(heard)
        if rest := said[len(heard) :].strip():
            line.append(" ‖ ", "red").append(rest, "dim strike")
        if answer.interrupted:
            line.append(f" ({answer.reason})", "dim")
        self._print(answer.played or answer.started, "agent", line)
        for row in waterfall(turn) if turn is not None else ():
            self.out.print(row, soft_wrap=True)

    def _print(self, at: float, who: str, what: "str | Line") -> None:
        from rich.table import Table
        from rich.text import Text as Line

        time = f"{int(at // 60)}:{at % 60:04.1f}"
        line = Line(what) if isinstance(what, str) else what
        if self.out.is_terminal:
            grid = Table.grid(padding=(0, 2))
            grid.add_column(width=7, justify="right", style="dim")
            grid.add_column(width=7, style=VOICES[who])
            grid.add_column()
            grid.add_row(time, who, line)
            self.out.print(grid)
        else:
            self.out.print(Line.assemble(f"{time:>7}  {who:<7}  ", line), soft_wrap=True)


def waterfall(turn: TurnTiming) -> "list[Line]":
    """Return the parts of a turn's latency as bars, each from the last one's end."""
    from rich.text import Text as Line

    marks, parts = turn.marks, turn.parts
    if marks is None or parts is None:
        return []
    total = marks[-1] - marks[0]
    columns = BARS / max(SCALE, total)
    lines: list[Line] = []
    begun = 0.0
    for part, seconds in parts.items():
        first, last = round(begun * columns), round((begun + seconds) * columns)
        begun += seconds
        if seconds >= 0.0005:
            bar = " " * first + ("█" * (last - first) or "▏")
            label = (f"{LABELS[part]:<16}", "dim")
            took = (f"{seconds * 1000:5.0f}", "dim")
            lines.append(Line.assemble(" " * INDENT, label, (f"{bar:<{BARS + 1}}", COLOURS[part]), took))
    whole = f"{LABELS['voice_to_voice']:<{BARS + 17}}{total * 1000:5.0f} ms"
    saved = turn.answer.saved if turn.answer else 0.0
    ahead = f", begun {saved * 1000:.0f} ms ahead" if saved >= 0.0005 else ""
    return [*lines, Line.assemble(" " * INDENT, (whole, "bold"), (ahead, "dim"))]


def summary(out: "Console", turns: Sequence[TurnTiming], costs: Costs) -> None:
    """Print median and 95th percentile of the turns' latencies, and the cost."""
    _latencies(out, turns)
    if told := costs.line():
        out.print(told, style="dim", soft_wrap=True)


def _latencies(out: "Console", turns: Sequence[TurnTiming]) -> None:
    of = summarise(turns)
    if of is None:
        return
    rows = [
        (label, f"{of.median[name] * 1000:.0f}", f"{of.p95[name] * 1000:.0f}")
        for name, label in LABELS.items()
    ]
    count = "1 answer" if of.answered == 1 else f"{of.answered} answers"
    table(out, (f"ms, of {count}", "median", "95th"), rows, "-rr")
    out.print(measured(turns), style="dim", soft_wrap=True)


def measured(turns: Sequence[TurnTiming]) -> str:
    """Return a sentence on the points between which latencies were measured."""
    if not turns:
        return "Nothing was measured."
    begins = {
        "recording": "the end of speech in the caller's recording",
        "vad": "the last sound before the detector heard the end",
        "typed": "the arrival of the typed text",
    }
    used = dict.fromkeys(begins[turn.measured_from] for turn in turns)
    return f"Measured from {' or '.join(used)} to the first sample of the answer at playout."
