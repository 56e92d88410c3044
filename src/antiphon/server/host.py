"""The host that runs all sessions in the server's event loop."""

import asyncio
import inspect
import logging
import time
from typing import TYPE_CHECKING

from ..agent import AgentDefinition
from ..agent_file import Agents
from ..errors import AntiphonError, BadResponseError, TheyErred, UsageError
from ..frames import ReplyEnded, SessionEnded, SessionStarted
from ..services.life import ServiceLeases
from ..services.ports import Service
from ..session import Session
from ..telemetry.cost import Costs
from ..telemetry.latency import Latency
from ..telemetry.prices import load_prices
from ..transports.wire import Wire
from . import session_transport
from .port import (
    Candidates,
    Offer,
    OfferAnswer,
    OnReport,
    Opening,
    OpeningKind,
    Refused,
    SessionBegan,
    SessionOver,
    SessionReport,
    TurnAnswered,
)
from .redaction import without_numbers
from .session_transport import Negotiator, SessionTransport
from .settings import ServerSettings

if TYPE_CHECKING:
    from ..transports.sip import Ringing

__all__ = ["LoopHost", "LoopSession"]

logger = logging.getLogger("antiphon.server")


class LoopHost:
    """A host whose sessions run in this event loop.

    An error in one session does not affect the others. `on_report` is called with each `SessionReport`;
    exceptions that it raises are logged.
    """

    def __init__(
        self,
        agents: Agents,
        settings: ServerSettings | None = None,
        on_report: OnReport = lambda _: None,
    ) -> None:
        self.agents = agents
        self.settings = settings or ServerSettings()
        self.on_report = on_report
        self.names = list(agents)
        self.sessions: dict[str, LoopSession] = {}
        self.leases = ServiceLeases()
        self.prices = load_prices()
        self._opened: list[AgentDefinition] = []  # agents for all sessions, in use until `close`

    @property
    def running(self) -> int:
        """The number of open sessions."""
        return len(self.sessions)

    @property
    def room(self) -> int:
        """The number of sessions that could be opened now."""
        return max(0, self.settings.capacity - self.running)

    async def start(self) -> None:
        """Load the agents' models and import all code that sessions need."""
        session_transport.preload(self.settings)
        try:
            for agent in self._shared_agents():
                await self.leases.acquire(agent.services())
                self._opened.append(agent)
                await agent.open()
        except BaseException:
            await self.close()
            raise

    async def open(
        self, opening: Opening, wire: Wire | None, ringing: "Ringing | None" = None
    ) -> "LoopSession":
        """Begin a session in its own task.

        Raises Refused if there is no room or no such agent.
        """
        if not self.room:
            raise Refused(429, "all lines are busy: try again in a moment", 5)
        session = self.sessions[opening.session] = LoopSession(self, opening)
        try:
            await session.open(wire, ringing)
        except BaseException:
            await session.abandon()
            raise
        await asyncio.sleep(0)  # when many callers come at once, running calls go on between two of them
        return session

    async def agent(self, opening: Opening) -> AgentDefinition:
        """Return the agent for an opening, calling the function that makes it, if any.

        Raises Refused if there is no such agent.
        """
        found = self.agents.get(opening.agent)
        if found is None:
            raise Refused(404, f"there is no agent {opening.agent!r} here; see /agents")
        if isinstance(found, AgentDefinition):
            return found
        made = found(opening)
        agent = await made if inspect.isawaitable(made) else made
        if not isinstance(agent, AgentDefinition):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise UsageError(f"the function for agent {opening.agent!r} returned {agent!r}: return an Agent")
        return agent

    async def close(self) -> None:
        """Cancel every session, then close the agents' services."""
        await asyncio.gather(
            *(session.cancel("the server was closed") for session in list(self.sessions.values()))
        )
        opened, self._opened = self._opened, []
        await asyncio.gather(*(self.leases.release(agent.services()) for agent in opened))

    def _shared_agents(self) -> list[AgentDefinition]:
        """Return the agents that all sessions share (functions make agents for one)."""
        return [agent for agent in self.agents.values() if isinstance(agent, AgentDefinition)]


