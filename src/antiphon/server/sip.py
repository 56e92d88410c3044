"""Calls straight over SIP, let in as sessions: `antiphon serve --sip 127.0.0.1:5060`.

The stack has one place in a process, and its calls stay there: they are sessions of this event loop.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .admission import Admission
from .host import Refused
from .redaction import without_numbers
from .settings import ServerSettings

if TYPE_CHECKING:
    from ..transports.sip import Endpoint, Ringing

__all__ = ["answering", "let_in", "listen"]

logger = logging.getLogger("antiphon.server")


@asynccontextmanager
async def answering(reception: Admission) -> AsyncGenerator[None]:
    """Answer SIP calls meanwhile, where that is wanted. Raises ConfigurationError where it cannot be done."""
    if not reception.settings.sip:
        yield
        return
    async with _endpoint(reception.settings) as endpoint:
        listening = asyncio.create_task(listen(reception, endpoint), name="antiphon sip")
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def _endpoint(settings: ServerSettings) -> "Endpoint":
    from ..transports.sip import Endpoint, SIPSettings

    # the host refuses those beyond its capacity; to the stack a transfer's second call is one, too
    return Endpoint(
        SIPSettings(
            settings.sip,
            settings.sip_user,
            settings.sip_domain,
            settings.sip_password,
            settings.sip_registrar,
            settings.sip_protocol,
            calls=2 * settings.capacity,
            ports=settings.sip_ports,
        )
    )


async def listen(reception: Admission, endpoint: "Endpoint") -> None:
    """Let in whoever calls, for as long as the stack works."""
    async with asyncio.TaskGroup() as calls:
        async for ringing in endpoint.calls():
            calls.create_task(let_in(reception, ringing))
    reception.draining = True  # /ready tells it
    logger.error("no SIP call comes in any more: its stack has stopped, and a new process is needed")


async def let_in(reception: Admission, ringing: "Ringing") -> None:
    """Begin a session with the agent whose name was called, or with the first; or say that it is busy."""
    try:
        reception.has_room()
        called = ringing.called if ringing.called in reception.host.names else None
        await reception.open(reception.opening("sip", called, ringing=ringing), None)
    except Refused as refusal:
        if ringing.over:
            logger.info("a SIP caller left before the answer")
            return
        reception.metrics.refuse(refusal.status)
        logger.warning(
            "a SIP call of %s was refused: %s", without_numbers(ringing.caller[:200]), refusal.detail
        )
        await ringing.decline()
    except Exception:
        logger.exception("a SIP call of %s could not be let in", without_numbers(ringing.caller[:200]))
        await ringing.decline()
