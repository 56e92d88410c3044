"""The telephone: providers' webhooks and sockets, and calls that we make."""

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..errors import ConfigurationError, TheyErred
from ..transports.telephony.port import DialRequest, Proof, Provider, WebhookAnswer, WebhookRequest
from ..transports.telephony.providers import account, available, missing, provider
from ..transports.telephony.rest import Rest
from ..transports.wire import Wire
from . import documents
from .admission import Admission
from .host import Opening, Refused
from .keys import address
from .redaction import without_numbers
from .responses import HEADERS, answer, decode
from .socket import PendingWebSocket as Wanted
from .socket import SocketRoute
from .tokens import Tokens

__all__ = ["audiosocket", "routes"]

logger = logging.getLogger("antiphon.server")

T = TypeVar("T")

SESSION = "session"  # the field of a webhook's address that says for which of our calls it is
RING = 30  # seconds
SEEN = 660.0  # seconds that a signature is remembered: longer than one that bears the time is believed
ANSWERED = 20_000  # signed webhooks that are remembered, in 5 MB; the signatures of some are good for ever


class DialBody(msgspec.Struct):
    """A call to make. `body` is for the agent, if it is a function of the opening."""

    to: str
    provider: str | None = None
    caller: str = msgspec.field(default="", name="from")
    agent: str | None = None
    body: Any = None


