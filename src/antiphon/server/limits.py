"""How much one address may ask for, and how long a body may be."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address

from starlette.requests import ClientDisconnect, Request

from .hosting import Refused

__all__ = ["Rates", "read_body"]

MOST = 10_000  # addresses that are remembered; of more, the one that was silent longest is forgotten
SLOWEST = 10.0  # seconds that a body may take to arrive


class Rates:
    """For each address a bucket of `burst` tokens, which fills by `per_minute`."""

    def __init__(self, per_minute: int, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._burst = burst
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (tokens, when)

    def take(self, address: str) -> None:
        """Take a token of this address. Raises Refused where there is none."""
        now, name = self._now(), _network(address)
        held, when = self._buckets.pop(name, (float(self._burst), now))
        held = min(self._burst, held + (now - when) * self._per_second)
        self._buckets[name] = (held - 1 if held >= 1 else held, now)
        if len(self._buckets) > MOST:
            self._buckets.popitem(last=False)
        if held < 1:
            raise Refused(429, "too many requests from your address", (1 - held) / self._per_second)

    def __len__(self) -> int:
        return len(self._buckets)


def _network(address: str) -> str:
    """Whom an address stands for: of IPv6 the half that a provider gives to one customer."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or found.exploded[:19])
    return address


async def read_body(request: Request, most: int) -> bytes:
    """The body of a request. Raises Refused for one of more than `most` bytes, or that does not arrive."""
    too_long = Refused(413, f"the body is too long: {most} bytes at most")
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > most:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(SLOWEST):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise too_long
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {SLOWEST:g} s") from None
    except ClientDisconnect:
        raise Refused(400, "the body was broken off") from None
    return bytes(body)
