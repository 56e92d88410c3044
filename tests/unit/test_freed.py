"""A session that is over is freed at once: the collector, which holds up all calls, finds nothing of it."""

import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest

from antiphon import Agent
from antiphon.clock import LoopClock
from antiphon.context import ToolCall
from antiphon.conversation.tools import tool
from antiphon.session import Session
from antiphon.testing import WireClient, loud, run_virtual
from antiphon.testing.assertions import services
from antiphon.transports.caller import Caller, CallerLine
from antiphon.transports.websocket import Websocket

Run = Callable[[Session], Awaitable[None]]


@tool
async def look() -> str:
    """Look."""
    return "seen"


def caller(agent: Agent) -> Session:
    return agent.session(Caller([CallerLine(loud(1.0), 2.0, "now")], 16000))


def collected(make: Callable[[], Session], run: Run) -> int:
    """Return how many objects the collector finds after a session."""

    async def hold() -> weakref.ref[Session]:
        session = make()
        await run(session)
        return weakref.ref(session)

    async def twice() -> int:
        await hold()  # what is made once for all sessions
        gc.collect()
        gc.disable()
        try:
            session = await hold()
            await LoopClock().sleep(1.0)
            assert session() is None
            return gc.collect()
        finally:
            gc.enable()

    return run_virtual(twice())


def lasting(seconds: float) -> Run:
    async def run(session: Session) -> None:
        async with session:
            await session.clock.sleep(seconds)

    return run


@pytest.mark.parametrize(
    "seconds", [0.0, 0.5, 2.5, 8.0], ids=["at once", "greeting", "in a turn", "after it"]
)
def test_a_call_leaves_nothing_to_be_collected(seconds: float) -> None:
    says = [[ToolCall("1", "look", "{}")], "I have seen it."]
    agent = Agent(
        "Be brief.", tools=[look], greeting="Hello.", **services(["What do you see?"] * 2, [*says, *says])
    )
    assert collected(lambda: caller(agent), lasting(seconds)) < 8, "what msgspec leaves of a tool's arguments"


def test_a_session_that_never_starts_is_freed() -> None:
    async def cancel(session: Session) -> None:
        await session.cancel()

    agent = Agent("Be brief.", **services())
    assert collected(lambda: caller(agent), cancel) == 0


def test_a_web_client_leaves_nothing_to_be_collected() -> None:
    agent = Agent("Be brief.", greeting="Hello.", **services())

    def make() -> Session:
        client = WireClient()
        client.ready()
        return agent.session(Websocket(client))

    assert collected(make, lasting(1.0)) == 0
