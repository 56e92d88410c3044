"""What one address may ask for."""

import pytest

from antiphon.server.hosting import Refused
from antiphon.server.limits import MOST, Rates


def test_a_burst_and_then_so_many_a_minute() -> None:
    now = 0.0
    rates = Rates(60, 10, lambda: now)
    for _ in range(10):
        rates.take("192.0.2.1")
    with pytest.raises(Refused) as refused:
        rates.take("192.0.2.1")
    assert refused.value.status == 429
    assert refused.value.retry_after == pytest.approx(1.0)
    rates.take("192.0.2.2")  # others are not disturbed
    now = 1.0
    rates.take("192.0.2.1")
    with pytest.raises(Refused):
        rates.take("192.0.2.1")
    now = 3600.0
    for _ in range(10):  # no more than the burst, however long it was silent
        rates.take("192.0.2.1")
    with pytest.raises(Refused):
        rates.take("192.0.2.1")


def test_one_customer_of_ipv6_is_one_address() -> None:
    rates = Rates(60, 2, lambda: 0.0)
    rates.take("2001:db8:1:2::1")
    rates.take("2001:db8:1:2:ffff::2")
    with pytest.raises(Refused):
        rates.take("2001:db8:1:2:3::3")
    rates.take("2001:db8:1:3::1")
    rates.take("::ffff:192.0.2.1")
    rates.take("192.0.2.1")
    with pytest.raises(Refused):
        rates.take("192.0.2.1")


def test_memory_is_bounded() -> None:
    rates = Rates(60, 2, lambda: 0.0)
    for number in range(3 * MOST):
        rates.take(f"host {number}")
    assert len(rates) == MOST
