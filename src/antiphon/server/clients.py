"""How a client comes to a session: POST /start, WebRTC offers, websockets."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, cast

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from .admission import Admission
from .host import HostedSession, Kind, Opening, Refused
from .keys import address
from .responses import answer, decode
from .session_transport import webrtc
from .socket import PendingWebSocket, SocketRoute

__all__ = ["routes"]

START_BYTES = 32_768  # of a body of /start, which is kept until somebody joins
NOTHING = msgspec.Raw(b"null")


class StartBody(msgspec.Struct):
    """What a client posts to /start. `body` is for the agent, if it is a function of the opening."""

    transport: Literal["webrtc", "websocket"] | None = None
    agent: str | None = None
    body: msgspec.Raw = NOTHING
    enableDefaultIceServers: bool = False  # noqa: N815  the protocol's own name


class OfferBody(msgspec.Struct):
    """A client's side of a WebRTC connection. A known `pc_id` is that of a session that goes on."""

    sdp: str
    type: Literal["offer"]
    pc_id: str | None = None
    restart_pc: bool | None = None
    requestData: Any = None  # noqa: N815
    request_data: Any = None


class CandidateBody(msgspec.Struct):
    """A way to reach the client; an empty one is the last."""

    candidate: str
    sdp_mid: str | None = None
    sdp_mline_index: int | None = None


class CandidatesBody(msgspec.Struct):
    """More ways to reach the client."""

    pc_id: str
    candidates: list[CandidateBody]


class ClientRoutes:
    """The routes that clients use."""

    def __init__(self, reception: Admission) -> None:
        self.reception = reception

    async def start(self, request: Request) -> Response:
        """Begin a session, to be joined with what this answers."""
        reception = self.reception
        reception.check(request, "begin")
        wanted = decode(await reception.read(request, START_BYTES) or b"{}", StartBody)
        decode(bytes(wanted.body), object)  # it is kept as it came, which takes least memory
        opening = reception.opening(
            wanted.transport or "webrtc", wanted.agent, msgspec.Raw(bytes(wanted.body))
        )
        reception.has_room(whose=reception.keys.counted_address(request))
        token = reception.openings.mint(opening)
        if wanted.transport == "websocket":
            # these two and no others: the published client refuses what it does not know
            return answer({"wsUrl": reception.url(request, "/ws", socket=True), "token": token})
        webrtc_settings = webrtc(reception.settings)
        asked_for = wanted.enableDefaultIceServers and webrtc_settings.servers()
        ice = {"iceConfig": webrtc_settings.ice_config()} if asked_for else {}
        return answer({"sessionId": token} | ice)

    async def offer(self, request: Request) -> Response:
        """Connect: by a session that was begun, or directly; or anew, by the name of a connection."""
        asked = decode(await self.reception.read(request), OfferBody)
        offer = {"do": "offer", "sdp": asked.sdp, "type": asked.type, "restart_pc": bool(asked.restart_pc)}
        if asked.pc_id:
            hosted = self._connection(request, asked.pc_id)
            self.reception.rates.take(address(request))
            await self.reception.offers.wait()
            return answer(await hosted.ask(offer | {"pc_id": asked.pc_id}))
        said = asked.requestData if asked.requestData is not None else asked.request_data
        with self._joining(request, "webrtc", said) as opening:
            whose = self.reception.keys.counted_address(request)
            self.reception.has_room("webrtc", whose=whose)
            return answer(await self._connect(opening, whose, offer | {"pc_id": None}))

    async def _connect(self, opening: Opening, whose: str | None, offer: dict[str, Any]) -> dict[str, Any]:
        hosted = await self.reception.open(opening, None, whose)
        try:
            connected = await hosted.ask(offer)
        except BaseException:
            await hosted.end("the offer was refused")
            raise
        if hosted.session in self.reception.sessions:
            self.reception.peers[connected["pc_id"]] = hosted.session
        return connected

    async def candidates(self, request: Request) -> Response:
        """More ways to reach a client that is connecting."""
        asked = decode(await self.reception.read(request), CandidatesBody)
        hosted = self._connection(request, asked.pc_id)
        await hosted.ask({"do": "candidates"} | msgspec.to_builtins(asked))
        return answer({"status": "success"})

    async def socket(self, websocket: PendingWebSocket) -> None:
        """A session over a websocket: with the token that /start gave, or directly."""
        details = {"framing": websocket.query_params.get("framing", "auto")}
        if details["framing"] not in ("auto", "protobuf", "json"):
            raise Refused(400, "framing is protobuf, json or auto")
        with self._joining(websocket, "websocket", None, **details) as opening:
            whose = self.reception.keys.counted_address(websocket)
            self.reception.has_room(whose=whose)
            wire = await websocket.open(self.reception.settings.queue_bytes)
            hosted = await self.reception.open(opening, wire, whose)
        await wire.close(reason=await hosted.wait())

    @contextmanager
    def _joining(
        self, connection: HTTPConnection, kind: Kind, said: Any, **details: Any
    ) -> Generator[Opening]:
        """What is joined: by a token, which is good again if that fails, or, without one, directly."""
        reception = self.reception
        token = connection.path_params.get("session") or connection.query_params.get("token")
        if token is None:
            reception.check(connection, "begin")
            named = cast(dict[str, object], said).get("agent") if isinstance(said, dict) else None
            wanted = connection.query_params.get("agent") or named
            yield reception.opening(kind, wanted, said, **details)
            return
        reception.check(connection, "join")
        opening = reception.openings.redeem(token)
        if opening is None or opening.kind != kind:
            raise Refused(
                403, "the session is not known: it was joined already, or it has run out; start anew"
            )
        try:
            body = decode(bytes(opening.body), object)
            yield replace(opening, body=body, details={**opening.details, **details})
        except BaseException:
            reception.openings.keep(token, opening)
            raise

    def _connection(self, request: Request, peer: str) -> HostedSession:
        self.reception.keys.check(request, "join")
        hosted = self.reception.sessions.get(self.reception.peers.get(peer, ""))
        if hosted is None:
            self.reception.rates.take(address(request))
            raise Refused(404, "there is no such connection (any more): connect anew")
        return hosted


def routes(reception: Admission) -> list[BaseRoute]:
    """The routes of clients."""
    clients = ClientRoutes(reception)
    found: list[BaseRoute] = [Route("/start", clients.start, methods=["POST"])]
    for home in ("", "/sessions/{session}"):
        found += [
            Route(f"{home}/api/offer", clients.offer, methods=["POST"]),
            Route(f"{home}/api/offer", clients.candidates, methods=["PATCH"]),
            SocketRoute(f"{home}/ws", clients.socket),
        ]
    return found
