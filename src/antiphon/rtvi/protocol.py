"""The client protocol of one session: what the client says is done, and what happens is told."""

import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import Any, Literal
from weakref import ref

from ..clock import Timer
from ..frames import ServerMessage, SessionStarted
from ..processor import SessionPort
from ..telemetry.latency import Latency
from ..version import __version__
from .acting import Acts, Sound
from .messages import (
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
from .reporting import Figures, Report, ToolReports
from .telling import Teller
from .tools import Typed, clients

__all__ = ["RTVI"]

logger = logging.getLogger("antiphon.rtvi")

LOOKS_EVERY = 0.05  # seconds between two looks at how far the voice has come
RATE, BURST = 20, 100  # messages a second, and at once, that a client may send beside audio
WEIGHT = 2000  # typed characters that count as another message: they stay in the conversation
WAITING = 1000  # messages that wait for a client that is not ready yet; of more, the oldest are forgotten


class RTVI:
    """Speaks the protocol with the client of one session; a transport gives it `send` and what it `received`.

    `agent`: its name, for the client. `report`: how much of the tools' calls the client is told. `observe`:
    whether a client may ask for the floor and the latency of every turn. `also`: messages that are not sent
    unless they are wanted, "vad" and "levels". `latency` is fed here, and must not watch the session itself.
    """

    def __init__(
        self,
        *,
        agent: str = "",
        report: Report = "full",
        observe: bool = False,
        also: Collection[Literal["vad", "levels"]] = (),
        version: str = VERSION,
        latency: Latency | None = None,
    ) -> None:
        self.send: Callable[[str], None] = lambda text: None
        """Takes a message to the client. Set by the transport."""
        self.audio: Sound | None = None
        """Takes microphone audio that comes as messages. Set by a transport that has no better way."""
        self.capabilities = {
            "audio_in": True,
            "audio_out": True,
            "video_in": False,
            "screen_in": False,
            "video_out": False,
            "metrics": True,
        }
        """What the client is told that it can do. Set by the transport."""
        self.media = "levels" in also
        self.agent = agent
        self.report: Report = report
        self.observe = observe
        self.vad = "vad" in also
        self.version = version
        self.latency = latency or Latency()
        self.client_version = ""
        """What the client speaks; "" until it is ready."""
        self.ignored = 0
        """Messages that were none."""
        self._session: SessionPort | None = None
        self._acts: Acts | None = None
        self._story: _Story | None = None
        self._ready = False
        self._asked: str | None = None  # the id of a client-ready that came before the session began
        self._waiting: deque[tuple[str, Any]] = deque(maxlen=WAITING)
        self._timer: Timer | None = None
        self._settling = False
        self._allowance, self._allowed_at = float(BURST), 0.0  # messages that are taken, as of then
        self._count = 0

    # For the transport -----------------------------------------------------------------------------

    def bind(self, session: SessionPort) -> None:
        """This is the session; called once, before it starts."""
        self._session, self._acts = session, Acts(session)
        clients[session] = ref(self)

    def received(self, text: str) -> None:
        """A message of the client. Raises nothing, whatever it is."""
        if self._session is None or self._session.state in ("ending", "ended"):
            return
        match decode(text):
            case None:
                self.ignored += 1
            case BadMessage(number, why):
                self._refuse(number, why)
            case Received(number, ClientReady() as body):
                self._client_ready(number, body)
            case Received(number, _) if self._story is None:
                self._refuse(number, "the agent is not ready yet: wait for bot-ready")
            case Received(number, body):
                if why := self._do(self._session, number, body):
                    self._refuse(number, why)

    def _do(self, session: SessionPort, number: str, body: Body) -> str | None:
        """Do what a message says; gives why it was not done."""
        assert self._acts is not None
        if not isinstance(body, RawAudio | RawAudioBatch):
            cost = _cost(body)
            now = session.clock.now()
            self._allowance = min(BURST, self._allowance + (now - self._allowed_at) * RATE)
            self._allowed_at = now
            if self._allowance < cost:
                return f"too many messages: {RATE} a second are taken, and fewer where they are long"
            self._allowance -= cost
        if isinstance(body, ClientRequest) and body.t == OBSERVE:
            return self._observe(number)
        self._acts.audio = self.audio
        return self._acts.do(number, body)

    # For a client's tools --------------------------------------------------------------------------

    async def result(self, call: str) -> Any:
        """What the client's function has returned for this call."""
        assert self._acts is not None
        return await self._acts.result(call)

    # For the session -------------------------------------------------------------------------------

    def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
        """Tell the client what it is to know of this."""
        session, acts = self._session, self._acts
        if session is None or acts is None:
            return
        if isinstance(what, SessionStarted):
            self._story = _Story(self, session, acts, time.time() - now)
            if self._asked is not None:
                self._bot_ready(self._asked)
        if self._story is None:
            return
        if isinstance(what, ServerMessage):
            self._server_message(what, acts)
        acts.saw(now, source, what, is_input)
        self._story.saw(now, source, what, is_input)
        if self._story.observation.changed and not self._settling:
            self._settling = True
            session.clock.call_at(session.clock.now(), self._settle)
        self._look_again()

    def close(self) -> None:
        """The session is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._acts is not None:
            self._acts.close()

    def _settle(self) -> None:
        """What has just happened is over: tell who has the floor now."""
        self._settling = False
        if self._story is not None:
            self._story.observation.look()

    def _look_again(self) -> None:
        session, story = self._session, self._story
        if self._timer is None and session is not None and story is not None and story.busy:
            self._timer = session.clock.call_at(session.clock.now() + LOOKS_EVERY, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._story is not None and self._session is not None and self._session.state == "running":
            self._story.look(self._session.elapsed())
            self._look_again()

    # To the client ---------------------------------------------------------------------------------

    def tell(self, kind: str, data: Any = None) -> None:
        """Send a message, once the client is ready. `data` is for JSON, or a BotOutput."""
        if self._ready:
            self._say(kind, data)
        else:
            self._waiting.append((kind, data))

    def _say(self, kind: str, data: Any, number: str = "") -> None:
        messages = data.messages(self._legacy) if isinstance(data, BotOutput) else [(kind, data)]
        for name, content in messages:
            if name == "llm-function-call-in-progress" and self._before_1_2:
                name, content = "llm-function-call", _as_before(content)
            self._count += 1
            try:
                text = encode(name, content, number or f"s{self._count}")
            except (TypeError, ValueError, RecursionError) as error:
                logger.warning("a %s was not sent, for it is no JSON: %s", name, error)
                if number:
                    self._refuse(number, "the answer could not be encoded")
                continue
            self.send(text)

    def _refuse(self, number: str, why: str) -> None:
        if number:
            self._say("error-response", {"error": why}, number)
        else:
            self._say("error", {"error": why, "fatal": False})

    def _server_message(self, frame: ServerMessage, acts: Acts) -> None:
        if isinstance(frame.data, Typed):
            self.tell(frame.data.type, frame.data.data)
        elif not frame.answers:
            self.tell("server-message", frame.data)
        elif frame.failed:
            acts.asked(frame)
            self._refuse(frame.answers, str(frame.data))
        else:
            self._say("server-response", {"t": acts.asked(frame), "d": frame.data}, frame.answers)

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
                number, f"protocol {said} is not spoken here, {self.version} is; it may not work well"
            )
        if self._acts is not None:
            self._acts.legacy = self._legacy
        if self._story is None:
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
        self._say("bot-ready", data, number)
        self._ready = True
        while self._waiting:
            self._say(*self._waiting.popleft())

    def _observe(self, number: str) -> str | None:
        if not self.observe or self._story is None:
            return "observation is off here: RTVI(observe=True) allows it"
        answer = self._story.observation.answer(self.agent)
        self._say("server-response", {"t": OBSERVE, "d": answer}, number)
        return None


class _Story:
    """All that is told of one session that has begun; `began` in seconds since 1970."""

    def __init__(self, rtvi: RTVI, session: SessionPort, acts: Acts, began: float) -> None:
        def observed(data: dict[str, Any]) -> None:
            rtvi.tell("server-message", data)

        teller = Teller(session, rtvi.tell, began, acts.unvoiced, vad=rtvi.vad)
        figures = Figures(session, rtvi.tell, teller.of, levels=rtvi.media)
        tools = ToolReports(session, rtvi.tell, rtvi.report)
        self.observation = Observation(session, rtvi.latency, observed, lambda: teller.floor)
        self._teller = teller
        self._watchers = (teller, figures, tools, self.observation)

    def saw(self, now: float, source: str, what: Any, is_input: bool) -> None:
        """Tell of it."""
        for watcher in self._watchers:
            watcher.saw(now, source, what, is_input)

    @property
    def busy(self) -> bool:
        """Whether something may change that no frame tells of."""
        return self._teller.busy or self.observation.busy

    def look(self, now: float) -> None:
        """Tell what has."""
        self._teller.look(now)
        self.observation.look()


def _cost(body: Body) -> int:
    """How many messages this one counts for."""
    match body:
        case SendText(content=str(text)) | AppendToContext(content=str(text)):
            return 1 + len(text) // WEIGHT
        case Dtmf(buttons=list(keys)):
            return len(keys)
        case _:
            return 1


def _as_before(call: dict[str, Any]) -> dict[str, Any]:
    """A function call as it was told before protocol 1.2."""
    name, arguments = call.get("function_name", ""), call.get("arguments", {})
    return {"function_name": name, "tool_call_id": call["tool_call_id"], "args": arguments}
