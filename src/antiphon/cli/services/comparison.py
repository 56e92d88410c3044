"""Several services with the same work: who measures what, and in which order.

Vendors on the network do each piece of work at the same time, since they do not disturb each other. Services
on this machine share its processor, so each has all of its work alone.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from ...errors import AntiphonError
from ...telemetry.prices import is_own, load_prices
from ...vendors import vendor_of
from .recordings import Recording
from .trials import opened

__all__ = ["UNKNOWN", "ServiceRow", "compare_services"]

WITHIN = 30.0  # seconds that a piece of work may take, besides the length of a recording
UNKNOWN = "-"  # in place of what is not known

Exercise = TypeVar("Exercise")


@dataclass
class ServiceRow(Generic[Exercise]):
    """A service of a comparison: what it did, and how it failed."""

    port: ClassVar[str]
    heads: ClassVar[tuple[str, ...]]

    name: str
    done: int = 0
    billed: tuple[str, str] = ("", "")
    """The vendor and the model under whose name it is billed."""
    failures: list[str] = field(default_factory=list[str])

    async def measure(self, service: Any, work: Exercise) -> None:
        """Do a piece of work. Raises AntiphonError."""
        raise NotImplementedError

    def cost(self, usage: Mapping[str, float], share: float = 1.0) -> float | None:
        """Return what a share of a usage costs at list price, in US dollars."""
        vendor, model = self.billed
        usd = load_prices().cost(vendor, self.port, model, usage)
        return None if usd is None else usd * share

    def cells(self) -> Sequence[str]:
        """Return what was measured, for the columns of `heads`."""
        raise NotImplementedError

    def report(self) -> dict[str, Any]:
        """Return what was measured as plain data."""
        raise NotImplementedError

    def shown(self) -> tuple[str, ...]:
        """Return the row of a table; the last cell says what failed."""
        cells = self.cells() if self.done else [UNKNOWN] * len(self.heads)
        share = (
            f"{len(self.failures)} of {self.done + len(self.failures)} failed: " if self.done else "fails: "
        )
        return (self.name, *cells, share + self.failures[0] if self.failures else "")

    def told(self) -> dict[str, Any]:
        """Return the row as plain data."""
        measured = self.report() if self.done else {}
        return {"service": self.name, "done": self.done, "failures": self.failures, **measured}


async def compare_services(
    rows: Sequence[ServiceRow[Exercise]], works: Sequence[Exercise], doing: Callable[[str], object]
) -> None:
    """Have all rows measured; `doing` is told what is being done."""
    here = [row for row in rows if is_own(vendor_of(row.name))]
    network = [row for row in rows if row not in here]
    for together in filter(None, (network, *([row] for row in here))):
        async with AsyncExitStack() as stack:
            services = await asyncio.gather(*(_open(row, stack) for row in together))
            opened_rows = [pair for pair in zip(together, services, strict=True) if pair[1] is not None]
            names = ", ".join(row.name for row in together)
            for number, work in enumerate(works, 1):
                doing(f"{names}: {number} of {len(works)}")
                await asyncio.gather(*(_measure(row, service, work) for row, service in opened_rows))


async def _open(row: ServiceRow[Any], stack: AsyncExitStack) -> Any:
    """Open a service; None if that fails."""
    with _noting_failures(row):
        async with asyncio.timeout(WITHIN):
            return await stack.enter_async_context(opened(row.port, row.name))


async def _measure(row: ServiceRow[Exercise], service: Any, work: Exercise) -> None:
    """Do a piece of work, unless the service has only failed so far."""
    if row.failures and not row.done:
        return
    within = WITHIN + (work.seconds if isinstance(work, Recording) else 0.0)
    row.billed = (service.vendor, service.model)
    with _noting_failures(row):
        async with asyncio.timeout(within):
            await row.measure(service, work)
        row.done += 1


@contextmanager
def _noting_failures(row: ServiceRow[Any]) -> Generator[None]:
    try:
        yield
    except TimeoutError:
        row.failures.append("no answer in time")
    except AntiphonError as error:
        row.failures.append(str(error))
    except Exception as error:  # noqa: BLE001  what a vendor's code raises ends its own row alone
        row.failures.append(f"{type(error).__name__}: {error}")
