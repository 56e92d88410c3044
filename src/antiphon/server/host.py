"""Where sessions live: in this event loop (`LoopHost`), or each in a process of its own (`workers`).

The server knows no more of a session than stands here, and all of it is plain data, so that a session may be
on the other side of a pipe.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from ..agent import AgentDefinition
from ..errors import AntiphonError, BadResponseError, TheyErred, UsageError
from ..frames import ReplyEnded, SessionEnded, SessionStarted
from ..session import Session
from ..telemetry.latency import Latency
from ..transports.port import Transport
from ..transports.wire import Wire
from .redaction import without_numbers
from .session_transport import preload, session_transport
from .settings import ServerSettings

__all__ = ["Agents", "Host", "HostedSession", "LoopHost", "Opening", "Refused", "Report"]

logger = logging.getLogger("antiphon.server")

Kind: TypeAlias = Literal["webrtc", "websocket", "phone", "sip"]
Report: TypeAlias = Callable[[dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a session begins with. Plain data: it is sent to a worker as it is.

    `body` is what the client's program sent along; `details` is what the server knows, by kind:
    websocket {"framing": "protobuf" | "json" | "auto"}; phone {"provider"}, and of a call that we made
    {"dialled", "placed"}: the number, and the provider's name of the call; sip {"ringing"}, the one thing
    that is no data: the call to be answered, by a host in this loop. An agent that is a function finds "call"
    there, too: the fields of `telephony.port.CallDetails`.
    """

    session: str
    agent: str
    kind: Kind
    body: Any = None
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


Maker: TypeAlias = Callable[[Opening], AgentDefinition | Awaitable[AgentDefinition]]
Agents: TypeAlias = Mapping[str, AgentDefinition | Maker]