class PhoneRoutes:
    """The routes of providers, and of those who have calls made."""

    def __init__(self, reception: Admission) -> None:
        self.reception = reception
        self.rest = Rest()
        self._seen: Tokens[bool] = Tokens(SEEN)  # what begins no call (any more), by its signature
        self._answered: dict[str, str] = {}  # webhooks, by their signatures: what token each was given

    async def call(self, request: Request) -> Response:
        """A call rings, or one of ours was answered: the document that connects it with our socket."""
        reception = self.reception
        found = self._provider(request)
        if found.incoming is None or found.answer is None:
            raise Refused(
                404, f"{found.title} opens its socket without asking; its address is that of this page"
            )
        asked, proof = await self._asked(request, found)
        incoming = _read(found.incoming, asked)
        if token := request.query_params.get(SESSION):
            self._put_aside(proof)
        else:
            token = self._given(proof)
        reception.has_room(promised=token is not None)
        if token is None:
            opening = reception.opening("phone", request.query_params.get("agent"), provider=found.name)
            token = reception.openings.mint(opening)
            self._remember(proof, token)
        url = reception.url(request, f"/phone/{found.name}/{token}", socket=True)
        parameters = {"from": incoming.caller, "to": incoming.called, "call": incoming.call}
        document = found.answer(WebhookAnswer(url, {name: text for name, text in parameters.items() if text}))
        return Response(document.body, headers=HEADERS, media_type=document.type)

    async def status(self, request: Request) -> Response:
        """How a call of ours goes; it is logged, for those who look for what went wrong."""
        found = self._provider(request)
        asked, proof = await self._asked(request, found)
        self._put_aside(proof)
        logger.debug("%s says of a call: %s", found.title, without_numbers(asked.fields))
        return Response(status_code=204, headers=HEADERS)

    async def document(self, request: Request) -> Response:
        """A document that we gave a provider the address of."""
        found = documents.read(self.reception.settings, request.path_params["name"])
        if found is None:
            self.reception.rates.take(address(request))
            raise Refused(404, "there is no such document (any more)")
        return Response(found.body, headers=HEADERS, media_type=found.type)

    async def answered(self, websocket: Wanted) -> None:
        """The socket of a call whose webhook we have answered."""
        reception = self.reception
        opening = reception.openings.redeem(websocket.path_params["token"])
        if opening is None or opening.details.get("provider") != websocket.path_params["provider"]:
            reception.rates.take(address(websocket))
            raise Refused(403, "the call is not known: it was joined already, or it rang too long")
        await self._talk(websocket, opening, promised=True)

    async def unasked(self, websocket: Wanted) -> None:
        """The socket of a provider that opens it without asking: its handshake is what is signed."""
        found = self._provider(websocket)
        if found.incoming is not None:
            raise Refused(403, f"{found.title} is to ask first, by its webhook")
        asked = self._as_asked(websocket, b"")
        self._only_once(self._prove(websocket, found, asked))
        agent = websocket.query_params.get("agent")
        await self._talk(websocket, self.reception.opening("phone", agent, provider=found.name))

    async def dial(self, request: Request) -> Response:
        """Call somebody, who then talks with an agent."""
        reception = self.reception
        reception.check(request, "all")
        wanted = decode(await reception.read(request), DialBody)
        if not reception.settings.public_url:
            raise Refused(400, "to dial, the provider must know how to reach us: set ANTIPHON_PUBLIC_URL")
        found = _dialler(wanted.provider)
        assert found.dial is not None
        opening = reception.opening(
            "phone", wanted.agent, wanted.body, provider=found.name, dialled=wanted.to
        )
        reception.has_room()
        token = reception.openings.mint(opening, RING + reception.settings.join_within)
        home = reception.url(request, f"/phone/{found.name}")
        dialling = DialRequest(
            to=wanted.to,
            answer=WebhookAnswer(
                reception.url(request, f"/phone/{found.name}/{token}", socket=True),
                {"from": wanted.caller, "to": wanted.to} if wanted.caller else {"to": wanted.to},
            ),
            caller=wanted.caller,
            answer_url=f"{home}?{urlencode({SESSION: token})}",
            status_url=f"{home}/status",
            ring=RING,
        )
        try:
            call = await self.rest.run(found.dial(account(found), dialling), found.title)
        except ConfigurationError as error:
            raise Refused(400, str(error)) from error
        except TheyErred as error:
            raise Refused(502, str(error)) from error
        if (waiting := reception.openings.redeem(token)) is not None:  # Vonage's socket does not tell it
            ringing = replace(waiting, details={**waiting.details, "placed": call})
            reception.openings.keep(token, ringing, RING + reception.settings.join_within)
        return answer({"provider": found.name, "call": call, "session": opening.session})

    # Who asks --------------------------------------------------------------------------------------

    async def _talk(self, websocket: Wanted, opening: Opening, *, promised: bool = False) -> None:
        self.reception.has_room(promised=promised)
        wire = await websocket.open(self.reception.settings.queue_bytes)
        hosted = await self.reception.open(opening, wire)
        await wire.close(reason=await hosted.wait())

    def _provider(self, connection: HTTPConnection) -> Provider:
        name = connection.path_params["provider"]
        try:
            return provider(name)
        except ConfigurationError:
            raise Refused(404, "there is no such telephone provider") from None

    async def _asked(self, request: Request, found: Provider) -> tuple[WebhookRequest, Proof]:
        """What a provider asks, and the proof. Raises Refused where it is not proven that it does."""
        asked = self._as_asked(request, await self.reception.read(request))
        return asked, self._prove(request, found, asked)

    def _as_asked(self, connection: HTTPConnection, body: bytes) -> WebhookRequest:
        scope = connection.scope
        path = scope.get("raw_path", b"").decode("latin-1") or quote(scope["path"])
        query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        public = self.reception.settings.public_url
        return WebhookRequest(
            url=self.reception.url(connection, path + query, socket=scope["type"] == "websocket"),
            now=time.time(),
            headers=dict(connection.headers) | ({"host": urlsplit(public).netloc} if public else {}),
            body=body,
            method=scope.get("method", "GET"),
        )

    def _prove(self, connection: HTTPConnection, found: Provider, asked: WebhookRequest) -> Proof:
        if not self.reception.settings.check_signatures:
            return True

        def proven(asked: WebhookRequest) -> Proof:
            return found.signed is not None and found.signed(asked, account(found))

        try:
            proof = _read(proven, asked)
        except ConfigurationError as error:
            self.reception.rates.take(address(connection))
            logger.error("a call of %s was refused: %s", found.title, error)
            raise Refused(503, f"this server is not set up for {found.title}; its log says why") from None
        if not proof:
            self.reception.rates.take(address(connection))
            called = asked.url.partition("?")[0][:200]
            logger.warning("not signed by %s, or not for %r: is the public URL right?", found.title, called)
            raise Refused(403, f"it is not proven that {found.title} asks")
        return proof

    # What was asked before: it is known by its signature, while a password is the same for all

    def _given(self, proof: Proof) -> str | None:
        """The token that a signed webhook was given before. Raises Refused where it is used up."""
        if not isinstance(proof, str):
            return None
        token = self._answered.get(proof)
        if proof in self._seen if token is None else token not in self.reception.openings:
            raise Refused(403, "this request was answered before, and its call has come or was given up")
        return token

    def _put_aside(self, proof: Proof) -> None:
        """It is of a call that we know: some signatures say nothing of the address, and it could
        be sent again as one that rings."""
        if isinstance(proof, str):
            self._seen.redeem(proof)
            self._seen.keep(proof, True)

    def _remember(self, proof: Proof, token: str) -> None:
        if isinstance(proof, str):
            self._answered[proof] = token
            if len(self._answered) > ANSWERED:
                del self._answered[next(iter(self._answered))]

    def _only_once(self, proof: Proof) -> None:
        """Raises Refused for a signed handshake that was seen before."""
        if isinstance(proof, str):
            seen = proof in self._seen
            self._put_aside(proof)
            if seen:
                raise Refused(403, "this handshake was seen before")


