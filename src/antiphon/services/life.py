"""Opening and closing of services that several sessions share."""

import asyncio
import logging
from collections.abc import Sequence

from .ports import Service
from .streams import ready

__all__ = ["ServiceLeases", "close_services", "open_services"]

logger = logging.getLogger("antiphon.services")

CLOSED_WITHIN = 2.0  # seconds that services may take to close


async def open_services(services: Sequence[Service]) -> None:
    """Load and open services at the same time.

    If one fails, the others stop opening before its error is raised.
    """
    opening = [asyncio.ensure_future(ready(service)) for service in services]
    try:
        await asyncio.gather(*opening)
    except BaseException:
        for task in opening:
            task.cancel()
        await asyncio.gather(*opening, return_exceptions=True)
        raise


async def close_services(services: Sequence[Service]) -> None:
    """Close services at the same time, in two seconds at most; log failures."""
    closing = [asyncio.create_task(service.close()) for service in services]
    if not closing:
        return
    _, late = await asyncio.wait(closing, timeout=CLOSED_WITHIN)
    if late:
        for task in late:
            task.cancel()
        await asyncio.wait(late, timeout=CLOSED_WITHIN / 4)
    for service, task in zip(services, closing, strict=True):
        if not task.done() or task.cancelled():
            logger.warning("%r did not close within %g s", service, CLOSED_WITHIN)
        elif (error := task.exception()) is not None:
            logger.warning("%r could not be closed: %r", service, error)


class _Lease:
    """A service in use, by how many, and the task that closes it once there are none."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.users = 0
        self.closing: asyncio.Task[None] | None = None


class ServiceLeases:
    """The users of services: a service is closed when its last user has left.

    Services are told apart by identity, so agents that share one may come and go in any order.
    """

    def __init__(self) -> None:
        self._leases: dict[int, _Lease] = {}

    async def acquire(self, services: Sequence[Service]) -> None:
        """Count one more user of each, and wait for those that are being closed."""
        leases = [self._leases.setdefault(id(service), _Lease(service)) for service in services]
        for lease in leases:
            lease.users += 1
        if closing := {lease.closing for lease in leases if lease.closing is not None}:
            await asyncio.wait(closing)

    async def release(self, services: Sequence[Service]) -> None:
        """Count one user less of each, and close those that have none."""
        unused: list[_Lease] = []
        for service in services:
            lease = self._leases[id(service)]
            lease.users -= 1
            if lease.users == 0:
                unused.append(lease)
        for lease in unused:
            lease.closing = asyncio.create_task(self._close(lease), name="antiphon close service")
        if unused:
            await asyncio.wait([lease.closing for lease in unused if lease.closing is not None])

    async def _close(self, lease: _Lease) -> None:
        await close_services([lease.service])
        lease.closing = None
        if lease.users == 0:
            del self._leases[id(lease.service)]
