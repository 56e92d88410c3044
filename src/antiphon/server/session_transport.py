"""The transport of a session, made from its opening: one function for each kind."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, UsageError
from ..telemetry.latency import Latency
from ..transports.port import Transport
from ..transports.wire import Wire
from .documents import publisher
from .settings import ServerSettings

if TYPE_CHECKING:
    from ..rtvi import RTVI
    from ..session import Observer
    from ..transports.sip import Ringing
    from ..transports.webrtc.settings import WebRTCSettings
    from .host import Opening

__all__ = ["SessionTransport", "preload", "session_transport", "webrtc"]

logger = logging.getLogger("antiphon.server")

LATER = 10.0  # seconds by which a transport gives a client up later than the host, which then says so


@dataclass(frozen=True, slots=True)
class SessionTransport:
    """A transport, the opening with what the far end has said of itself, and who else watches the session."""

    transport: Transport
    opening: "Opening"
    latency: Latency
    observers: "Sequence[Observer]" = ()


async def session_transport(
    opening: "Opening", wire: Wire | None, settings: ServerSettings
) -> SessionTransport:
    """The line of a session.

    Raises UsageError where a kind that needs a wire has none, and what the transports raise.
    """
    return await KINDS[opening.kind](opening, wire, settings)


def preload(settings: ServerSettings) -> None:
    """Import what sessions need: half a second, that calls which are going on shall not wait for."""
    from ..rtvi import RTVI
    from ..transports import websocket
    from ..transports.telephony import transport
    from ..transports.webrtc.engines import engine_maker

    del RTVI, websocket, transport
    try:
        engine_maker(webrtc(settings))
    except ConfigurationError as error:
        logger.warning("browsers can connect by websocket alone: %s", error)


def webrtc(settings: ServerSettings) -> "WebRTCSettings":
    """How WebRTC is to be spoken."""
    from ..transports.webrtc.settings import IceServer, TurnServer, WebRTCSettings

    first, _, last = settings.udp_ports.partition("-")
    return WebRTCSettings(
        settings.webrtc,
        ice_servers=tuple(map(IceServer, settings.stun)),
        turn=TurnServer(settings.turn, settings.turn_secret) if settings.turn else None,
        port_range=(int(first), int(last)) if settings.udp_ports else None,
        connect_within=settings.connect_within + LATER,
    )


async def _webrtc(opening: "Opening", wire: Wire | None, settings: ServerSettings) -> SessionTransport:
    from ..transports.webrtc import WebRTC

    rtvi = _rtvi(opening, settings)
    return SessionTransport(WebRTC(webrtc(settings), rtvi), opening, rtvi.latency)


async def _websocket(opening: "Opening", wire: Wire | None, settings: ServerSettings) -> SessionTransport:
    from ..transports.websocket import Websocket

    rtvi = _rtvi(opening, settings)
    framing = opening.details.get("framing", "auto")
    return SessionTransport(
        Websocket(_needed(opening, wire), framing=framing, rtvi=rtvi), opening, rtvi.latency
    )


async def _phone(opening: "Opening", wire: Wire | None, settings: ServerSettings) -> SessionTransport:
    from ..transports.telephony.providers import provider
    from ..transports.telephony.transport import Telephone, greet

    wire = _needed(opening, wire)
    codec = provider(opening.details["provider"]).codec()
    call = await greet(codec, wire)
    call = call if call.call else replace(call, call=opening.details.get("placed", ""))
    latency = Latency()
    return SessionTransport(
        Telephone(codec, wire, call, publish=publisher(settings)),
        replace(opening, details={**opening.details, "call": asdict(call)}),
        latency,
        [latency],
    )


async def _sip(opening: "Opening", wire: Wire | None, settings: ServerSettings) -> SessionTransport:
    from ..transports.telephony import port

    ringing: Ringing = opening.details["ringing"]
    found = await ringing.answer()
    call = port.CallDetails(
        provider="sip",
        call=ringing.id,
        caller=ringing.caller,
        called=ringing.called,
        heard=port.AudioFormat("l16", found.sound.heard_hz),
        spoken=port.AudioFormat("l16", found.sample_rate),
    )
    latency = Latency()
    return SessionTransport(found, replace(opening, details={"call": asdict(call)}), latency, [latency])


def _rtvi(opening: "Opening", settings: ServerSettings) -> "RTVI":
    """The client protocol, which also feeds the latency of the session."""
    from ..rtvi import RTVI

    return RTVI(agent=opening.agent, report=settings.report, observe=settings.observed)


def _needed(opening: "Opening", wire: Wire | None) -> Wire:
    if wire is None:
        raise UsageError(f"a {opening.kind} session needs a wire")
    return wire


KINDS: Mapping[str, Callable[["Opening", Wire | None, ServerSettings], Awaitable[SessionTransport]]] = {
    "webrtc": _webrtc,
    "websocket": _websocket,
    "phone": _phone,
    "sip": _sip,
}
