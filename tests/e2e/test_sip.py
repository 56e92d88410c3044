"""A call over SIP: sipp is the caller's telephone, and this test speaks and hears its audio."""

import asyncio
import shutil
import socket
import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from antiphon.agent import Agent
from antiphon.audio.g711 import decode_mulaw, encode_mulaw
from antiphon.audio.levels import rms
from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.frames import AgentKeys, UserKey
from antiphon.processor import Processor, on
from antiphon.session import Session
from antiphon.testing import LoudVAD, ScriptedLLM, ScriptedSTT, ScriptedTTS
from antiphon.transports.sip import Endpoint, SIPSettings

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="no sipp: apt-get install sip-tester"),
]

SCENARIO = Path(__file__).parents[1] / "assets" / "caller.sipp.xml"


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Telephone(asyncio.DatagramProtocol):
    """Speaks RTP with G.711: a tone while `speaks`, else silence; keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, int, bytes]] = []  # when, sequence number, samples
        self.pressed: list[int] = []  # telephone events that were heard
        self.speaks = False
        self.keys: list[int] = []  # of telephone events, to be pressed next
        self._peer: tuple[str, int] | None = None
        self._sent = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._peer = addr
        kind, sequence = data[1] & 0x7F, struct.unpack(">H", data[2:4])[0]
        if kind == 0:
            self.heard.append((asyncio.get_running_loop().time(), sequence, decode_mulaw(data[12:])))
        elif kind == 101 and data[12] not in self.pressed:
            self.pressed.append(data[12])

    async def talk(self) -> None:
        loop = asyncio.get_running_loop()
        begun, count = loop.time(), 0
        while True:
            await asyncio.sleep(max(0.0, begun + count * 0.02 - loop.time()))
            count += 1
            if self._peer is None:
                continue
            if self.keys:
                key = self.keys.pop(0)
                for end in (0, 0, 0x80, 0x80, 0x80):  # RFC 4733: the last packet three times
                    self._send(101, struct.pack(">BBH", key, end | 10, 800), mark=not end)
            pcm = struct.pack("<160h", *([8000, -8000] * 80)) if self.speaks else bytes(320)
            self._send(0, encode_mulaw(pcm))

    def _send(self, kind: int, payload: bytes, *, mark: bool = False) -> None:
        self._sent += 1
        head = struct.pack(">BBHII", 0x80, kind | (0x80 if mark else 0), self._sent, self._sent * 160, 7)
        self._transport.sendto(head + payload, self._peer)


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


async def call(agent: Agent, telephone: Telephone, *keys: int) -> tuple[Session, Keys]:
    """One call of the scenario's length: the caller says something at 1.5 s, or presses keys."""
    sip, rtp = free_port(), free_port()
    loop = asyncio.get_running_loop()
    socket_, _ = await loop.create_datagram_endpoint(lambda: telephone, local_addr=("127.0.0.1", rtp))
    pressed = Keys()
    async with Endpoint(SIPSettings(listen=f"127.0.0.1:{sip}", codecs=("pcmu",))) as endpoint:
        sipp = await asyncio.create_subprocess_exec(
            *("sipp", f"127.0.0.1:{sip}", "-sf", str(SCENARIO), "-m", "1", "-i", "127.0.0.1", "-nostdin"),
            *("-key", "rtp", str(rtp), "-timeout", "20", "-p", str(free_port())),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        talking = asyncio.create_task(telephone.talk())
        async with asyncio.timeout(20):
            ringing = await anext(endpoint.calls())
            line = await ringing.answer()
            assert "+4930123" in line.caller
            first, *rest = agent.pipeline(line)
            session = Session([first, pressed, *rest])
            async with session:
                if keys:
                    loop.call_later(0.5, telephone.keys.extend, keys)
                    loop.call_later(1.0, session.send, AgentKeys("1*"))
                else:
                    loop.call_later(1.5, setattr, telephone, "speaks", True)
                    loop.call_later(2.2, setattr, telephone, "speaks", False)
                await session.wait()
        talking.cancel()
        socket_.close()
        assert await sipp.wait() == 0, "sipp found the call wrong"
    return session, pressed


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
    stt, telephone = ScriptedSTT(["what are your hours"]), Telephone()
    session, _ = asyncio.run(call(agent(stt), telephone))

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
    telephone = Telephone()
    _, pressed = asyncio.run(call(agent(ScriptedSTT([])), telephone, 5, 11))
    assert pressed.pressed == "5#"
    assert telephone.pressed == [1, 10], "the agent pressed 1 and *"


def test_what_cannot_be_set_up_is_said() -> None:
    with pytest.raises(ConfigurationError, match="address:port"):
        SIPSettings(listen="everywhere")

    async def nobody() -> None:
        async with Endpoint(SIPSettings(listen=f"127.0.0.1:{free_port()}")) as endpoint:
            with pytest.raises(UnavailableError, match="did not take the call"):
                await endpoint.dial(f"sip:nobody@127.0.0.1:{free_port()}", within=2)

    asyncio.run(nobody())
