"""What does an hour-long call lose if the vendor hangs up every eight minutes?

A scripted caller talks to a vendor's server on loopback, through a proxy in which opening a connection takes
as long as over the internet, and which ends every connection after so many seconds. All in virtual time. The
server hears which line the caller speaks and how much of it, so that each answer says what was understood.
"""

import asyncio
import random
import re
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from statistics import median
from typing import Any, Literal, NamedTuple

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, UserSaid
from antiphon.conversation.conversation import Conversation
from antiphon.conversation.tools import tool
from antiphon.frames import (
    Failed,
    Frame,
    PlayoutStarted,
    ReplyEnded,
    Signal,
    ToolStarted,
    UserTurn,
    UserTurnStarted,
)
from antiphon.observers import Observer
from antiphon.services.realtime_codec import RealtimeCodec
from antiphon.services.socket_realtime import SocketRealtime
from antiphon.session import Session
from antiphon.testing import LoudVAD, ScriptedEOT, run_virtual
from antiphon.testing.loopback.aws_realtime import SECRET, NovaSonicServer
from antiphon.testing.loopback.azure_realtime import AzureOpenAIServer, VoiceLiveServer
from antiphon.testing.loopback.gemini_live import GeminiLiveServer
from antiphon.testing.loopback.hume_evi import HumeEVIServer
from antiphon.testing.loopback.inworld_realtime import InworldRealtimeServer
from antiphon.testing.loopback.openai_live_realtime import GPTLiveServer
from antiphon.testing.loopback.openai_realtime import OpenAIRealtimeServer
from antiphon.testing.loopback.qwen_realtime import QwenRealtimeServer
from antiphon.testing.loopback.server import KEY, VendorServer, numbered
from antiphon.testing.loopback.ultravox_realtime import UltravoxServer
from antiphon.testing.loopback.xai_realtime import XaiRealtimeServer
from antiphon.transports.caller import Caller, CallerLine
from antiphon.vendors.aws.realtime import Realtime as NovaSonic
from antiphon.vendors.azure.realtime import Realtime as VoiceLive
from antiphon.vendors.azure_openai.realtime import Realtime as AzureOpenAI
from antiphon.vendors.google.realtime import Realtime as GeminiLive
from antiphon.vendors.hume.realtime import Realtime as HumeEVI
from antiphon.vendors.inworld.realtime import Realtime as Inworld
from antiphon.vendors.openai.realtime import Realtime as OpenAI
from antiphon.vendors.openai_live.realtime import Realtime as GPTLive
from antiphon.vendors.qwen.realtime import Realtime as Qwen
from antiphon.vendors.ultravox.realtime import Realtime as Ultravox
from antiphon.vendors.xai.realtime import Realtime as Xai

OPENS = 0.1  # seconds until a connection is accepted
TRAVELS = 0.04  # seconds that the vendor's messages are on their way
PACE = 120_000  # bytes in a second that the vendor sends: voice comes about twice as fast as it is spoken
LAGS = 0.6  # seconds, at most
ACKNOWLEDGED = b'"conversation.item.'  # in the answers to a long history, which is no voice and not paced
RATE = 24000
TOOL_TAKES = 0.6  # seconds

Place = Literal["silence", "user", "asked", "reply", "tool"]
Whose = Literal["ours", "theirs"]

sleep = LoopClock().sleep


class PacedLiveServer(GPTLiveServer):
    """It sends its sound as fast as it is spoken."""

    speed = 1.0


class Vendor(NamedTuple):
    """A server, and how to make the model that talks to it at an address."""

    server: Callable[[], VendorServer]
    model: Callable[[str], SocketRealtime]


def _openai(url: str) -> SocketRealtime:
    return OpenAI(key=KEY, base_url=url)


def _azure_openai(url: str) -> SocketRealtime:
    return AzureOpenAI("my-deployment", key=KEY, base_url=f"{url}/openai/v1")


def _azure(url: str) -> SocketRealtime:
    return VoiceLive(key=KEY, base_url=url)


def _xai(url: str) -> SocketRealtime:
    return Xai(key=KEY, base_url=f"{url}/v1")


def _inworld(url: str) -> SocketRealtime:
    return Inworld(key=KEY, base_url=url)


def _qwen(url: str) -> SocketRealtime:
    return Qwen(key=KEY, base_url=f"{url}/api-ws/v1")