class Refused(Exception):  # noqa: N818  an answer, as HTTP has them
    """The other side gets this answer instead: `status` is that of HTTP; `retry_after` in seconds."""

    def __init__(self, status: int, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry_after = status, detail, retry_after


class HostedSession(Protocol):
    """A session that is open, wherever it runs."""

    @property
    def session(self) -> str: ...

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The transport's answer to {"do": "offer", ...} or {"do": "candidates", ...}. Raises Refused."""
        ...

    async def wait(self) -> str:
        """Wait until the session is over; gives the reason."""
        ...

    async def end(self, reason: str) -> None:
        """Let the agent finish what it says, then end; returns when it is over."""
        ...


class Host(Protocol):
    """Opens sessions, as many as there is room for."""

    @property
    def names(self) -> Sequence[str]:
        """The agents, known once it has started; the first is meant when none is named."""
        ...

    @property
    def running(self) -> int: ...

    @property
    def room(self) -> int:
        """How many more sessions it would take now."""
        ...

    async def start(self) -> None:
        """Get ready: load the models, fork the workers."""
        ...

    async def open(self, opening: Opening, wire: Wire | None) -> HostedSession:
        """Begin a session; a webrtc one has no wire, and waits for its offer. Raises Refused."""
        ...

    async def close(self) -> None:
        """End all sessions at once, and leave nothing behind."""
        ...


class LoopHost:
    """Many sessions in this event loop. What fails in one stays there.

    `report` is told of each session, by "session", "agent" and "kind": that it "began" (True: both sides are
    there), of each "turn" that was answered (a dict), and that it "ended" (the reason) after some "seconds".
    """

    def __init__(
        self, agents: Agents, settings: ServerSettings | None = None, report: Report = lambda _: None
    ) -> None:
        self.agents = agents
        self.settings = settings or ServerSettings()
        self.report = report
        self.names = list(agents)
        self.calls: dict[str, _Call] = {}

    @property
    def running(self) -> int:
        """How many sessions there are."""
        return len(self.calls)

    @property
    def room(self) -> int:
        """How many more there may be."""
        return max(0, self.settings.capacity - self.running)

    async def start(self) -> None:
        """Load the agents' models, and all code: no call is to wait for that."""
        preload(self.settings)
        for agent in self._standing():
            await agent.open()

    async def open(self, opening: Opening, wire: Wire | None) -> "_Call":
        """Begin a session in a task of its own. Raises Refused where there is no room or no such agent."""
        if not self.room:
            raise Refused(429, "all lines are busy: try again in a moment", 5)
        call = self.calls[opening.session] = _Call(self, opening)
        try:
            await call.open(wire)
        except BaseException:
            call.forget()
            raise
        return call

    async def agent(self, opening: Opening) -> AgentDefinition:
        """The agent that an opening asks for."""
        found = self.agents.get(opening.agent)
        if found is None:
            raise Refused(404, f"there is no agent {opening.agent!r} here; see /agents")
        if isinstance(found, AgentDefinition):
            return found
        made = found(opening)
        return await made if inspect.isawaitable(made) else made

    async def close(self) -> None:
        """Cancel every session, and close the agents' models."""
        await asyncio.gather(*(call.cancel("the server was closed") for call in list(self.calls.values())))
        await asyncio.gather(*(agent.close() for agent in self._standing()))

    async def leave(self, agent: AgentDefinition) -> None:
        """Close the models of an agent that was made for a call, unless another call uses that agent."""
        others = [*self._standing(), *(call.agent for call in self.calls.values())]
        if not any(other is agent for other in others):
            await agent.close(given=False)

    def _standing(self) -> list[AgentDefinition]:
        """Return the agents that serve all calls, as opposed to those that a function makes for one."""
        return [agent for agent in self.agents.values() if isinstance(agent, AgentDefinition)]


class _Call:
    """One session of a LoopHost."""

    def __init__(self, host: LoopHost, opening: Opening) -> None:
        self._host = host
        self._opening = opening
        self._about = {"session": opening.session, "agent": opening.agent, "kind": opening.kind}
        self._transport: Transport | None = None
        self.agent: AgentDefinition | None = None
        self._conversation: Session | None = None
        self._task: asyncio.Task[None] | None = None
        self._reason = "it could not begin"
        self._began: float | None = None

    @property
    def session(self) -> str:
        """Its name."""
        return self._opening.session

    async def open(self, wire: Wire | None) -> None:
        """Make the transport, then the agent, and let the conversation begin."""
        try:
            found = await session_transport(self._opening, wire, self._host.settings)
            self._transport = found.transport
            self.agent = agent = await self._host.agent(found.opening)
            self._conversation = agent.session(found.transport, observers=found.observers)
        except AntiphonError as error:
            raise _refusal(error) from error
        except Refused:
            raise
        except Exception as error:
            logger.exception("session %s could not be opened", self.session)
            raise Refused(500, "the agent could not be made") from error
        self._listen(self._conversation, found.latency)
        self._task = asyncio.create_task(self._run(self._conversation), name=f"antiphon {self.session}")

    async def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """What the transport answers to an offer, or to candidates."""
        do = request.get("do")
        if do not in ("offer", "candidates") or not hasattr(self._transport, do):
            raise Refused(400, f"a {self._opening.kind} session takes no {do!r}")
        what = {name: value for name, value in request.items() if name != "do"}
        try:
            return await getattr(self._transport, do)(what)
        except AntiphonError as error:
            raise _refusal(error, asked=True) from error

    async def wait(self) -> str:
        """Wait for the end, and say why it came."""
        if self._task is not None:
            await asyncio.wait([self._task])
        return self._reason

    async def end(self, reason: str) -> None:
        """Speak what was begun, then end."""
        if self._conversation is not None:
            await self._conversation.end(reason, within=self._host.settings.last_words)
        await self.wait()

    async def cancel(self, reason: str) -> None:
        """End at once."""
        if self._conversation is not None:
            await self._conversation.cancel(reason)
        await self.wait()

    def forget(self) -> None:
        """It is over: make room."""
        self._host.calls.pop(self.session, None)

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
            if (close := getattr(self._transport, "close", None)) is not None:
                await close()
        except Exception:
            logger.exception("session %s could not be closed", self.session)
        finally:
            self.forget()
            seconds = time.monotonic() - self._began if self._began is not None else 0.0
            logger.info(
                "session %s (%s) ended after %.0f s: %s",
                self.session,
                self._opening.kind,
                seconds,
                without_numbers(self._reason),
            )
            self._tell(ended=self._reason, seconds=round(seconds, 3))
            if self.agent is not None:
                await self._host.leave(self.agent)

    def _listen(self, conversation: Session, latency: Latency) -> None:
        def began(_: SessionStarted) -> None:
            self._began = time.monotonic()
            self._tell(began=True)

        def ended(signal: SessionEnded) -> None:
            self._reason = signal.reason

        def answered(signal: ReplyEnded) -> None:
            if not signal.speculative and (turn := latency.turn_of(signal.reply)) is not None:
                parts = turn.parts or {}
                told = {name: round(seconds, 4) for name, seconds in parts.items()}
                took = turn.voice_to_voice
                self._tell(
                    turn={
                        "number": turn.number,
                        "voice_to_voice": None if took is None else round(took, 4),
                        "parts": told,
                        "interrupted": signal.interrupted,
                    }
                )

        conversation.on(SessionStarted, began)
        conversation.on(SessionEnded, ended)
        conversation.on(ReplyEnded, answered)

    def _tell(self, **what: Any) -> None:
        try:
            self._host.report(self._about | what)
        except Exception:
            logger.exception("a report of session %s was not taken", self.session)


def _refusal(error: AntiphonError, *, asked: bool = False) -> Refused:
    """What the client is told of an error: what it did wrong in full, of the server's own affairs nothing.

    Where the client has `asked` for something, a wrong use is its own.
    """
    if isinstance(error, BadResponseError) or (asked and isinstance(error, UsageError)):
        return Refused(400, str(error))
    if isinstance(error, TheyErred):
        return Refused(503, str(error), 2)
    logger.error("a session could not be opened: %s", error)
    return Refused(500, "the agent is not set up rightly; its log says why")
