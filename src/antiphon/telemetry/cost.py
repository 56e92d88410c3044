"""What a conversation costs, service by service.

Only what its services told is counted, at list prices: see `services/usage.py` and `vendors/prices.toml`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..frames import Frame, Signal, Usage
from .prices import PriceTable, is_own, load_prices

__all__ = ["Costs", "ServiceCost", "dollars"]

KINDS, DONE = ("text", "audio", "image"), ("read", "written", "cached")
PORTS = {
    **dict.fromkeys(("seconds heard", "seconds open"), "stt"),
    **dict.fromkeys(("tokens read", "tokens written", "tokens cached", "tokens stored"), "llm"),
    "answers uncounted": "llm",
    **dict.fromkeys(("characters spoken", "seconds spoken"), "tts"),
    **dict.fromkeys((f"{kind} tokens {done}" for kind in KINDS for done in DONE), "realtime"),
    "seconds of conversation": "realtime",
}
"""The kind of service that consumes in a unit."""


@dataclass(frozen=True, slots=True)
class ServiceCost:
    """What one service consumed in a conversation, and what that costs."""

    part: str
    port: str
    vendor: str
    model: str
    usage: Mapping[str, float]
    """Amounts by unit."""
    usd: float | None
    """US dollars; None if they are not known."""
    own: bool = False
    """True if it runs on the user's own machines."""

    @property
    def name(self) -> str:
        """The service as it is written: "openai/gpt-4.1-mini"."""
        return "/".join(filter(None, (self.vendor, self.model))) or "a service without a vendor"

    @property
    def uncounted(self) -> int:
        """The answers whose tokens the vendor did not tell, such as those cut off."""
        return round(self.usage.get("answers uncounted", 0))


class Costs:
    """An observer that adds up what the services of a session consume and cost.

    Without `prices` those of `load_prices` count. Raises ConfigurationError for a bad file of the user.
    """

    media = False

    def __init__(self, prices: PriceTable | None = None) -> None:
        self._prices = prices or load_prices()
        self._used: dict[tuple[str, str, str, str], dict[str, float]] = {}

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """Add what a service consumed."""
        if type(what) is Usage and (port := PORTS.get(what.unit)) is not None:
            used = self._used.setdefault((what.part, port, what.vendor, what.model), {})
            used[what.unit] = used.get(what.unit, 0.0) + what.amount

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def services(self) -> list[ServiceCost]:
        """Return what each service consumed and costs, in the order in which they began."""
        price = self._prices.cost
        return [
            ServiceCost(part, port, vendor, model, used, price(vendor, port, model, used), is_own(vendor))
            for (part, port, vendor, model), used in self._used.items()
        ]

    @property
    def usd(self) -> float:
        """The cost of the services whose prices are known, in US dollars."""
        return sum(self.ports().values())

    def ports(self) -> dict[str, float]:
        """Return the known costs in US dollars, by the kind of service."""
        ports: dict[str, float] = {}
        for one in self.services():
            if one.usd:
                ports[one.port] = ports.get(one.port, 0.0) + one.usd
        return ports

    @property
    def unknown(self) -> list[str]:
        """What is missing in the cost: services without a price, answers not counted."""
        missing: list[str] = []
        for one in self.services():
            if one.uncounted and not one.own:
                missing.append(f"answers of {one.name} without a count of tokens: {one.uncounted}")
            elif one.usd is None:
                missing.append(f"{one.port} {one.name}, whose price is not known")
        return missing

    def line(self) -> str:
        """Return a sentence on the cost; "" if no service has told what it consumed."""
        services = self.services()
        if not services:
            return ""
        if all(one.own and not one.usd for one in services):
            return "Cost: nothing, all models run on your own machine."
        told = ", ".join(f"{port} {dollars(usd)}" for port, usd in self.ports().items())
        own = dict.fromkeys(one.port for one in services if one.own and not one.usd)
        sentences = [
            f"Cost: {dollars(self.usd)}{f' ({told})' if told else ''}",
            f"; on your own machine: {', '.join(own)}" if own else "",
            f"; not included: {', '.join(unknown)}" if (unknown := self.unknown) else "",
        ]
        return "".join(sentences) + "."


def dollars(usd: float) -> str:
    """Return an amount with the digits that it needs: $1.25, $0.0123, $0.000420."""
    return f"${usd:.2f}" if usd >= 1 or usd == 0 else f"${usd:.4f}" if usd >= 0.001 else f"${usd:.6f}"
