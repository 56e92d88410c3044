"""Routes of the telephone: providers' webhooks and sockets, and outgoing calls."""

import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from ..errors import ConfigurationError, TheyErred
from ..transports.telephony.port import DialRequest, Proof, Provider, WebhookAnswer, WebhookRequest
from ..transports.telephony.providers import account, available, missing
from ..transports.telephony.providers import provider as provider_named
from ..transports.telephony.rest import Rest
from ..transports.wire import Wire
from . import documents
from .admission import Admission
from .keys import address_of
from .port import PhoneOpening, Refused
from .redaction import without_numbers
from .responses import HEADERS, answer, decode
from .tokens import Tokens
from .websocket_route import PendingWebSocket, SocketRoute

__all__ = ["audiosocket", "routes"]

logger = logging.getLogger("antiphon.server")

T = TypeVar("T")

SESSION = "session"  # the query parameter with the token of a call that we placed
RING = 30  # seconds that a call we place may ring
SEEN = 660.0  # seconds that a signature is remembered: longer than a signed timestamp is accepted
ANSWERED = 20_000  # answered webhooks that are remembered (5 MB), since some signatures never expire


class DialBody(msgspec.Struct):
    """The body of POST /dial.

    `body` in it is passed to the agent, if that is a function of the opening.
    """

    to: str
    provider: str | None = None
    caller: str = msgspec.field(default="", name="from")
    agent: str | None = None
    body: Any = None


