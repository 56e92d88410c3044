"""What is measured of a model that hears and speaks, in a comparison."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ...services.ports import RealtimeModel
from ...telemetry.latency import percentile
from ...telemetry.prices import load_prices
from .comparison import UNKNOWN, ServiceRow
from .conversing import TurnTrial, converse
from .recordings import Recording
from .rows import INSTRUCTIONS
from .word_errors import WordErrors, count_errors

__all__ = ["ConversationRow"]

PORTS = ("realtime", "stt", "llm")  # what a model and the services that it uses are billed as


@dataclass
class ConversationRow(ServiceRow[Recording]):
    """A model that hears and speaks, which answers recorded questions."""

    port: ClassVar[str] = "realtime"
    heads: ClassVar[tuple[str, ...]] = (
        "first audio median ms",
        "first audio p95 ms",
        "errors in words heard",
        "$ per 1000 answers",
    )

    turns: dict[str, TurnTrial] = field(default_factory=dict[str, TurnTrial])
    errors: WordErrors = field(default_factory=WordErrors)

    async def measure(self, service: RealtimeModel, work: Recording) -> None:
        """Ask a recorded question."""
        turn = self.turns[work.name] = await converse(service, work, INSTRUCTIONS)
        if work.text is not None and turn.heard:
            self.errors += count_errors(work.text, turn.heard)

    def cells(self) -> Sequence[str]:
        """Return the latency, errors in the words heard, and the cost."""
        first = sorted(turn.first for turn in self.turns.values() if turn.first is not None)
        rate, usd = self.errors.rate, self.thousand
        return [
            *(f"{percentile(first, share) * 1000:.0f}" for share in (0.5, 0.95)),
            UNKNOWN if rate is None else f"{rate:.1%}",
            UNKNOWN if usd is None else f"{usd:.2f}" if usd else "free",
        ]

    @property
    def thousand(self) -> float | None:
        """The cost of a thousand such answers in US dollars; None if it is not known."""
        total, prices = 0.0, load_prices()
        for turn in self.turns.values():
            if not turn.usage and prices.cost(self.billed[0], self.port, self.billed[1], {}) is None:
                return None
            for (vendor, model), used in turn.usage.items():
                known = [prices.cost(vendor, port, model, used) for port in PORTS]
                cost = next((usd for usd in known if usd), 0.0 if 0.0 in known else None)
                if cost is None:
                    return None
                total += cost
        return total * 1000 / len(self.turns)

    def report(self) -> dict[str, Any]:
        """Return what was heard and said, the latency, and the cost."""
        return {
            "usd_per_1000_answers": self.thousand,
            "error_rate": self.errors.rate,
            "questions": {
                name: {
                    "heard": turn.heard,
                    "said": turn.said.strip(),
                    "first_seconds": turn.first,
                    "audio_seconds": turn.spoken,
                }
                for name, turn in self.turns.items()
            },
        }
