"""Offers that were damaged in every way: each is answered or refused, and nothing else comes of it."""

import asyncio
import gc
import logging
import random
import re
from typing import Any

import aiortc
import pytest

from antiphon.errors import UsageError
from antiphon.transports.webrtc import WebRTC

OFFERS = 400
AT_ONCE = 40
NASTY = [
    "",
    "0",
    "-1",
    "9" * 20,
    "a" * 300,
    "\0",
    "::",
    "é",
    "1/2/3",
    "application",
    "audio",
    "*",
    " ",
    "passive",
]


def damaged(sdp: str, chance: random.Random) -> str:
    """The offer with one to five lines lost, doubled, moved, cut, or with other words or numbers in them."""
    lines = sdp.split("\r\n")
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(lines))
        line, cut = lines[at], chance.randrange(len(lines[at]) + 1)
        words = line.split(" ")
        words[chance.randrange(len(words))] = chance.choice(NASTY)
        digits = "".join(chance.choice("0123456789") if one.isdigit() else one for one in line)
        lines[at : at + 1] = chance.choice(
            [
                [],
                [line, line],
                [line[:cut]],
                [" ".join(words)],
                [line[:cut] + chance.choice(NASTY) + line[cut:]],
                [line.partition(":")[0] + ":" + chance.choice(NASTY)],
                [digits],
                [chance.choice(lines), line],
            ]
        )
        lines = lines if chance.random() < 0.95 else lines[:at]
        lines = lines or ["v=0"]
    return "\r\n".join(lines)


async def intact() -> list[str]:
    """The offers of clients with and without a camera, a screen and a microphone."""
    offers: list[str] = []
    for kinds in (["audio"], ["audio", "video", "video"], []):
        client = aiortc.RTCPeerConnection()
        for kind in kinds:
            client.addTransceiver(kind)
        client.createDataChannel("messages")
        await client.setLocalDescription(await client.createOffer())
        offers.append(client.localDescription.sdp)
        await client.close()
    return offers


def known(sdp: str) -> list[tuple[str, str, bool]]:
    """Offers, each with another one for its connection, that once did harm."""
    lines = sdp.split("\r\n")
    first, second = (line for line in lines if line.startswith("a=mid:"))
    without_mid = [line for line in lines if line != second]
    without_mid.insert(without_mid.index(first), second)
    unsigned = [line for line in lines if not line.startswith("a=fingerprint")]
    far = re.sub(r"(a=candidate:.*) \d+ typ", r"\1 70000 typ", sdp)
    again = ["\r\n".join(without_mid), "\r\n".join(unsigned), far]
    return [*((sdp, one, False) for one in again), (far, "", False)]


async def answered(sdp: str, again: str, restart: bool) -> bool:
    """Whether an offer, and another one for its connection if it is not "", were answered."""
    line = WebRTC()
    try:
        await line.offer({"sdp": sdp, "type": "offer", "pc_id": None})
        if again:
            more = {"sdp": again, "type": "offer", "pc_id": line.pc_id, "restart_pc": restart}
            await line.offer(more)
            await asyncio.sleep(0)
    except UsageError as error:
        assert str(error)
        return False
    finally:
        await line.close()
    return True


def test_damaged_offers_are_answered_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    chance, lost = random.Random(8), list[dict[str, Any]]()

    async def main() -> list[bool]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
        offers, doors = await intact(), asyncio.Semaphore(AT_ONCE)

        async def one(sdp: str, again: str, restart: bool) -> bool:
            async with doors:
                return await answered(sdp, again, restart)

        def pair() -> tuple[str, str, bool]:
            sdp = damaged(chance.choice(offers), chance)
            return sdp, chance.choice(["", damaged(sdp, chance)]), chance.random() < 0.5

        chances = [pair() for _ in range(OFFERS)]
        found = await asyncio.gather(*(one(*both) for both in [*known(offers[0]), *chances]))
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left)  # pyright: ignore[reportArgumentType]
        gc.collect()  # tells of tasks whose exception was never retrieved
        return found

    with caplog.at_level(logging.WARNING):
        found = asyncio.run(main())
    assert OFFERS / 5 < sum(found) < OFFERS * 4 / 5, "both ways were tried"
    assert lost == []
    assert caplog.text == ""
