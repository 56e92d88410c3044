"""Limits on what clients may send, and how often.

They cover the requests and sessions of one address, the spacing of offers, the pace of a connection, and the
size of a body.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from ipaddress import IPv6Address, ip_address

from starlette.requests import ClientDisconnect, Request

from .port import Refused
from .settings import is_loopback

__all__ = ["AddressShare", "RateLimit", "ReadRate", "Throttle", "read_body"]

MOST_ADDRESSES = 10_000  # whose buckets are kept; beyond that, the least recently seen one is dropped
BODY_WITHIN = 10.0  # seconds for a body to arrive


class RateLimit:
    """One token bucket per address: `burst` tokens, refilled at `per_minute`."""

    def __init__(self, per_minute: int, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._burst = burst
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (tokens, counted when)

    def spend(self, address: str) -> None:
        """Spend one token of this address. Raises Refused if none is left."""
        now, name = self._now(), _network(address)
        held, when = self._buckets.pop(name, (float(self._burst), now))
        held = min(self._burst, held + (now - when) * self._per_second)
        self._buckets[name] = (held - 1 if held >= 1 else held, now)
        if len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        if held < 1:
            raise Refused(429, "too many requests from your address", (1 - held) / self._per_second)

    def __len__(self) -> int:
        return len(self._buckets)


class AddressShare:
    """The limit of concurrent sessions per address.

    At most `most` sessions per address, `half_open` of them not yet connected; `most=0` disables the limit.
    Loopback addresses and sessions without an address (None) are not limited.
    """

    def __init__(self, most: int, half_open: int) -> None:
        self._most = most
        self._half_open = half_open
        self._sessions: dict[str, set[str]] = {}  # by network
        self._network_of: dict[str, str] = {}  # by session

    def check(self, address: str | None, unconnected: Collection[str] = ()) -> None:
        """Raise Refused if an address has reached its limit of sessions.

        `unconnected`: the half-open sessions of all addresses; give it to check the half-open limit, too.
        """
        if not self._most or address is None or is_loopback(address):
            return
        own = self._sessions.get(_network(address), set())
        if len(own) >= self._most or (unconnected and len(own & set(unconnected)) >= self._half_open):
            raise Refused(
                429, "your address has reached its limit of sessions: end one, or try again later", 5
            )

    def reserve(self, session: str, address: str | None) -> None:
        """Count a session for this address."""
        if address is not None:
            self._network_of[session] = network = _network(address)
            self._sessions.setdefault(network, set()).add(session)

    def release(self, session: str) -> None:
        """Stop counting a session; does nothing if it is not counted."""
        network = self._network_of.pop(session, "")
        if own := self._sessions.get(network):
            own.discard(session)
            if not own:
                del self._sessions[network]

    def __len__(self) -> int:
        return len(self._network_of)


class ReadRate:
    """A measure of how far a sender exceeds a rate.

    `rate` is in bytes a second. The first `burst` bytes are free.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._spent, self._spent_at = 0.0, 0.0

    def spend(self, cost: float, now: float) -> float:
        """Count received bytes, and return the seconds for which to stop reading.

        Returns 0 if the sender is within its rate.
        """
        self._spent = max(0.0, self._spent - (now - self._spent_at) * self._rate) + cost
        self._spent_at = now
        return max(0.0, (self._spent - self._burst) / self._rate)


class Throttle:
    """A queue that lets callers pass in order, at least `pause` seconds apart."""

    def __init__(self, pause: float, longest: float = math.inf) -> None:
        self._pause = pause
        self._longest = longest
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for this caller's turn.

        Raises Refused at once if that would take more than `longest` seconds.
        """
        now = asyncio.get_running_loop().time()
        turn = max(self._next, now)
        if turn - now > self._longest:
            raise Refused(429, "too many clients are connecting at once: try again in a moment", turn - now)
        self._next = turn + self._pause
        if turn > now:
            await asyncio.sleep(turn - now)


def _network(address: str) -> str:
    """Return what counts as one address: the IPv4 address, or the /64 of an IPv6 one.

    An IPv6 customer is usually given a whole /64.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or found.exploded[:19])
    return address


async def read_body(request: Request, most: int) -> bytes:
    """Return the body of a request.

    Raises Refused if it exceeds `most` bytes or does not arrive in time.
    """
    too_long = Refused(413, f"the body is too long: {most} bytes at most")
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and int(length[:20]) > most:
        raise too_long
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN):
            async for piece in request.stream():
                body += piece
                if len(body) > most:
                    raise too_long
    except TimeoutError:
        raise Refused(408, f"the body did not arrive within {BODY_WITHIN:g} s") from None
    except ClientDisconnect:
        raise Refused(400, "the client disconnected before the body was complete") from None
    return bytes(body)
