"""What one address may ask for."""

import asyncio

import pytest

from antiphon.clock import LoopClock
from antiphon.server.limits import MOST_ADDRESSES, AddressShare, RateLimit, Throttle
from antiphon.server.port import Refused
from antiphon.testing.virtual import virtual


def test_a_burst_and_then_so_many_a_minute() -> None:
    now = 0.0
    rates = RateLimit(60, 10, lambda: now)
    for _ in range(10):
        rates.spend("192.0.2.1")
    with pytest.raises(Refused) as refused:
        rates.spend("192.0.2.1")
    assert refused.value.status == 429
    assert refused.value.retry_after == pytest.approx(1.0)
    rates.spend("192.0.2.2")  # others are not disturbed
    now = 1.0
    rates.spend("192.0.2.1")
    with pytest.raises(Refused):
        rates.spend("192.0.2.1")
    now = 3600.0
    for _ in range(10):  # no more than the burst, however long it was silent
        rates.spend("192.0.2.1")
    with pytest.raises(Refused):
        rates.spend("192.0.2.1")


def test_one_customer_of_ipv6_is_one_address() -> None:
    rates = RateLimit(60, 2, lambda: 0.0)
    rates.spend("2001:db8:1:2::1")
    rates.spend("2001:db8:1:2:ffff::2")
    with pytest.raises(Refused):
        rates.spend("2001:db8:1:2:3::3")
    rates.spend("2001:db8:1:3::1")
    rates.spend("::ffff:192.0.2.1")
    rates.spend("192.0.2.1")
    with pytest.raises(Refused):
        rates.spend("192.0.2.1")


def test_memory_is_bounded() -> None:
    rates = RateLimit(60, 2, lambda: 0.0)
    for number in range(3 * MOST_ADDRESSES):
        rates.spend(f"host {number}")
    assert len(rates) == MOST_ADDRESSES


def test_an_address_has_so_many_sessions_and_no_more() -> None:
    places = AddressShare(3, 2)
    for session in ("a", "b"):
        places.check("2001:db8:1:2::1")
        places.reserve(session, "2001:db8:1:2::1")
    places.check("2001:db8:1:2::2", unconnected=["a", "x", "y", "z"])
    with pytest.raises(Refused) as refused:
        places.check("2001:db8:1:2::2", unconnected=["a", "b"])
    assert (refused.value.status, refused.value.retry_after) == (429, 5)
    places.reserve("c", "2001:db8:1:2::3")
    with pytest.raises(Refused):
        places.check("2001:db8:1:2::1")
    places.check("2001:db8:1:3::1")  # others are not disturbed
    places.release("a")
    places.release("a")
    places.check("2001:db8:1:2::1")
    for session in ("b", "c", "never"):
        places.release(session)
    assert len(places) == 0


@pytest.mark.parametrize(("most", "address"), [(1, "127.0.0.1"), (1, "::1"), (1, None), (0, "192.0.2.1")])
def test_some_may_have_any_number(most: int, address: str | None) -> None:
    places = AddressShare(most, most)
    for session in ("a", "b"):
        places.reserve(session, address)
    places.check(address, unconnected=["a", "b"])


@virtual
async def test_one_after_another_is_let_through() -> None:
    spacing, loop, came = Throttle(0.5), asyncio.get_running_loop(), list[tuple[int, float]]()

    async def come(number: int) -> None:
        await spacing.wait()
        came.append((number, loop.time() - begun))

    begun = loop.time()
    await asyncio.gather(*map(come, range(3)))
    assert came == [(0, 0.0), (1, pytest.approx(0.5)), (2, pytest.approx(1.0))]
    await LoopClock().sleep(5)
    begun = loop.time()
    await asyncio.gather(*map(come, range(3, 5)))
    assert came[3:] == [(3, pytest.approx(0.0)), (4, pytest.approx(0.5))]


@virtual
async def test_a_queue_that_is_too_long_is_not_joined() -> None:
    spacing = Throttle(1.0, longest=2.0)
    came = await asyncio.gather(*(spacing.wait() for _ in range(5)), return_exceptions=True)
    assert came[:3] == [None] * 3
    assert [(error.status, error.retry_after) for error in came[3:] if isinstance(error, Refused)] == [
        (429, pytest.approx(3.0))
    ] * 2
    await spacing.wait()  # who was turned away has no place in it