class PhoneRoutes:
    """The routes of phone providers, and /dial."""

    def __init__(self, admission: Admission) -> None:
        self.admission = admission
        self.rest = Rest()
        self._seen: Tokens[bool] = Tokens(SEEN)
        """Signatures of requests that must not begin a call (again)."""
        self._answered: dict[str, str] = {}
        """The token that each signed webhook was answered with, by its signature."""

    async def call(self, request: Request) -> Response:
        """Answer a call's webhook with the document that connects the call.

        The call is an incoming one that rings, or one that we placed.
        """
        admission = self.admission
        provider = self._provider(request)
        if provider.incoming is None or provider.answer is None:
            raise Refused(
                404, f"{provider.title} has no webhook: it connects its websocket to this same address"
            )
        asked, proof = await self._proven_request(request, provider)
        incoming = _parse(provider.incoming, asked)
        if token := request.query_params.get(SESSION):
            self._mark_seen(proof)
        else:
            token = self._token_given(proof)
        admission.check_room(promised=token is not None)
        if token is None:
            opening = self._opening(provider.name, request.query_params.get("agent"))
            token = admission.openings.mint(opening)
            self._remember(proof, token)
        url = admission.url(request, f"/phone/{provider.name}/{token}", socket=True)
        parameters = {"from": incoming.caller, "to": incoming.called, "call": incoming.call}
        document = provider.answer(
            WebhookAnswer(url, {name: text for name, text in parameters.items() if text})
        )
        return Response(document.body, headers=HEADERS, media_type=document.type)

    async def status(self, request: Request) -> Response:
        """Log a provider's report on the state of a call that we placed."""
        provider = self._provider(request)
        asked, proof = await self._proven_request(request, provider)
        self._mark_seen(proof)
        logger.debug("%s reports on a call: %s", provider.title, without_numbers(asked.fields))
        return Response(status_code=204, headers=HEADERS)

    async def document(self, request: Request) -> Response:
        """Answer with the document of a URL that we gave to a provider."""
        document = documents.read(self.admission.settings, request.path_params["name"])
        if document is None:
            self.admission.rate_limit.spend(address_of(request))
            raise Refused(404, "there is no such document (any more)")
        return Response(document.body, headers=HEADERS, media_type=document.type)

    async def answered(self, websocket: PendingWebSocket) -> None:
        """Run a call on the websocket that our answer to its webhook named."""
        admission = self.admission
        opening = admission.openings.redeem(websocket.path_params["token"])
        provider_name = websocket.path_params["provider"]
        if not isinstance(opening, PhoneOpening) or opening.provider != provider_name:
            admission.rate_limit.spend(address_of(websocket))
            raise Refused(403, "the call is not known: it was joined before, or it rang too long")
        await self._run_call(websocket, opening, promised=True)

    async def direct(self, websocket: PendingWebSocket) -> None:
        """Run a call on the websocket of a provider without webhook.

        Its signature is that of the handshake.
        """
        provider = self._provider(websocket)
        if provider.incoming is not None:
            raise Refused(403, f"{provider.title} must call its webhook first")
        asked = self._webhook_request(websocket, b"")
        self._refuse_repeated(self._prove(websocket, provider, asked))
        agent = websocket.query_params.get("agent")
        await self._run_call(websocket, self._opening(provider.name, agent))

    async def dial(self, request: Request) -> Response:
        """POST /dial: call a number and connect it to an agent."""
        admission = self.admission
        admission.check(request, "all")
        wanted = decode(await admission.read(request), DialBody)
        if not admission.settings.public_url:
            raise Refused(400, "to dial, the provider needs a URL of this server: set ANTIPHON_PUBLIC_URL")
        provider = _dialling_provider(wanted.provider)
        assert provider.dial is not None
        opening = self._opening(provider.name, wanted.agent, wanted.body, dialled=wanted.to)
        admission.check_room()
        token = admission.openings.mint(opening, RING + admission.settings.join_within)
        home = admission.url(request, f"/phone/{provider.name}")
        dialling = DialRequest(
            to=wanted.to,
            answer=WebhookAnswer(
                admission.url(request, f"/phone/{provider.name}/{token}", socket=True),
                {"from": wanted.caller, "to": wanted.to} if wanted.caller else {"to": wanted.to},
            ),
            caller=wanted.caller,
            answer_url=f"{home}?{urlencode({SESSION: token})}",
            status_url=f"{home}/status",
            ring=RING,
        )
        try:
            call = await self.rest.run(provider.dial(account(provider), dialling), provider.title)
        except ConfigurationError as error:
            raise Refused(400, str(error)) from error
        except TheyErred as error:
            raise Refused(502, str(error)) from error
        # unless the call is connected already, keep the provider's id of it: Vonage's socket does not send it
        if admission.openings.redeem(token) is not None:
            placed = msgspec.structs.replace(opening, placed=call)
            admission.openings.keep(token, placed, RING + admission.settings.join_within)
        return answer({"provider": provider.name, "call": call, "session": opening.session})

    # Opening sessions and checking signatures ------------------------------------------------------

    def _opening(
        self, provider_name: str, agent: str | None, body: Any = None, dialled: str = ""
    ) -> PhoneOpening:
        """Return a new call's opening. Raises Refused if there is no such agent."""
        return PhoneOpening(
            self.admission.new_session(),
            self.admission.agent_named(agent),
            body,
            provider=provider_name,
            dialled=dialled,
        )

    async def _run_call(
        self, websocket: PendingWebSocket, opening: PhoneOpening, *, promised: bool = False
    ) -> None:
        self.admission.check_room(promised=promised)
        wire = await websocket.open(self.admission.settings.queue_bytes)
        hosted = await self.admission.open(opening, wire)
        await wire.close(reason=await hosted.wait())

    def _provider(self, connection: HTTPConnection) -> Provider:
        name = connection.path_params["provider"]
        try:
            return provider_named(name)
        except ConfigurationError:
            raise Refused(404, "there is no such telephone provider") from None

    async def _proven_request(self, request: Request, provider: Provider) -> tuple[WebhookRequest, Proof]:
        """Return a webhook request and the proof of its origin.

        Raises Refused if its signature is missing or wrong.
        """
        asked = self._webhook_request(request, await self.admission.read(request))
        return asked, self._prove(request, provider, asked)

    def _webhook_request(self, connection: HTTPConnection, body: bytes) -> WebhookRequest:
        scope = connection.scope
        path = scope.get("raw_path", b"").decode("latin-1") or quote(scope["path"])
        query = f"?{scope['query_string'].decode('latin-1')}" if scope["query_string"] else ""
        public = self.admission.settings.public_url
        return WebhookRequest(
            url=self.admission.url(connection, path + query, socket=scope["type"] == "websocket"),
            now=time.time(),
            headers=dict(connection.headers) | ({"host": urlsplit(public).netloc} if public else {}),
            body=body,
            method=scope.get("method", "GET"),
        )

    def _prove(self, connection: HTTPConnection, provider: Provider, asked: WebhookRequest) -> Proof:
        if not self.admission.settings.check_signatures:
            return True

        def proven(asked: WebhookRequest) -> Proof:
            return provider.signed is not None and provider.signed(asked, account(provider))

        try:
            proof = _parse(proven, asked)
        except ConfigurationError as error:
            self.admission.rate_limit.spend(address_of(connection))
            logger.error("a call of %s was refused: %s", provider.title, error)
            raise Refused(
                503, f"this server is not configured for {provider.title}; its log says why"
            ) from None
        if not proof:
            self.admission.rate_limit.spend(address_of(connection))
            called = asked.url.partition("?")[0][:200]
            logger.warning(
                "a request is not signed by %s, or not for %r: is ANTIPHON_PUBLIC_URL right?",
                provider.title,
                called,
            )
            raise Refused(403, f"this request is not signed by {provider.title}")
        return proof

    # Repeated requests: a signature identifies one request, a password (a proof of True) does not

    def _token_given(self, proof: Proof) -> str | None:
        """Return the token that this signed webhook was answered with before, if any.

        Raises Refused if that token is used up or has expired.
        """
        if not isinstance(proof, str):
            return None
        token = self._answered.get(proof)
        if proof in self._seen if token is None else token not in self.admission.openings:
            raise Refused(403, "this request was answered before, and its call has connected or was given up")
        return token

    def _mark_seen(self, proof: Proof) -> None:
        """Remember the signature of a request that must not begin a call.

        Some signatures do not cover the URL, so the request could be replayed as a ringing call's webhook.
        """
        if isinstance(proof, str):
            self._seen.redeem(proof)
            self._seen.keep(proof, True)

    def _remember(self, proof: Proof, token: str) -> None:
        if isinstance(proof, str):
            self._answered[proof] = token
            if len(self._answered) > ANSWERED:
                del self._answered[next(iter(self._answered))]

    def _refuse_repeated(self, proof: Proof) -> None:
        """Raise Refused if this signed handshake was seen before."""
        if isinstance(proof, str):
            seen = proof in self._seen
            self._mark_seen(proof)
            if seen:
                raise Refused(403, "this handshake was seen before")


