"""Calls over SIP: sipp is the caller's telephone, and this test speaks and hears its audio."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from antiphon import Agent
from antiphon.audio.levels import rms
from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.frames import AgentKeys, Failed, SessionEnded, Transfer, UserKey
from antiphon.processor import Processor, on
from antiphon.session import Session
from antiphon.testing import LoudVAD, ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.testing.softphone import SoftphoneMedia, free_port
from antiphon.transports.sip import Endpoint, SIPSettings

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="no sipp: apt-get install sip-tester"),
]

ASSETS = Path(__file__).parents[1] / "assets"


class LevelVAD(LoudVAD):
    """What is louder than -40 dB is speech: a telephone's silence is not quite zero."""

    async def detect(self, audio: AsyncIterator[bytes]) -> AsyncIterator[float]:
        async for window in audio:
            yield float(rms(window) > -40)


class Keys(Processor):
    """Keeps the keys that the caller pressed."""

    def __init__(self) -> None:
        self.pressed = ""

    @on(UserKey)
    def key(self, frame: UserKey) -> None:
        self.pressed += frame.key


async def call(
    agent: Agent,
    telephone: SoftphoneMedia,
    *keys: int,
    scenario: str = "caller",
    outcome: str = "",
    sends: Transfer | None = None,
) -> tuple[Session, Keys, list[str]]:
    """One call of the scenario's length: the caller says something at 1.5 s, or presses keys.

    Gives the session, the keys, and all that failed or ended.
    """
    sip = free_port()
    loop = asyncio.get_running_loop()
    socket_, _ = await loop.create_datagram_endpoint(lambda: telephone, local_addr=("127.0.0.1", 0))
    pressed, told = Keys(), list[str]()
    async with Endpoint(SIPSettings(listen=f"127.0.0.1:{sip}", codecs=("pcmu",))) as endpoint:
        sipp = await asyncio.create_subprocess_exec(
            *("sipp", f"127.0.0.1:{sip}", "-sf", str(ASSETS / f"{scenario}.sipp.xml"), "-m", "1"),
            *("-i", "127.0.0.1", "-p", str(free_port()), "-nostdin", "-timeout", "20"),
            *("-key", "rtp", str(telephone.port), "-key", "outcome", outcome),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        talking = asyncio.create_task(telephone.talk())
        async with asyncio.timeout(20):
            ringing = await anext(endpoint.calls())
            assert ringing.called == "service"
            line = await ringing.answer()
            assert "+4930123" in line.caller
            first, *rest = agent.pipeline(line)
            session = Session([first, pressed, *rest])
            session.on(Failed, lambda failed: told.append(failed.message))
            session.on(SessionEnded, lambda ended: told.append(ended.reason))
            async with session:
                if sends is not None:
                    loop.call_later(1.0, session.send, sends)
                elif keys:
                    loop.call_later(0.5, telephone.keys.extend, keys)
                    loop.call_later(1.0, session.send, AgentKeys("1*"))
                else:
                    loop.call_later(1.5, setattr, telephone, "speaks", True)
                    loop.call_later(2.2, setattr, telephone, "speaks", False)
                await session.wait()
        talking.cancel()
        socket_.close()
        assert await sipp.wait() == 0, "sipp found the call wrong"
    return session, pressed, told


def agent(stt: ScriptedSTT) -> Agent:
    return Agent(
        "You are brief.",
        stt=stt,
        llm=ScriptedLLM(["Nine to five."]),
        tts=ScriptedTTS(),
        vad=LevelVAD(),
        eot=None,
        greeting="Hello there.",
    )


def test_a_call_is_answered_heard_and_ended() -> None:
    stt, telephone = ScriptedSTT(["what are your hours"]), SoftphoneMedia()
    session, _, _ = asyncio.run(call(agent(stt), telephone))

    assert session.state == "ended"
    assert stt.heard_bytes, "the caller's tone reached the recogniser"
    assert 0.4 < stt.heard_bytes[0] / 2 / stt.sample_rate < 1.6
    numbers = [sequence for _, sequence, _ in telephone.heard]
    assert len(numbers) >= 150
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "no packet is missing or twice"
    loud = [at - telephone.heard[0][0] for at, _, pcm in telephone.heard if rms(pcm) > -40]
    assert loud and loud[0] < 1.0, "the greeting comes at once"
    assert loud[-1] > 2.2, "and the answer after what was said"


def test_keys_go_both_ways() -> None:
    telephone = SoftphoneMedia()
    _, pressed, _ = asyncio.run(call(agent(ScriptedSTT([])), telephone, 5, 11))
    assert pressed.pressed == "5#"
    assert telephone.pressed == [1, 10], "the agent pressed 1 and *"


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ("200 OK", ["transferred to sip:desk@127.0.0.1:9"]),
        ("486 Busy Here", ["486 Busy Here", "the caller hung up"]),
        ("503 Service Unavailable", ["503 Service Unavailable", "the caller hung up"]),
    ],
)
def test_a_call_is_handed_on_or_goes_on(outcome: str, told: list[str]) -> None:
    telephone, to = SoftphoneMedia(), "sip:desk@127.0.0.1:9"
    transferred = call(
        agent(ScriptedSTT([])), telephone, scenario="transferred", outcome=outcome, sends=Transfer(to)
    )
    _, _, heard = asyncio.run(transferred)
    assert len(heard) == len(told)
    assert all(part in whole for part, whole in zip(told, heard, strict=True))


def test_what_cannot_be_set_up_is_said() -> None:
    with pytest.raises(ConfigurationError, match="address:port"):
        SIPSettings(listen="everywhere")

    async def nobody() -> None:
        async with Endpoint(SIPSettings(listen=f"127.0.0.1:{free_port()}")) as endpoint:
            with pytest.raises(UnavailableError, match="did not take the call"):
                await endpoint.dial(f"sip:nobody@127.0.0.1:{free_port()}", within=2)

    asyncio.run(nobody())