def _google(url: str) -> SocketRealtime:
    return GeminiLive(key=KEY, base_url=url)


def _ultravox(url: str) -> SocketRealtime:
    return Ultravox(key=KEY, base_url=url)


def _hume(url: str) -> SocketRealtime:
    return HumeEVI(key=KEY, base_url=url)


def _openai_live(url: str) -> SocketRealtime:
    return GPTLive(key=KEY, base_url=url)


def _aws(url: str) -> SocketRealtime:
    return NovaSonic(region="us-east-1", key=KEY, secret=SECRET, base_url=url)


VENDORS: dict[str, Vendor] = {
    "openai": Vendor(OpenAIRealtimeServer, _openai),
    "azure_openai": Vendor(AzureOpenAIServer, _azure_openai),
    "azure": Vendor(VoiceLiveServer, _azure),
    "xai": Vendor(XaiRealtimeServer, _xai),
    "inworld": Vendor(InworldRealtimeServer, _inworld),
    "qwen": Vendor(QwenRealtimeServer, _qwen),
    "google": Vendor(GeminiLiveServer, _google),
    "ultravox": Vendor(UltravoxServer, _ultravox),
    "hume": Vendor(HumeEVIServer, _hume),
    "openai_live": Vendor(PacedLiveServer, _openai_live),
    **({"aws": Vendor(NovaSonicServer, _aws)} if find_spec("h2") else {}),
}


class Proxy:
    """A way to a server that takes time, and is cut after `lasts` seconds.

    With `lasts=None` only `hang_up` cuts it.
    """

    def __init__(self, url: str, lasts: float | None) -> None:
        self.before, _, rest = url.partition("127.0.0.1:")
        self.port, _, self.path = rest.partition("/")
        self.lasts = lasts
        self.opened: list[float] = []
        self.hang_ups = 0
        self.url = ""
        self._ways = dict[asyncio.Task[None], float]()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator["Proxy"]:
        """Listen on a free port."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"{self.before}127.0.0.1:{port}" + (f"/{self.path}" if self.path else "")
        try:
            yield self
        finally:
            server.close()
            for way in list(self._ways):
                way.cancel()
            await asyncio.gather(*self._ways, return_exceptions=True)

    @property
    def age(self) -> float:
        """Seconds since the newest connection that stands was opened."""
        return asyncio.get_running_loop().time() - max(self._ways.values(), default=float("inf"))

    def hang_up(self) -> None:
        """End all connections."""
        self.hang_ups += 1
        for way in self._ways:
            way.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        way = asyncio.current_task()
        assert way is not None
        self._ways[way] = asyncio.get_running_loop().time()
        pumps: list[asyncio.Task[None]] = []
        server: asyncio.StreamWriter | None = None
        try:
            await sleep(OPENS)
            answers, server = await asyncio.open_connection("127.0.0.1", int(self.port))
            pumps = [
                asyncio.create_task(_pump(reader, server, 0.0)),
                asyncio.create_task(_pump(answers, writer, TRAVELS)),
            ]
            done, _ = await asyncio.wait(pumps, timeout=self.lasts, return_when="FIRST_COMPLETED")
            self.hang_ups += not done
        except asyncio.CancelledError:
            pass
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            for one in (writer, server):
                if one is not None:
                    one.transport.abort()
            del self._ways[way]


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, travels: float) -> None:
    """Carry data, `travels` seconds late and no faster than PACE if that is more than 0."""
    underway = asyncio.Queue[tuple[float, bytes]]()
    clock = asyncio.get_running_loop().time

    async def arrive() -> None:
        while True:
            at, data = await underway.get()
            if (early := at - clock()) > 0:
                await sleep(early)
            sink.write(data)

    arriving = asyncio.create_task(arrive())
    free = 0.0
    try:
        with suppress(ConnectionError):
            while data := await source.read(1 << 14):
                if not travels:
                    sink.write(data)
                    await sink.drain()
                    continue
                size = 0 if ACKNOWLEDGED in data else len(data)
                free = min(max(free, clock()) + size / PACE, clock() + LAGS)
                underway.put_nowait((free + travels, data))
        while not underway.empty():
            await sleep(0.01)
    finally:
        arriving.cancel()


# The caller ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Script:
    """What the caller says: how long each line is, and the seconds before it."""

    lines: tuple[tuple[float, float], ...]

    @property
    def seconds(self) -> float:
        """How long all of it takes."""
        return sum(map(sum, self.lines))

    def spoken(self) -> list[CallerLine]:
        """Return the lines as sound."""
        return [
            CallerLine(numbered(place, seconds, RATE), wait, "now")
            for place, (seconds, wait) in enumerate(self.lines)
        ]


def script(seconds: float, *, barge_ins: bool = True, longest: float = 45.0, seed: int = 1) -> Script:
    """Return a conversation: a line every 5 to 25 s, long ones and barge-ins among them."""
    dice = random.Random(seed)
    lines: list[tuple[float, float]] = []
    while (made := Script(tuple(lines))).seconds < seconds:
        place = len(lines)
        long = 45.0 if place % 40 == 25 else 20.0 if place % 15 == 9 else 0.0
        length = long if 0 < long <= longest else dice.choice((1.0, 1.0, 2.0, 3.0, 6.0))
        barges = barge_ins and place % 7 == 5
        lines.append((length, 1.3 if barges else dice.uniform(4.0, 18.0)))
    return made


# The call --------------------------------------------------------------------------------------------


@dataclass
class Turn:
    """What became of a line of the caller."""

    ended: float
    """When the caller had spoken it, in seconds of the session."""
    answered: list[float] = field(default_factory=list[float])
    """When each answer to it began to sound."""
    barged: bool = False
    """Whether the next line began over the answer to it."""


@dataclass
class Outcome:
    """What became of a call."""

    turns: list[Turn]
    hang_ups: int
    connections: int
    failures: list[str]
    history: list[str]
    """What the user said, as the history has it."""
    others: list[str]
    """Replies that answer no line."""
    replies: list[str]
    """What the agent said, as the history has it."""
    seeded: list[str]
    """Lines of the user that clients told OpenAI's server before each connection, one after another."""

    @property
    def lost(self) -> list[int]:
        """The lines without an answer."""
        return [place for place, turn in enumerate(self.turns) if not turn.answered and not turn.barged]

    @property
    def twice(self) -> list[int]:
        """The lines with more than one answer."""
        return [place for place, turn in enumerate(self.turns) if len(turn.answered) > 1]

    def delays(self) -> list[float | None]:
        """Return the seconds from the end of each line to the first sound of its answer."""
        return [turn.answered[0] - turn.ended if turn.answered else None for turn in self.turns]


