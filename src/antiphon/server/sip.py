"""SIP calls as sessions: `antiphon serve --sip 127.0.0.1:5060`.

A process has one SIP stack, and a call cannot move to another process; so these sessions run in the event
loop of the server.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from .admission import Admission
from .port import Refused, SIPOpening
from .redaction import without_numbers
from .settings import ServerSettings

if TYPE_CHECKING:
    from ..transports.sip import Endpoint, Ringing

__all__ = ["admit", "answering", "listen"]

logger = logging.getLogger("antiphon.server")


@asynccontextmanager
async def answering(admission: Admission) -> AsyncGenerator[None]:
    """Answer SIP calls inside the `with` block, if `settings.sip` is set.

    Raises ConfigurationError.
    """
    if not admission.settings.sip:
        yield
        return
    async with _endpoint(admission.settings) as endpoint:
        listening = asyncio.create_task(listen(admission, endpoint), name="antiphon sip")
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


def _endpoint(settings: ServerSettings) -> "Endpoint":
    from ..transports.sip import Endpoint, SIPSettings

    # the host limits sessions; the stack's own limit is double, because a transfer needs a second call
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


async def listen(admission: Admission, endpoint: "Endpoint") -> None:
    """Admit every call until the SIP stack stops."""
    async with asyncio.TaskGroup() as calls:
        async for ringing in endpoint.calls():
            calls.create_task(admit(admission, ringing))
    admission.draining = True  # so that /ready answers 503
    logger.error("the SIP stack has stopped and receives no more calls: a new process is needed")


async def admit(admission: Admission, ringing: "Ringing") -> None:
    """Begin a session with the agent that was called, or else with the first one.

    Declines the call if the session is refused or cannot begin.
    """
    try:
        admission.check_room()
        called = ringing.called if ringing.called in admission.host.names else None
        opening = SIPOpening(admission.new_session(), admission.agent_named(called))
        await admission.open(opening, None, ringing=ringing)
    except Refused as refusal:
        if ringing.over:
            logger.info("a SIP caller hung up before the call was answered")
            return
        admission.metrics.record_refusal(refusal.status)
        logger.warning(
            "a SIP call of %s was refused: %s", without_numbers(ringing.caller[:200]), refusal.detail
        )
        await ringing.decline()
    except Exception:
        logger.exception("a SIP call of %s could not be admitted", without_numbers(ringing.caller[:200]))
        await ringing.decline()
