"""Routes on which clients begin and join sessions: /start, offers, websockets."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, cast, get_args

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .admission import Admission
from .keys import address_of
from .port import (
    Candidate,
    Candidates,
    HostedSession,
    MessageFraming,
    Offer,
    OfferAnswer,
    Refused,
    WebRTCOpening,
    WebsocketOpening,
)
from .responses import answer, decode
from .session_transport import webrtc_settings
from .websocket_route import PendingWebSocket, SocketRoute

__all__ = ["routes"]

START_BYTES = 32_768  # the largest body of /start, since it is kept until a client joins
NOTHING = msgspec.Raw(b"null")

Joined = TypeVar("Joined", WebRTCOpening, WebsocketOpening)


class StartBody(msgspec.Struct):
    """The body of POST /start.

    `body` in it is passed to the agent, if that is a function of the opening.
    """

    transport: Literal["webrtc", "websocket"] | None = None
    agent: str | None = None
    body: msgspec.Raw = NOTHING
    enableDefaultIceServers: bool = False  # noqa: N815  the protocol's own name


class OfferBody(msgspec.Struct):
    """A client's WebRTC offer. A known `pc_id` renegotiates that connection."""

    sdp: str
    type: Literal["offer"]
    pc_id: str | None = None
    restart_pc: bool | None = None
    requestData: Any = None  # noqa: N815
    request_data: Any = None


class CandidatesBody(msgspec.Struct):
    """Further ICE candidates for the connection that `pc_id` names."""

    pc_id: str
    candidates: tuple[Candidate, ...]


class ClientRoutes:
    """The routes that clients use."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission

    async def start(self, request: Request) -> Response:
        """POST /start: prepare a session and answer with the token to join it."""
        admission = self.admission
        admission.check(request, "begin")
        wanted = decode(await admission.read(request, START_BYTES) or b"{}", StartBody)
        decode(bytes(wanted.body), object)  # checked now, but kept as bytes, which take the least memory
        kind = WebsocketOpening if wanted.transport == "websocket" else WebRTCOpening
        opening = kind(
            admission.new_session(), admission.agent_named(wanted.agent), msgspec.Raw(bytes(wanted.body))
        )
        admission.check_room(address=admission.keys.limited_address(request))
        token = admission.openings.mint(opening)
        if wanted.transport == "websocket":
            # this field only, with the token in it: published clients reject unknown fields, 1.6 even `token`
            return answer({"wsUrl": admission.url(request, f"/ws?token={token}", socket=True)})
        settings = webrtc_settings(admission.settings)
        wants_ice = wanted.enableDefaultIceServers and settings.servers()
        ice = {"iceConfig": settings.ice_config()} if wants_ice else {}
        return answer({"sessionId": token} | ice)

    async def offer(self, request: Request) -> Response:
        """POST .../api/offer: connect by WebRTC, or renegotiate the given `pc_id`."""
        body = decode(await self.admission.read(request), OfferBody)
        offer = Offer(body.sdp, body.pc_id or None, bool(body.restart_pc))
        if offer.pc_id is not None:
            hosted = self._session_of(request, offer.pc_id)
            self.admission.rate_limit.spend(address_of(request))
            await self.admission.offer_throttle.wait()
            return answer(_answer_body(await hosted.offer(offer)))
        data = body.requestData if body.requestData is not None else body.request_data
        with self._joining(request, WebRTCOpening, data) as opening:
            address = self.admission.keys.limited_address(request)
            self.admission.check_room("webrtc", address=address)
            return answer(_answer_body(await self._connect(opening, address, offer)))

    async def _connect(self, opening: WebRTCOpening, address: str | None, offer: Offer) -> OfferAnswer:
        hosted = await self.admission.open(opening, None, address)
        try:
            connected = await hosted.offer(offer)
        except BaseException:
            await hosted.end("the offer was refused")
            raise
        if hosted.session in self.admission.sessions:
            self.admission.session_of[connected.pc_id] = hosted.session
        return connected

    async def candidates(self, request: Request) -> Response:
        """PATCH .../api/offer: add ICE candidates of a client that is connecting."""
        body = decode(await self.admission.read(request), CandidatesBody)
        hosted = self._session_of(request, body.pc_id)
        await hosted.add_candidates(Candidates(body.pc_id, body.candidates))
        return answer({"status": "success"})

    async def socket(self, websocket: PendingWebSocket) -> None:
        """WS /ws and /ws-client: run a session, with or without a token of /start."""
        asked = websocket.query_params.get("framing", "auto")
        if asked not in get_args(MessageFraming):
            raise Refused(400, "framing is protobuf, json or auto")
        with self._joining(websocket, WebsocketOpening, None) as joined:
            opening = msgspec.structs.replace(joined, framing=asked)
            address = self.admission.keys.limited_address(websocket)
            self.admission.check_room(address=address)
            wire = await websocket.open(self.admission.settings.queue_bytes)
            hosted = await self.admission.open(opening, wire, address)
        await wire.close(reason=await hosted.wait())

    @contextmanager
    def _joining(self, connection: HTTPConnection, kind: type[Joined], data: Any) -> Generator[Joined]:
        """Yield the opening of a connection: its token's, or a new one without a token.

        A token is used up only if the `with` block succeeds; otherwise it is valid again.
        """
        admission = self.admission
        token = connection.path_params.get("session") or connection.query_params.get("token")
        if token is None:
            admission.check(connection, "begin")
            named = cast(dict[str, object], data).get("agent") if isinstance(data, dict) else None
            agent = admission.agent_named(connection.query_params.get("agent") or named)
            yield kind(admission.new_session(), agent, data)
            return
        admission.check(connection, "join")
        opening = admission.openings.redeem(token)
        if not isinstance(opening, kind):
            raise Refused(
                403,
                "the session is not known: it was joined before, or its token has expired; start a new one",
            )
        try:
            yield msgspec.structs.replace(opening, body=decode(bytes(opening.body), object))
        except BaseException:
            admission.openings.keep(token, opening)
            raise

    def _session_of(self, request: Request, pc_id: str) -> HostedSession:
        """Return the session of a WebRTC connection. Raises Refused if there is none."""
        self.admission.keys.check(request, "join")
        hosted = self.admission.sessions.get(self.admission.session_of.get(pc_id, ""))
        if hosted is None:
            self.admission.rate_limit.spend(address_of(request))
            raise Refused(404, "there is no such connection (any more): connect anew")
        return hosted


def _answer_body(connected: OfferAnswer) -> dict[str, str]:
    return {"sdp": connected.sdp, "type": "answer", "pc_id": connected.pc_id}


def routes(admission: Admission) -> list[BaseRoute]:
    """Return the routes of clients."""
    clients = ClientRoutes(admission)
    found: list[BaseRoute] = [Route("/start", clients.start, methods=["POST"])]
    for home in ("", "/sessions/{session}"):
        found += [
            Route(f"{home}/api/offer", clients.offer, methods=["POST"]),
            Route(f"{home}/api/offer", clients.candidates, methods=["PATCH"]),
            SocketRoute(f"{home}/ws", clients.socket),
        ]
    return [*found, SocketRoute("/ws-client", clients.socket)]  # the default path of other RTVI clients