class Watch(Observer):
    """Notes answers, and has the vendor hang up wherever the conversation is to be."""

    def __init__(self, proxy: Proxy, places: Sequence[Place], every: float) -> None:
        self.proxy = proxy
        self.places = list(places)
        self.every = every
        self.hung_up: list[tuple[float, Place]] = []
        self.begun = dict[int, float]()
        self.ended: list[ReplyEnded] = []
        self.failures: list[str] = []
        self._pending = False

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        match what:
            case PlayoutStarted(reply):
                self.begun.setdefault(reply, now)
                self._reach("reply", 0.25)
            case ReplyEnded():
                self.ended.append(what)
                self._reach("silence", 1.0)
            case UserTurnStarted():
                self._reach("user", 0.4)
            case UserTurn():
                self._reach("asked", 0.0)
            case ToolStarted():
                self._reach("tool", 0.2)
            case Failed(part, error, message):
                self.failures.append(f"{now:.1f} {part} {error}: {message}")
            case _:
                pass

    def _reach(self, place: Place, after: float) -> None:
        loop = asyncio.get_running_loop()
        if self._pending or place not in self.places[:1] or self.proxy.age < self.every:
            return
        self.places.append(self.places.pop(0))
        self.hung_up.append((loop.time() + after, place))
        self._pending = True
        loop.call_later(after, self._hang_up)

    def _hang_up(self) -> None:
        self._pending = False
        self.proxy.hang_up()


@tool
async def weather(city: str) -> str:
    """The weather in a city."""
    await sleep(TOOL_TAKES)
    return f"sunny in {city}"


@contextmanager
def lasting(codec: type[RealtimeCodec], seconds: float | None) -> Generator[None]:
    """Have a codec know when the vendor hangs up."""
    before = codec.lasts
    codec.lasts = seconds
    try:
        yield
    finally:
        codec.lasts = before


