"""Settings of a SIP endpoint, and parsing of SIP addresses."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from ...errors import ConfigurationError, UsageError

__all__ = ["SIPSettings", "address", "host", "user"]

HOST_PORT = re.compile(r"(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})")
URI = re.compile(r"sip:([^\s@<>\"?;:]+)@(\[[0-9a-fA-F:]+\]|[\w.-]+)(:\d{1,5})?(;[\w.=~-]+)*")
NUMBER = re.compile(r"\+?[\d*#]+")
SEPARATORS = re.compile(r"[\s()/.-]")
PARTS = re.compile(r"sips?:(?:([^@<>;]+)@)?([^<>;?\s]+)")


@dataclass(frozen=True, slots=True)
class SIPSettings:
    """Settings of an endpoint.

    Without a `domain` to register with, the endpoint receives calls directly.
    """

    listen: str = "127.0.0.1:5060"
    """Address and port for SIP. Listen on a public address only behind a firewall that admits the callers."""
    user: str = "antiphon"
    domain: str = ""
    password: str = ""
    registrar: str = ""
    """The outbound proxy, if it is not the domain itself."""
    protocol: str = "udp"
    """How to register and to call: udp, tcp or tls. Calls come in over UDP and TCP, or else over TLS only."""
    codecs: Sequence[str] = ("g722/16000/1", "pcmu", "pcma")
    """In order of preference, as baresip names them."""
    calls: int = 8
    """The limit of concurrent calls, including those that a transfer makes; a further caller hears busy."""
    ports: str = ""
    """The range of UDP ports for RTP, such as 10000-20000; "" is any."""
    vanished_after: int = 10
    """Seconds without an RTP packet after which the call counts as ended."""

    def __post_init__(self) -> None:
        match = HOST_PORT.fullmatch(self.listen)
        if match is None or not 0 < int(match[2]) < 65536:
            raise ConfigurationError(f"listen={self.listen!r}: write address:port, such as 127.0.0.1:5060")
        if self.protocol not in ("udp", "tcp", "tls"):
            raise ConfigurationError(f"protocol={self.protocol!r}: SIP goes over udp, tcp or tls")
        if self.ports and not re.fullmatch(r"\d+-\d+", self.ports):
            raise ConfigurationError(f"ports={self.ports!r}: write them as 10000-20000")
        if self.calls < 1:
            raise ConfigurationError(f"calls={self.calls}: an endpoint takes one call at least")
        for name in ("password", "registrar"):
            if getattr(self, name) and not self.domain:
                raise ConfigurationError(f"{name} is set, but no domain to register with: set that, too")

    @property
    def here(self) -> str:
        """The address that the endpoint listens on, without the port."""
        return self.listen.rpartition(":")[0].strip("[]")


def address(to: str, domain: str) -> str:
    """Return the complete SIP address for an address or a telephone number.

    Raises UsageError if `to` is neither. baresip must get complete addresses only: one that it cannot
    complete crashes the process (baresip-python 0.5.2a3).
    """
    if URI.fullmatch(to):
        return to
    if URI.fullmatch(f"sip:{to}"):
        return f"sip:{to}"
    number = SEPARATORS.sub("", to.removeprefix("tel:"))
    if not NUMBER.fullmatch(number):
        raise UsageError(f"{to!r} cannot be called: write a number, or sip:name@host")
    if not domain:
        raise UsageError(f"{to!r} cannot be called without a domain: set that, or write sip:{number}@host")
    return f"sip:{quote(number, safe='+*')}@{domain}"


def user(uri: str) -> str:
    """Return the user (a name or number) of a SIP address, also within a header."""
    match = PARTS.search(uri)
    return unquote(match[1] or "") if match else ""


def host(uri: str) -> str:
    """Return the host of a SIP address, with its port."""
    match = PARTS.search(uri)
    return match[2] if match else ""