@asynccontextmanager
async def audiosocket(admission: Admission) -> AsyncGenerator[None]:
    """Serve Asterisk's AudioSocket inside the `with` block, if configured.

    Does nothing if it is served already. Raises ConfigurationError.
    """
    from ..transports.telephony.providers.audiosocket import serve

    async def run_call(wire: Wire) -> None:
        admission.check_room()
        opening = PhoneOpening(admission.new_session(), admission.agent_named(None), provider="audiosocket")
        hosted = await admission.open(opening, wire)
        await hosted.wait()

    address = admission.settings.audiosocket
    if not address or admission.serves_audiosocket:
        yield
        return
    host, _, port = address.rpartition(":")
    try:
        listening = await serve(run_call, host.strip("[]"), int(port))
    except OSError as error:
        raise ConfigurationError(
            f"AudioSocket cannot listen on {address} ({error.strerror}): set ANTIPHON_AUDIOSOCKET to another "
            "address"
        ) from error
    admission.serves_audiosocket = True
    async with listening:
        yield


def _parse(parse: Callable[[WebhookRequest], T], asked: WebhookRequest) -> T:
    try:
        return parse(asked)
    except ValueError as error:  # a form with an absurd number of fields
        raise Refused(400, f"the request cannot be parsed: {error}") from None


def _dialling_provider(name: str | None) -> Provider:
    """Return the provider of that name, by default the only one that is configured.

    Raises Refused if there is none, or if it cannot dial.
    """
    try:
        able = (
            [provider_named(name)]
            if name
            else [one for one in available() if one.dial and not missing(one, account(one))]
        )
    except ConfigurationError as error:
        raise Refused(404, str(error)) from None
    if len(able) != 1:
        names = ", ".join(one.name for one in able) or "none, by their environment variables"
        raise Refused(400, f"name the provider to dial with; these are configured: {names}")
    chosen = able[0]
    if chosen.dial is None:
        raise Refused(400, f"{chosen.title} cannot dial")
    if lacking := missing(chosen, account(chosen)):
        raise Refused(400, f"to dial with {chosen.title}, set {', '.join(lacking)}")
    return chosen


def routes(admission: Admission) -> list[BaseRoute]:
    """Return the routes of the telephone."""
    phone = PhoneRoutes(admission)
    return [
        Route("/dial", phone.dial, methods=["POST"]),
        Route(documents.PATH + "{name}", phone.document, methods=["GET", "POST"]),
        Route("/phone/{provider}", phone.call, methods=["GET", "POST"]),
        Route("/phone/{provider}/status", phone.status, methods=["GET", "POST"]),
        SocketRoute("/phone/{provider}", phone.direct),
        SocketRoute("/phone/{provider}/{token}", phone.answered),
    ]