class LoopSession:
    """A session of a LoopHost: its conversation, its transport and its task."""

    def __init__(self, host: LoopHost, opening: Opening) -> None:
        self._host = host
        self._opening = opening
        self._services: list[Service] = []
        self._transport: SessionTransport | None = None
        self._conversation: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._reason = "it could not begin"
        self._began: float | None = None
        self._costs = Costs(host.prices)

    @property
    def session(self) -> str:
        """The session's id."""
        return self._opening.session

    async def open(self, wire: Wire | None, ringing: "Ringing | None") -> None:
        """Make the transport, then the agent, and start the conversation. Raises Refused."""
        try:
            transport = await session_transport.make(self._opening, wire, self._host.settings, ringing)
            self._transport = transport
            agent = await self._host.agent(transport.opening)
            services = agent.services()
            await self._host.leases.acquire(services)
            self._services = services
            observers = [*transport.observers, self._costs]
            self._conversation = agent.session(transport.transport, observers=observers)
        except AntiphonError as error:
            raise _refusal(error) from error
        except Refused:
            raise
        except (
            Exception,
            SystemExit,
        ) as error:  # the user's code may call sys.exit, which must end no server
            logger.exception("session %s could not be opened", self.session)
            raise Refused(500, "the agent could not be made") from error
        self._subscribe(self._conversation, transport.latency)
        self._task = asyncio.create_task(self._run(self._conversation), name=f"antiphon {self.session}")

    async def offer(self, offer: Offer) -> OfferAnswer:
        """Answer a WebRTC offer. Raises Refused, also if this is not a WebRTC session."""
        request = {
            "sdp": offer.sdp,
            "type": "offer",
            "pc_id": offer.pc_id,
            "restart_pc": offer.restart_pc,
        }
        try:
            answer = await self._negotiator("offer").offer(request)
        except AntiphonError as error:
            raise _refusal(error, asked=True) from error
        return OfferAnswer(answer["sdp"], answer["pc_id"])

    async def add_candidates(self, candidates: Candidates) -> None:
        """Add ICE candidates of the client. Raises Refused as `offer` does."""
        found = [
            {"candidate": one.candidate, "sdp_mid": one.sdp_mid, "sdp_mline_index": one.sdp_mline_index}
            for one in candidates.candidates
        ]
        try:
            await self._negotiator("candidates").candidates({"pc_id": candidates.pc_id, "candidates": found})
        except AntiphonError as error:
            raise _refusal(error, asked=True) from error

    async def wait(self) -> str:
        """Wait until the session is over and return the reason."""
        if self._task is not None:
            await asyncio.wait([self._task])
        return self._reason

    async def end(self, reason: str) -> None:
        """End the session after the agent's current sentence, and wait until it is over."""
        if self._conversation is not None:
            await self._conversation.end(reason, within=self._host.settings.last_words)
        await self.wait()

    async def cancel(self, reason: str) -> None:
        """End the session at once."""
        if self._conversation is not None:
            await self._conversation.cancel(reason)
        await self.wait()

    async def abandon(self) -> None:
        """Give up a session that could not be opened."""
        self._forget()
        await self._host.leases.release(self._services)

    def _forget(self) -> None:
        """Remove this session from the host, which makes room for another."""
        self._host.sessions.pop(self.session, None)

    def _negotiator(self, what: str) -> Negotiator:
        if self._transport is None or self._transport.negotiator is None:
            raise Refused(400, f"a {self._opening.kind} session does not accept {what!r}")
        return self._transport.negotiator

    async def _run(self, conversation: Session) -> None:
        try:
            async with asyncio.timeout(self._host.settings.connect_within):
                await conversation.start()
        except TimeoutError:
            self._reason = "nobody came"
        except AntiphonError as error:
            self._reason = "it could not begin"
            logger.error("session %s could not begin: %s", self.session, error)
        except Exception:
            self._reason = "failed"
            logger.exception("session %s failed", self.session)
        else:
            await conversation.wait()
        finally:
            await self._leave(conversation)

    async def _leave(self, conversation: Session) -> None:
        try:
            await conversation.cancel(self._reason)
            if self._transport is not None and self._transport.close is not None:
                await self._transport.close()
        except Exception:
            logger.exception("session %s could not be closed", self.session)
        finally:
            self._forget()
            seconds = time.monotonic() - self._began if self._began is not None else 0.0
            logger.info(
                "session %s (%s) ended after %.0f s: %s. %s",
                self.session,
                self._opening.kind,
                seconds,
                without_numbers(self._reason),
                self._costs.line(),
            )
            usd, unknown = self._costs.ports(), bool(self._costs.unknown)
            self._report(SessionOver(*self._about, self._reason, round(seconds, 3), usd, unknown))
            await self._host.leases.release(self._services)

    def _subscribe(self, conversation: Session, latency: Latency) -> None:
        def began(_: SessionStarted) -> None:
            self._began = time.monotonic()
            self._report(SessionBegan(*self._about))

        def ended(signal: SessionEnded) -> None:
            self._reason = signal.reason

        def answered(signal: ReplyEnded) -> None:
            if not signal.speculative and (turn := latency.turn_of(signal.reply)) is not None:
                latency_s = turn.voice_to_voice
                self._report(
                    TurnAnswered(
                        *self._about,
                        number=turn.number,
                        voice_to_voice=None if latency_s is None else round(latency_s, 4),
                        parts={name: round(seconds, 4) for name, seconds in (turn.parts or {}).items()},
                        interrupted=signal.interrupted,
                    )
                )

        conversation.on(SessionStarted, began)
        conversation.on(SessionEnded, ended)
        conversation.on(ReplyEnded, answered)

    @property
    def _about(self) -> tuple[str, str, OpeningKind]:
        """The fields that every report has."""
        return self._opening.session, self._opening.agent, self._opening.kind

    def _report(self, report: SessionReport) -> None:
        try:
            self._host.on_report(report)
        except Exception:
            logger.exception("a report of session %s could not be recorded", self.session)


def _refusal(error: AntiphonError, *, asked: bool = False) -> Refused:
    """Return the refusal to send for an error, without details of the server's setup.

    `asked`: a request of the client caused the error, so a UsageError is its mistake and quoted in full.
    """
    if isinstance(error, BadResponseError) or (asked and isinstance(error, UsageError)):
        return Refused(400, str(error))
    if isinstance(error, TheyErred):
        return Refused(503, str(error), 2)
    logger.error("a session could not be opened: %s", error)
    return Refused(500, "the agent is not configured correctly; the server's log says why")
