"""The local language model: conforms to its port, calls a tool, and goes on in words."""

import asyncio
import subprocess
import sys
from itertools import pairwise

import pytest

from antiphon.context import AgentSaid, Context, Entry, UserSaid
from antiphon.frames import ToolCall
from antiphon.services.ports import TextDelta, TokenUsage
from antiphon.testing import check_llm
from antiphon.testing.conformance.llm import TOOL
from antiphon.testing.virtual import run_virtual
from antiphon.vendors.local.llm import Llama
from antiphon.vendors.local.meaning import MODEL
from antiphon.vendors.local.routing import LastExchange, needed_tool

pytestmark = pytest.mark.e2e

SHOP = "You answer the phone of a bicycle shop. One or two short sentences."


def test_conforms() -> None:
    asyncio.run(check_llm(Llama))


def test_small_talk_calls_no_tool() -> None:
    async def answer() -> list[object]:
        return [item async for item in Llama().generate(Context(SHOP, (UserSaid("How are you?"),), (TOOL,)))]

    items = asyncio.run(answer())
    assert not any(isinstance(item, ToolCall) for item in items)
    assert any(isinstance(item, TextDelta) for item in items)


@pytest.mark.parametrize(
    ("said", "called"),
    [
        ("When are you open on Monday?", True),
        ("uh what time do you close on friday", True),
        ("We are sure that one war is enough.", False),
        ("How do I choose a good bike?", False),
        ("Thanks, bye.", False),
    ],
)
def test_a_tool_is_needed_for_what_it_is_about(said: str, called: bool) -> None:
    async def needed() -> bool:
        model = await MODEL.get()
        return needed_tool((TOOL,), LastExchange(newest=said), model) is not None

    assert asyncio.run(needed()) == called


def test_a_dropped_early_reply_leaves_what_was_read() -> None:
    """The turn that comes instead reads no more than what is new in it, whenever the reply was dropped."""
    long = f"{SHOP} {' '.join(f'Model number {n} costs {n * 70} euros.' for n in range(1, 13))}"
    before = (UserSaid("Do you sell bells?"), AgentSaid("Yes, we have many bells."))

    async def dropped(model: Llama, said: str, turns: int) -> None:
        """Stop the reading of a reply after some turns of the loop."""
        reading = asyncio.create_task(usage(model, said))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    async def usage(model: Llama, said: str) -> TokenUsage:
        context = Context(long, (*before, UserSaid(said)))
        (used,) = [item async for item in model.generate(context) if isinstance(item, TokenUsage)]
        return used

    async def talk() -> list[TokenUsage]:
        model = Llama(max_tokens=40)
        await usage(model, "Good.")
        usages: list[TokenUsage] = []
        for turns, said in enumerate(("And on Sunday?", "What is a good tire?", "Where are you?"), start=2):
            await dropped(model, "Sorry, wait a moment, how do I choose a touring bike?", turns)
            usages.append(await usage(model, said))
        return usages

    for used in asyncio.run(talk()):
        assert used.read > 150
        assert used.read - used.cached < 32, "the beginning was read again"


def test_after_a_barge_in_the_answer_is_whole() -> None:
    async def answer() -> str:
        said = AgentSaid("To choose a good bike, think about where you", interrupted=True)
        entries = (UserSaid("How do I choose a good bike?"), said, UserSaid("Do you sell helmets, too?"))
        items = [item async for item in Llama().generate(Context(SHOP, entries, (TOOL,)))]
        assert not any(isinstance(item, ToolCall) for item in items)
        return "".join(item.text for item in items if isinstance(item, TextDelta))

    said = asyncio.run(answer())
    assert said.endswith((".", "!", "?"))
    assert "..." not in said


def test_virtual_time_gives_the_same_words_and_takes_none() -> None:
    async def answer() -> tuple[str, float]:
        context = Context(SHOP, (UserSaid("Do you sell helmets?"),))
        items = [item async for item in Llama().generate(context)]
        text = "".join(item.text for item in items if isinstance(item, TextDelta))
        return text, asyncio.get_running_loop().time()

    run_virtual(answer())  # a prompt that is in memory is computed in other batches, and rounded otherwise
    first, again = run_virtual(answer()), run_virtual(answer())
    assert first == again
    assert first[0]
    assert first[1] == 0


QUIETLY = """
import asyncio, os, signal
from pathlib import Path
from antiphon.context import Context, UserSaid
from antiphon.vendors.local.llm import Llama

def listening():
    lines = [line.split() for file in ("tcp", "tcp6") for line in Path("/proc/net", file).open()]
    sockets = {os.readlink(fd) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink() and fd.exists()}
    return [line for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in sockets]

async def main():
    async for _ in Llama(max_tokens=5).generate(Context("Be brief.", (UserSaid("Hello?"),))):
        pass

asyncio.run(main())
assert not listening(), listening()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_it_is_quiet_opens_no_port_and_leaves_signals_alone() -> None:
    done = subprocess.run([sys.executable, "-c", QUIETLY], capture_output=True, text=True, timeout=120)
    assert (done.stderr, done.stdout, done.returncode) == ("", "interrupted\n", 0)


def test_a_conversation_longer_than_the_memory_goes_on() -> None:
    async def talk() -> list[TokenUsage]:
        model = Llama(max_tokens=24, context_tokens=512, slots=1)
        entries: tuple[Entry, ...] = (UserSaid("Hello?"),)
        usages: list[TokenUsage] = []
        for number in range(16):
            items = [item async for item in model.generate(Context(SHOP, entries))]
            text = "".join(item.text for item in items if isinstance(item, TextDelta))
            assert text.strip()
            usages += [item for item in items if isinstance(item, TokenUsage)]
            entries = (*entries, AgentSaid(text), UserSaid(f"Number {number}: do you like rain?"))
        return usages

    usages = asyncio.run(talk())
    assert max(usage.read for usage in usages) < 512
    assert min(later.read - usage.read for usage, later in pairwise(usages)) < 0, "nothing was left out"
    assert max(usage.read - usage.cached for usage in usages[1:]) < 64, "what is known was read again"