@asynccontextmanager
async def audiosocket(reception: Admission) -> AsyncGenerator[None]:
    """Listen for Asterisk's AudioSocket, where that is wanted."""
    from ..transports.telephony.providers.audiosocket import serve

    async def talk(wire: Wire) -> None:
        reception.has_room()
        hosted = await reception.open(reception.opening("phone", None, provider="audiosocket"), wire)
        await hosted.wait()

    if not reception.settings.audiosocket:
        yield
        return
    host, _, port = reception.settings.audiosocket.rpartition(":")
    async with await serve(talk, host.strip("[]"), int(port)):
        yield


def _read(read: Callable[[WebhookRequest], T], asked: WebhookRequest) -> T:
    try:
        return read(asked)
    except ValueError as error:  # a form of more fields than anybody sends
        raise Refused(400, f"what was sent cannot be read: {error}") from None


def _dialler(name: str | None) -> Provider:
    """The provider to dial with: the one of that name, or the only one that there is an account of."""
    try:
        able = (
            [provider(name)]
            if name
            else [one for one in available() if one.dial and not missing(one, account(one))]
        )
    except ConfigurationError as error:
        raise Refused(404, str(error)) from None
    if len(able) != 1:
        names = ", ".join(one.name for one in able) or "none, by their environment variables"
        raise Refused(400, f"say which provider to dial with; set up are: {names}")
    chosen = able[0]
    if chosen.dial is None:
        raise Refused(400, f"{chosen.title} cannot dial")
    if lacking := missing(chosen, account(chosen)):
        raise Refused(400, f"to dial with {chosen.title}, set {', '.join(lacking)}")
    return chosen


def routes(reception: Admission) -> list[BaseRoute]:
    """The routes of the telephone."""
    phone = PhoneRoutes(reception)
    return [
        Route("/dial", phone.dial, methods=["POST"]),
        Route(documents.PATH + "{name}", phone.document, methods=["GET", "POST"]),
        Route("/phone/{provider}", phone.call, methods=["GET", "POST"]),
        Route("/phone/{provider}/status", phone.status, methods=["GET", "POST"]),
        SocketRoute("/phone/{provider}", phone.unasked),
        SocketRoute("/phone/{provider}/{token}", phone.answered),
    ]
