"""The telephone keeps what the port of transports promises, with every provider's codec."""

from collections.abc import Callable, Sequence
from typing import Any

from antiphon.clock import LoopClock
from antiphon.testing import FarSide, check_transport, run_virtual
from antiphon.transports.port import Transport
from antiphon.transports.telephony.providers import provider
from antiphon.transports.telephony.transport import Telephone

sleep = LoopClock().sleep
"""Waits in virtual time."""


class CallerSide(FarSide):
    """The far end of a call, as a provider's media stream."""

    def __init__(self, far: Any, answered: Callable[..., Any]) -> None:
        self.far, self.sample_rate = far, far.rate
        self.leaves = far.leaves is not None
        self._answered = answered
        self._numbers = 0

    async def connect(self) -> Transport:
        self.call = await self._answered(self.far)  # which is put in a session of its own
        codec = provider(self.far.name).codec()
        for message in self.far.hello:
            codec.feed(message)
        self.telephone = Telephone(codec, self.call.wire, self.call.telephone.call, credentials={})
        return self.telephone

    async def talk(self, pcm: bytes) -> None:
        size = self.sample_rate // 50 * 2
        for begun in range(0, len(pcm), size):
            await sleep(0.02)
            self._numbers += 1
            self.call.wire.put(self.far.says(pcm[begun : begun + size], self._numbers))

    def _read(self, kind: str) -> list[tuple[float, Any]]:
        read = [(at, *self.far.reads(message)) for at, message in self.call.wire.sent]
        return [(at, what) for at, sent, what in read if sent == kind]

    @property
    def heard(self) -> Sequence[tuple[float, float]]:
        rate = self.telephone.sample_rate
        return [(at, len(pcm) / 2 / rate) for at, pcm in self._read("audio")]

    @property
    def cleared(self) -> Sequence[float]:
        return [at for at, _ in self._read("clear")]

    async def closed(self) -> None:
        await self.telephone.close()

    def leave(self) -> None:
        self.call.wire.put(self.far.leaves)


def test_telephones_conform(far: Any, answered: Callable[..., Any]) -> None:
    run_virtual(check_transport(lambda: CallerSide(far, answered)))
