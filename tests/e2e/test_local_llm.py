"""The local language model: conforms to its port, calls a tool, and goes on in words."""

import asyncio

import pytest

from antiphon.conversation.context import Context, UserSaid
from antiphon.frames import ToolCall
from antiphon.services.ports import TextDelta
from antiphon.testing.check_llm import TOOL, check_llm
from antiphon.testing.virtual import run_virtual
from antiphon.vendors.local.llm import Llama

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


def test_virtual_time_gives_the_same_words_and_takes_none() -> None:
    async def answer() -> tuple[str, float]:
        context = Context(SHOP, (UserSaid("Do you sell helmets?"),))
        items = [item async for item in Llama().generate(context)]
        text = "".join(item.text for item in items if isinstance(item, TextDelta))
        return text, asyncio.get_running_loop().time()

    first, again = run_virtual(answer()), run_virtual(answer())
    assert first == again
    assert first[0]
    assert first[1] == 0
