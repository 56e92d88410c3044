"""How much one address may ask for and have, and how long a body may be."""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from ipaddress import IPv6Address, ip_address

from starlette.requests import ClientDisconnect, Request

from .host import Refused
from .settings import is_loopback

__all__ = ["AddressShare", "RateLimit", "Throttle", "read_body"]

MOST = 10_000  # addresses that are remembered; of more, the one that was silent longest is forgotten
SLOWEST = 10.0  # seconds that a body may take to arrive


class RateLimit:
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


class AddressShare:
    """How many sessions each address has: `most` at the same time, of which so many `half_open`; 0 is any.

    This machine's own address may have any number, and so may who has none that counts.
    """

    def __init__(self, most: int, half_open: int) -> None:
        self._most = most
        self._half_open = half_open
        self._has: dict[str, set[str]] = {}  # the sessions of each network
        self._of: dict[str, str] = {}

    def check(self, address: str | None, pending: Collection[str] = ()) -> None:
        """Raises Refused where an address has all that it may; `pending` are all that nobody has come to."""
        if not self._most or address is None or is_loopback(address):
            return
        has = self._has.get(_network(address), set())
        if len(has) >= self._most or (pending and len(has & set(pending)) >= self._half_open):
            raise Refused(429, "your address has as many sessions as it may: end one, or try again later", 5)

    def take(self, session: str, address: str | None) -> None:
        """A session of this address begins."""
        if address is not None:
            self._of[session] = network = _network(address)
            self._has.setdefault(network, set()).add(session)

    def leave(self, session: str) -> None:
        """It is over."""
        network = self._of.pop(session, "")
        if has := self._has.get(network):
            has.discard(session)
            if not has:
                del self._has[network]

    def __len__(self) -> int:
        return len(self._of)


class Throttle:
    """Lets one after another through, in the order in which they came, with a pause between them."""

    def __init__(self, pause: float, longest: float = math.inf) -> None:
        self._pause = pause
        self._longest = longest
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for one's turn, where somebody came just before. Raises Refused if it is `longest` away."""
        now = asyncio.get_running_loop().time()
        mine = max(self._next, now)
        if mine - now > self._longest:
            raise Refused(429, "too many connect at once: try again in a moment", mine - now)
        self._next = mine + self._pause
        if mine > now:
            await asyncio.sleep(mine - now)


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