def hold(
    vendor: str,
    said: Script,
    *,
    whose: Whose = "theirs",
    every: float | None = None,
    places: Sequence[Place] = (),
    tools: bool = False,
) -> Outcome:
    """Hold a call in virtual time.

    The vendor hangs up `every` so many seconds, which its codec knows; with `places` it does not, and it
    happens at one after another of these.
    """
    return run_virtual(_held(vendor, said, whose, every, places, tools))


async def _held(
    vendor: str, said: Script, whose: Whose, every: float | None, places: Sequence[Place], tools: bool
) -> Outcome:
    kind, make = VENDORS[vendor]
    async with kind() as server, _way(server, None if places else every) as proxy:
        if isinstance(server, UltravoxServer):
            server.join_at(proxy.url)
            model = make(server.url)
        else:
            model = make(proxy.url)
        codec = type(model.codec(True, None))
        watch = Watch(proxy, places, every or 0.0)
        turns: dict[str, Any] = {"vad": None, "eot": None}
        if whose == "ours":
            turns = {"vad": LoudVAD(), "eot": ScriptedEOT()}
        with lasting(codec, every if every and not places else None):
            agent = Agent("Be brief.", realtime=model, tools=[weather] if tools else [], **turns)
            caller = Caller(said.spoken(), RATE, linger=5.0, at_most=said.seconds + 60)
            async with Session(agent.pipeline(caller), observers=[watch]) as session:
                await session.wait()
                entries = next(one for one in session.parts if isinstance(one, Conversation)).history.entries
            await agent.close()
        return _outcome(said, caller, watch, server, entries)


def _way(server: VendorServer, lasts: float | None) -> AbstractAsyncContextManager[Proxy]:
    joined = server.joined_at if isinstance(server, UltravoxServer) else server.url
    return Proxy(joined, lasts).running()


def _outcome(
    said: Script, caller: Caller, watch: Watch, server: VendorServer, entries: Sequence[Any]
) -> Outcome:
    turns = [Turn(ended) for _, ended in caller.spoken]
    for turn, (_, wait) in zip(turns, said.lines[1:], strict=False):
        turn.barged = wait < 2.0
    others: list[str] = []
    for ended in watch.ended:
        if ended.reply not in watch.begun:
            continue
        text, at = ended.text, watch.begun[ended.reply]
        named = re.search(r"line (\d+),", text)
        place = int(named[1]) if named else None
        if place is None and text.endswith("And so on."):  # the rest of an answer that broke off early
            place = max(p for p, turn in enumerate(turns) if turn.ended < at)
        if place is None and ended.interrupted and "You said".startswith(text.strip()):
            continue  # cut off before it says what it answers
        if place is None:
            others.append(f"{at:.1f} {text[:80]}")
        else:
            turns[place].answered.append(at)
    return Outcome(
        turns,
        watch.proxy.hang_ups,
        server.connections,
        watch.failures,
        [entry.text for entry in entries if isinstance(entry, UserSaid)],
        others,
        [entry.text for entry in entries if isinstance(entry, AgentSaid)],
        _seeded(server) if type(server) is OpenAIRealtimeServer else [],
    )


def _seeded(server: OpenAIRealtimeServer) -> list[str]:
    contents = [content for item in server.seeded for content in item.get("content", ())]
    return [content["text"] for content in contents if content.get("text", "").startswith("line")]


def extra(with_hang_ups: Outcome, without: Outcome) -> list[float]:
    """Return how many seconds later each answer came because of the hang-ups."""
    pairs = zip(with_hang_ups.delays(), without.delays(), strict=True)
    return [one - other for one, other in pairs if one is not None and other is not None]


def expected(said: Script) -> list[str]:
    """Return what the user said, as a history without faults has it."""
    return [f"line {place}, {length:.0f} seconds" for place, (length, _) in enumerate(said.lines)]


def summary(outcome: Outcome, base: Outcome, said: Script) -> dict[str, Any]:
    """Return the figures of a call."""
    more = extra(outcome, base)
    words = list(zip(expected(said), outcome.history, strict=False))
    return {
        "turns": len(outcome.turns),
        "hang_ups": outcome.hang_ups,
        "lost": outcome.lost,
        "twice": outcome.twice,
        "others": outcome.others,
        "failures": outcome.failures,
        "history": sum(one != other for one, other in words) + len(said.lines) - len(words),
        "median_ms": round(median(more) * 1e3, 1) if more else None,
        "worst_ms": round(max(more) * 1e3, 1) if more else None,
    }
