"""Settings of SIP, and whom it calls."""

from typing import Any

import pytest

from antiphon.errors import ConfigurationError, UsageError
from antiphon.transports.sip.settings import SIPSettings, address, host, user


@pytest.mark.parametrize(
    ("to", "called"),
    [
        ("+4930123456", "sip:+4930123456@pbx.example.com"),
        ("+49 (30) 123-456", "sip:+4930123456@pbx.example.com"),
        ("tel:+4930123456", "sip:+4930123456@pbx.example.com"),
        ("100", "sip:100@pbx.example.com"),
        ("*31#", "sip:*31%23@pbx.example.com"),
        ("sip:desk@10.0.0.7:5080;transport=tcp", "sip:desk@10.0.0.7:5080;transport=tcp"),
        ("desk@[::1]:5080", "sip:desk@[::1]:5080"),
    ],
)
def test_whom_to_call(to: str, called: str) -> None:
    assert address(to, "pbx.example.com") == called


@pytest.mark.parametrize(
    "to", ["", "the desk", "sip:", "sip:desk", "sip:@host", "sips:a@host", "http://x", "a@b\r\nX: y", "a@b c"]
)
def test_nobody_to_call(to: str) -> None:
    with pytest.raises(UsageError, match="write a number, or sip:name@host"):
        address(to, "pbx.example.com")


def test_a_number_needs_a_domain() -> None:
    with pytest.raises(UsageError, match="without a domain"):
        address("+4930123456", "")


@pytest.mark.parametrize(
    ("uri", "name", "where"),
    [
        ("sip:+4930@example.com:5080;transport=udp", "+4930", "example.com:5080"),
        ('"Ada" <sip:ada%20l@example.com>;tag=1', "ada l", "example.com"),
        ("<sip:example.com>", "", "example.com"),
        ("tel:+4930", "", ""),
        ("", "", ""),
    ],
)
def test_who_an_address_is(uri: str, name: str, where: str) -> None:
    assert (user(uri), host(uri)) == (name, where)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"listen": "everywhere"}, "address:port"),
        ({"listen": "127.0.0.1:0"}, "address:port"),
        ({"protocol": "sctp"}, "udp, tcp or tls"),
        ({"ports": "many"}, "10000-20000"),
        ({"calls": 0}, "one call at least"),
        ({"password": "secret"}, "no domain to register with"),
    ],
)
def test_wrong_settings(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        SIPSettings(**wrong)
