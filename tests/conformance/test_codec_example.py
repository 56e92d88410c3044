"""The guides' vendor over a websocket, against its protocol on loopback; and the agent with a spare voice."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any

import pytest

from antiphon.errors import AuthenticationError, UnavailableError
from antiphon.frames import Failed, ReplyEnded
from antiphon.services.ports import Speech, Word
from antiphon.testing import ScriptedLLM, ScriptedSTT, ScriptedTTS, check_tts, virtual
from antiphon.testing.assertions import HeldCall
from antiphon.testing.loopback import KEY, Fault, VendorServer
from antiphon.testing.loopback.server import Connection, spoken
from antiphon.transports.loopback import Loopback

from .test_examples import example


class GramophoneServer(VendorServer):
    """Speaks what is flushed, and forgets what is cleared."""

    def check(self, path: str, query: Mapping[str, str], headers: Mapping[str, str]) -> None:
        assert path == "/v1/speak", path
        assert query == {"model": "shellac", "voice": "nipper", "sample_rate": "24000"}, query
        assert headers["authorization"] == f"Bearer {KEY}"

    async def talk(self, connection: Connection) -> None:
        waiting = ""
        async for message in connection:
            match message:
                case {"type": "text", "text": str(text)}:
                    waiting += text
                case {"type": "flush"}:
                    for pcm in spoken(waiting, 24000):
                        await connection.send(pcm)
                    await connection.send({"type": "flushed"})
                    waiting = ""
                case {"type": "end"}:
                    await connection.send({"type": "ended"})
                case {"type": "clear"}:
                    self.cancelled += 1
                    waiting = ""
                    await connection.send({"type": "cleared"})
                case _:
                    raise AssertionError(f"not a message of the protocol: {message}")


def test_the_gramophone_conforms() -> None:
    gramophone: Any = example("gramophone")

    async def run() -> None:
        async with GramophoneServer() as vendor:
            await check_tts(lambda: gramophone.Gramophone(key=KEY, base_url=vendor.url))
            assert vendor.cancelled, "a cancelled reply went on at the vendor"

    asyncio.run(run())


def test_a_refused_key_is_named() -> None:
    gramophone: Any = example("gramophone")

    async def text() -> AsyncIterator[str]:
        yield "Good day."

    async def run() -> None:
        async with GramophoneServer(Fault.REFUSED) as vendor:
            service = gramophone.Gramophone(key=KEY, base_url=vendor.url)
            with pytest.raises(AuthenticationError, match="GRAMOPHONE_API_KEY"):
                await anext(aiter(service.speak(text())))
            await service.close()

    asyncio.run(run())


class BrokenVoice(ScriptedTTS):
    async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
        raise UnavailableError("no voice today")
        yield


@virtual
async def test_the_spare_voice_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    failover: Any = example("failover")
    monkeypatch.setattr(failover, "SPARE", ScriptedTTS())
    services = {"stt": ScriptedSTT([]), "llm": ScriptedLLM([]), "vad": None, "eot": None}
    agent = failover.WithSpareVoice("Be brief.", tts=BrokenVoice(), greeting="Good day.", **services)
    async with HeldCall(agent.pipeline(Loopback(16000))) as call:
        await call.session.clock.sleep(5)
    assert [ended.heard for ended in call.all(ReplyEnded)] == ["Good day."]
    assert [failed.recovered for failed in call.all(Failed)] == [True]
