"""Making the transport of a session from its opening, by its kind."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, assert_never

import msgspec

from ..errors import ConfigurationError, UsageError
from ..telemetry.latency import Latency
from ..transports.port import Transport
from ..transports.telephony.port import AudioFormat, CallDetails
from ..transports.wire import Wire
from .documents import publisher
from .port import Opening, PhoneOpening, SIPOpening, WebRTCOpening, WebsocketOpening
from .settings import ServerSettings

if TYPE_CHECKING:
    from ..observers import Observer
    from ..rtvi import RTVI
    from ..transports.sip import SIP, Ringing
    from ..transports.telephony.transport import Telephone
    from ..transports.webrtc.settings import WebRTCSettings

__all__ = ["Negotiator", "SessionTransport", "make", "preload", "webrtc_settings"]

logger = logging.getLogger("antiphon.server")

T = TypeVar("T")

LATER = 10.0  # seconds by which the transport's timeout is longer than the host's, which sets the end reason


class Negotiator(Protocol):
    """The part of a WebRTC transport that handles a client's signalling."""

    async def offer(self, request: Mapping[str, Any]) -> Mapping[str, str]:
        """Answer {"sdp", "type", "pc_id", "restart_pc"} with {"sdp", "type", "pc_id"}."""
        ...

    async def candidates(self, request: Mapping[str, Any]) -> object:
        """Add the ICE candidates in {"pc_id", "candidates": [...]}."""
        ...


@dataclass(frozen=True, slots=True)
class SessionTransport:
    """A session's transport, its opening and what observes and closes it."""

    transport: Transport
    opening: Opening
    """The opening, completed by the call's details if it is a phone call."""
    latency: Latency
    observers: "Sequence[Observer]" = ()
    """Observers of the session that the transport does not add by itself."""
    negotiator: Negotiator | None = None
    """The handler of offers; None if the transport is not WebRTC."""
    close: Callable[[], Awaitable[None]] | None = None
    """Closes the connection, if the transport's parts do not do that themselves."""


async def make(
    opening: Opening, wire: Wire | None, settings: ServerSettings, ringing: "Ringing | None" = None
) -> SessionTransport:
    """Make the transport of a session.

    Raises UsageError if it needs a wire or a ringing call and got none, and the errors of the transports.
    """
    match opening:
        case WebRTCOpening():
            return _webrtc(opening, settings)
        case WebsocketOpening():
            return _websocket(opening, _required(wire, opening), settings)
        case PhoneOpening():
            return await _phone(opening, _required(wire, opening), settings)
        case SIPOpening():
            return await _sip(opening, _required(ringing, opening))
        case _:
            assert_never(opening)


def preload(settings: ServerSettings) -> None:
    """Import the modules that sessions need.

    That takes half a second, which would stall running calls if the first session did it.
    """
    from ..rtvi import RTVI
    from ..transports import websocket
    from ..transports.telephony import transport
    from ..transports.webrtc.engines import engine_maker

    del RTVI, websocket, transport
    try:
        engine_maker(webrtc_settings(settings))
    except ConfigurationError as error:
        logger.warning("browsers can connect only by websocket: %s", error)


def webrtc_settings(settings: ServerSettings) -> "WebRTCSettings":
    """Return the WebRTC settings of a server."""
    from ..transports.webrtc.settings import IceServer, TurnServer, WebRTCSettings

    first, _, last = settings.udp_ports.partition("-")
    return WebRTCSettings(
        settings.webrtc,
        ice_servers=tuple(map(IceServer, settings.stun)),
        turn=TurnServer(settings.turn, settings.turn_secret) if settings.turn else None,
        port_range=(int(first), int(last)) if settings.udp_ports else None,
        connect_within=settings.connect_within + LATER,
    )


def _webrtc(opening: WebRTCOpening, settings: ServerSettings) -> SessionTransport:
    from ..transports.webrtc import WebRTC

    rtvi = _rtvi(opening, settings)
    transport = WebRTC(webrtc_settings(settings), rtvi)
    return SessionTransport(transport, opening, rtvi.latency, negotiator=transport, close=transport.close)


def _websocket(opening: WebsocketOpening, wire: Wire, settings: ServerSettings) -> SessionTransport:
    from ..transports.websocket import Websocket

    rtvi = _rtvi(opening, settings)
    return SessionTransport(Websocket(wire, framing=opening.framing, rtvi=rtvi), opening, rtvi.latency)


async def _phone(opening: PhoneOpening, wire: Wire, settings: ServerSettings) -> SessionTransport:
    from ..transports.telephony.providers import provider
    from ..transports.telephony.transport import Telephone, greet

    codec = provider(opening.provider).codec()
    call = await greet(codec, wire)
    call = call if call.call else replace(call, call=opening.placed)
    transport = Telephone(codec, wire, call, publish=publisher(settings))
    return _with_call(transport, opening, call)


async def _sip(opening: SIPOpening, ringing: "Ringing") -> SessionTransport:
    transport = await ringing.answer()
    call = CallDetails(
        provider="sip",
        call=ringing.id,
        caller=ringing.caller,
        called=ringing.called,
        heard=AudioFormat("l16", transport.sound.heard_hz),
        spoken=AudioFormat("l16", transport.sample_rate),
    )
    return _with_call(transport, opening, call)


def _with_call(transport: "Telephone | SIP", opening: Opening, call: CallDetails) -> SessionTransport:
    latency = Latency()
    known = msgspec.structs.replace(opening, call=call)
    return SessionTransport(transport, known, latency, [latency], close=transport.close)


def _rtvi(opening: Opening, settings: ServerSettings) -> "RTVI":
    """Return a session's client protocol, which also measures its latency."""
    from ..rtvi import RTVI

    return RTVI(agent=opening.agent, report=settings.reported, observe=settings.observed)


def _required(what: T | None, opening: Opening) -> T:
    if what is None:
        needed = "its ringing call" if opening.kind == "sip" else "a wire"
        raise UsageError(f"a {opening.kind} session needs {needed}: pass it to Host.open")
    return what
