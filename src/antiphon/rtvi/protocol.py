"""The client protocol of one session: the client's messages, and reports to it."""

import logging
import time
import weakref
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Literal

from ..clock import Timer
from ..frames import ServerMessage, SessionStarted
from ..processor import SessionPort
from ..telemetry.latency import Latency
from ..version import __version__
from .actions import AudioSink, ClientActions
from .events import ConversationEvents
from .messages import (
    LARGEST,
    VERSION,
    AppendToContext,
    BadMessage,
    Body,
    ClientReady,
    ClientRequest,
    Dtmf,
    RawAudio,
    RawAudioBatch,
    Received,
    SendText,
    decode,
    encode,
    major,
)
from .observing import OBSERVE, Observation
from .output import BotOutput
from .reporting import Figures, ToolReportLevel, ToolReports
from .tools import Typed

__all__ = ["RTVI"]

logger = logging.getLogger("antiphon.rtvi")

POLL_EVERY = 0.05  # seconds between two polls of how far playout has got
RATE, BURST = 20, 100  # messages a second, and at once, that a client may send besides audio
WEIGHT = 2000  # typed characters that count as one more message, since the model reads them in every turn
WAITING = 1000  # messages kept for a client that is not ready yet; of more, the oldest are dropped


class RTVI:
    """The client protocol of one session.

    The transport sets `send` and calls `received`. `agent`: the agent's name, for the client. `report`: how
    much the client learns about tool calls. `observe`: whether a client may ask for the floor and the latency
    of every turn. `also`: messages that are off by default, "vad" and "levels". `latency` is fed by this
    object and must not observe the session too.
    """

    def __init__(
        self,
        *,
        agent: str = "",
        report: ToolReportLevel = "full",
        observe: bool = False,
        also: Collection[Literal["vad", "levels"]] = (),
        version: str = VERSION,
        latency: Latency | None = None,
    ) -> None:
        self.send: Callable[[str], None] = lambda text: None
        """Sends a message to the client. Set by the transport."""
        self.audio: AudioSink | None = None
        """Consumes microphone audio that comes as messages. Set by a transport that has no better way."""
        self.capabilities = {
            "audio_in": True,
            "audio_out": True,
            "video_in": False,
            "screen_in": False,
            "video_out": False,
            "metrics": True,
        }
        """What the client and this agent can do, for `bot-ready`. Set by the transport."""
        self.media = "levels" in also
        self.agent = agent
        self.report: ToolReportLevel = report
        self.observe = observe
        self.vad = "vad" in also
        self.version = version
        self.latency = latency or Latency()
        self.client_version = ""
        """The protocol version of the client; "" until it is ready."""
        self.ignored = 0
        """Number of messages that were not of this protocol."""
        self._session: SessionPort | None = None
        self._actions: ClientActions | None = None
        self._reports: _Reports | None = None  # None until the session has begun
        self._ready = False
        self._asked: str | None = None  # the id of a client-ready that came before the session began
        self._waiting: deque[tuple[str, Any]] = deque(maxlen=WAITING)
        self._timer: Timer | None = None
        self._settling = False
        self._allowance, self._allowed_at = float(BURST), 0.0  # messages that the client may send, as of then
        self._count = 0

    # For the transport -----------------------------------------------------------------------------

    def bind(self, session: SessionPort) -> None:
        """Set the session, and be its `client`; called once, before it starts."""
        session.client = self
        watched: SessionPort = weakref.proxy(session)  # it keeps this object alive, not the other way round
        self._session, self._actions = watched, ClientActions(watched)

    def received(self, text: str) -> None:
        """Handle a message of the client; never raises, whatever it is."""
        if self._session is None or self._session.state in ("ending", "ended"):
            return
        match decode(text):
            case None:
                self.ignored += 1
            case BadMessage(number, why):
                self._refuse(number, why)
            case Received(number, ClientReady() as body):
                self._client_ready(number, body)
            case Received(number, _) if self._reports is None:
                self._refuse(number, "the agent is not ready yet: wait for bot-ready")
            case Received(number, body):
                if why := self._perform(self._session, number, body):
                    self._refuse(number, why)

    def _perform(self, session: SessionPort, number: str, body: Body) -> str | None:
        """Perform a message within the rate limit; returns why it is refused, or None."""
        assert self._actions is not None
        if not isinstance(body, RawAudio | RawAudioBatch):
            cost = _cost(body)
            now = session.clock.now()
            self._allowance = min(BURST, self._allowance + (now - self._allowed_at) * RATE)
            self._allowed_at = now
            if self._allowance < cost:
                return f"too many messages: send {RATE} a second at most, and fewer if they are long"
            self._allowance -= cost
        if isinstance(body, ClientRequest) and body.t == OBSERVE:
            return self._observe(number)
        self._actions.audio = self.audio
        return self._actions.perform(number, body)

    # For the client's tools ------------------------------------------------------------------------

    async def result(self, call: str) -> Any:
        """Wait for the client's result of this tool call.

        Raises UnavailableError if the client has left.
        """
        assert self._actions is not None
        return await self._actions.result(call)

    # For the session -------------------------------------------------------------------------------

    def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
        """Report what happened, if the client should know of it."""
        session, actions = self._session, self._actions
        if session is None or actions is None:
            return
        if isinstance(what, SessionStarted):
            self._reports = _Reports(self, session, time.time() - now)
            if self._asked is not None:
                self._bot_ready(self._asked)
        if self._reports is None:
            return
        if isinstance(what, ServerMessage):
            self._server_message(what, actions)
        self._reports.saw(now, source, what, is_input)
        if self._reports.observation.changed and not self._settling:
            self._settling = True
            session.clock.call_at(session.clock.now(), self._settle)
        self._schedule_poll()

    def close(self) -> None:
        """Stop reporting: the session is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._actions is not None:
            self._actions.close()
        self._session = self._reports = self.audio = None

    def _settle(self) -> None:
        """Report who has the floor, now that the input at hand has been handled."""
        self._settling = False
        if self._reports is not None:
            self._reports.observation.poll()

    def _schedule_poll(self) -> None:
        session, reports = self._session, self._reports
        if self._timer is None and session is not None and reports is not None and reports.needs_polling:
            self._timer = session.clock.call_at(session.clock.now() + POLL_EVERY, self._poll)

    def _poll(self) -> None:
        self._timer = None
        if self._reports is not None and self._session is not None and self._session.state == "running":
            self._reports.poll(self._session.elapsed())
            self._schedule_poll()

    # To the client ---------------------------------------------------------------------------------

    def tell(self, kind: str, data: Any = None) -> None:
        """Send a message as soon as the client is ready.

        `data` is a BotOutput, or can be encoded as JSON.
        """
        if self._ready:
            self._send(kind, data)
        else:
            self._waiting.append((kind, data))

    def _send(self, kind: str, data: Any, number: str = "") -> None:
        messages = data.messages(self._legacy) if isinstance(data, BotOutput) else [(kind, data)]
        for name, content in messages:
            if name == "llm-function-call-in-progress" and self._before_1_2:
                name, content = "llm-function-call", _as_before(content)
            self._count += 1
            try:
                text = encode(name, content, number or f"s{self._count}")
            except (TypeError, ValueError, RecursionError) as error:
                logger.warning("a %s was not sent, since it cannot be encoded as JSON: %s", name, error)
                if number:
                    self._refuse(number, "the answer could not be encoded")
                continue
            if len(text) > LARGEST:
                logger.warning(
                    "a %s of %d characters was not sent; the limit is %d", name, len(text), LARGEST
                )
                if number:
                    self._refuse(number, "the answer is too long")
                continue
            self.send(text)

    def _refuse(self, number: str, why: str) -> None:
        if number:
            self._send("error-response", {"error": why}, number)
        else:
            self._send("error", {"error": why, "fatal": False})

    def _server_message(self, frame: ServerMessage, actions: ClientActions) -> None:
        if isinstance(frame.data, Typed):
            self.tell(frame.data.type, frame.data.data)
        elif not frame.answers:
            self.tell("server-message", frame.data)
        elif frame.failed:
            actions.pop_request(frame)
            self._refuse(frame.answers, str(frame.data))
        else:
            data = {"t": actions.pop_request(frame), "d": frame.data}
            self._send("server-response", data, frame.answers)

    # The client and its version --------------------------------------------------------------------

    @property
    def _legacy(self) -> bool:
        return major(self.client_version) == 1

    @property
    def _before_1_2(self) -> bool:
        return self._legacy and self.client_version.split(".")[1] in ("0", "1")

    def _client_ready(self, number: str, body: ClientReady) -> None:
        self.client_version = body.version[:32] if isinstance(body.version, str) else ""
        if major(self.client_version) not in (1, 2):
            said = self.client_version or "unknown"
            self._refuse(
                number, f"this agent speaks protocol {self.version}, not {said}: it may not work well"
            )
        if self._actions is not None:
            self._actions.legacy = self._legacy
        if self._reports is None:
            self._asked = number
        else:
            self._bot_ready(number)

    def _bot_ready(self, number: str) -> None:
        about = {"library": "antiphon", "library_version": __version__}
        data = {
            "version": self.client_version if self._legacy else self.version,
            "about": {**about, "agent": self.agent} if self.agent else about,
            "capabilities": self.capabilities,
        }
        self._send("bot-ready", data, number)
        self._ready = True
        while self._waiting:
            self._send(*self._waiting.popleft())

    def _observe(self, number: str) -> str | None:
        if not self.observe or self._reports is None:
            return "observation is off: the agent's program allows it with RTVI(observe=True)"
        answer = self._reports.observation.answer(self.agent)
        self._send("server-response", {"t": OBSERVE, "d": answer}, number)
        return None


class _Reports:
    """All observers that report one running session to the client.

    `began`: when the session began, in seconds since 1970.
    """

    def __init__(self, rtvi: RTVI, session: SessionPort, began: float) -> None:
        def observed(data: dict[str, Any]) -> None:
            rtvi.tell("server-message", data)

        events = ConversationEvents(session, rtvi.tell, began, vad=rtvi.vad)
        figures = Figures(session, rtvi.tell, events.tell_of_reply, levels=rtvi.media)
        tools = ToolReports(session, rtvi.tell, rtvi.report)
        self.observation = Observation(session, rtvi.latency, observed, lambda: events.floor)
        self._events = events
        self._observers = (events, figures, tools, self.observation)

    def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
        """Show what happened to all observers."""
        for observer in self._observers:
            observer.saw(now, source, what, is_input)

    @property
    def needs_polling(self) -> bool:
        """True while something may change without a frame or signal."""
        return self._events.needs_polling or self.observation.needs_polling

    def poll(self, now: float) -> None:
        """Report what has changed without a frame or signal."""
        self._events.poll(now)
        self.observation.poll()


def _cost(body: Body) -> int:
    """Return how many messages this one counts for in the rate limit."""
    match body:
        case SendText(content=str(text)) | AppendToContext(content=str(text)):
            return 1 + len(text) // WEIGHT
        case Dtmf(buttons=list(keys)):
            return len(keys)
        case _:
            return 1


def _as_before(call: dict[str, Any]) -> dict[str, Any]:
    """Return a function call in the form that it had before protocol 1.2."""
    name, arguments = call.get("function_name", ""), call.get("arguments", {})
    return {"function_name": name, "tool_call_id": call["tool_call_id"], "args": arguments}
