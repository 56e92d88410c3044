"""Where an endpoint listens and as whom, and how those that it calls are written."""

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
    """Where the endpoint listens, and as whom it registers. Without `domain` it takes calls directly."""

    listen: str = "127.0.0.1:5060"
    """Address and port for SIP. Listen on an open address only behind a firewall that knows the callers."""
    user: str = "antiphon"
    domain: str = ""
    password: str = ""
    registrar: str = ""
    """The outbound proxy, if it is not the domain itself."""
    protocol: str = "udp"  # or "tcp", "tls"
    codecs: Sequence[str] = ("g722/16000/1", "pcmu", "pcma")
    """In order of preference, as baresip names them."""
    calls: int = 8
    """At the same time, those that a transfer makes among them; who calls then hears that it is busy."""
    ports: str = ""
    """UDP ports for the audio, such as 10000-20000; else any."""
    vanished_after: int = 10
    """Seconds without a packet of audio after which the other side is gone."""

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
        """The address that it listens on, without the port."""
        return self.listen.rpartition(":")[0].strip("[]")


def address(to: str, domain: str) -> str:
    """Whom to call: a SIP address, made of a number where that is all there is.

    The stack is given nothing else: one that it cannot complete brings the process down (baresip-python
    0.5.2a3). Raises UsageError.
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
    """The name or number in a SIP address, or in a header that has one."""
    match = PARTS.search(uri)
    return unquote(match[1] or "") if match else ""


def host(uri: str) -> str:
    """The host of a SIP address, with its port."""
    match = PARTS.search(uri)
    return match[2] if match else ""
