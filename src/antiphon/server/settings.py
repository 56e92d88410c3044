"""The server's settings, also read from environment variables ANTIPHON_<NAME>."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from secrets import token_hex
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from ..errors import ConfigurationError

__all__ = ["PREFIX", "ServerSettings", "is_loopback"]

PREFIX = "ANTIPHON_"
SHORTEST_KEY = 16  # characters
LAST_PORT = 65535
ADDRESS = re.compile(r".+:\d{1,5}")
PORTS = re.compile(r"\d{1,5}-\d{1,5}")


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The settings of a server.

    Durations are in seconds. In environment variables, lists are separated by commas.
    """

    host: str = "127.0.0.1"
    """The address to listen on; 0.0.0.0 listens on all."""
    port: int = 7860
    public_url: str = ""
    """The URL of the server for clients, such as https://voice.example.com; by default, a request's Host."""
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """The proxies whose X-Forwarded-For and X-Forwarded-Proto headers are trusted."""
    tls_cert: str = ""
    tls_key: str = ""

    public_keys: tuple[str, ...] = field(default=(), repr=False)
    """Keys that only allow beginning sessions; they may be published, for example in a web page."""
    private_keys: tuple[str, ...] = field(default=(), repr=False)
    """Keys that allow everything, including dialling and reading metrics."""
    origins: tuple[str, ...] = ()
    """Further origins whose pages may connect, such as https://www.example.com; "*" allows all."""
    check_signatures: bool = True
    """Whether phone providers' requests must be signed."""
    page: bool = True
    """Whether the web page is served."""
    observe: Literal["development", "always", "never"] = "development"
    """When clients may see the floor's state and every turn's latency ("development": without keys)."""
    report: Literal["development", "none", "name", "full"] = "development"
    """What clients are told of tool calls: nothing, the name, or the name with arguments and results.

    "development" is "full" without keys, and "name" with keys.
    """
    secret: str = field(default_factory=lambda: token_hex(32), repr=False)
    """The key that signs URLs which the server issues. Servers that share a public URL must share it."""

    capacity: int = 100
    """The maximum of concurrent sessions; further ones are refused with 429."""
    half_open: int = 16
    """The maximum of WebRTC sessions whose client has not connected yet."""
    address_share: float = 0.25
    """The share of `capacity` and `half_open` that one address may use; 0 disables the limit.

    Loopback addresses and private keys are exempt.
    """
    connect_within: float = 30.0
    """How long a session waits for its client to connect."""
    join_within: float = 60.0
    """How long the token that /start returns is valid."""
    per_minute: int = 300
    """Requests for sessions per minute and address, including those with wrong keys."""
    burst: int = 120
    """How many of these requests may come at once."""
    body_bytes: int = 262_144
    """The largest body of a request."""
    message_bytes: int = 1_048_576
    """The largest websocket message."""
    queue_bytes: int = 524_288
    """How much unsent data may wait for a slow client before it is disconnected."""
    last_words: float = 10.0
    """How long the agent may finish speaking when its session is ended."""
    drain: float = 600.0
    """How long running sessions may continue after SIGTERM."""
    stop_idle_after: float = 0.0
    """Stop after this long without a session; 0 never stops."""

    audiosocket: str = ""
    """Where to listen for Asterisk's AudioSocket, such as 127.0.0.1:9092. It has no authentication."""

    sip: str = ""
    """Where to listen for SIP, such as 127.0.0.1:5060. It has no authentication."""
    sip_user: str = "antiphon"
    """The user to register and to call as."""
    sip_domain: str = ""
    """The domain to register with, such as sip.example.com; empty to accept direct calls only."""
    sip_password: str = field(default="", repr=False)
    sip_registrar: str = ""
    """The outbound proxy, if it differs from the domain."""
    sip_protocol: Literal["udp", "tcp", "tls"] = "udp"
    """How to register and to call. Calls come in over UDP and TCP, or else over TLS only."""
    sip_ports: str = ""
    """The UDP ports for SIP calls' audio, such as 10000-20000; empty for any."""

    webrtc: Literal["aiortc", "wrtc"] = "aiortc"
    """The WebRTC engine."""
    stun: tuple[str, ...] = ()
    """STUN servers, such as stun:stun.example.org:3478."""
    turn: str = ""
    """A TURN server, such as turn:turn.example.org:3478."""
    turn_secret: str = field(default="", repr=False)
    """The secret shared with the TURN server, to derive credentials from (coturn: use-auth-secret)."""
    udp_ports: str = ""
    """The UDP ports that the wrtc engine may use, such as 50000-50999; empty for any."""

    isolation: Literal["loop", "process"] = "loop"
    """Whether all sessions share the server's process ("loop") or each has its own ("process")."""
    warm: int = 4
    """With isolation "process": how many idle processes are kept ready."""
    memory_mb: int = 512
    """With isolation "process": memory that a session's process may allocate after its start."""
    cpu: float = 1.0
    """With isolation "process": cores that a session may use, averaged over about ten seconds."""
    stuck_after: float = 10.0
    """With isolation "process": how long a process may not respond before it is killed."""

    def __post_init__(self) -> None:
        for name in ("capacity", "half_open", "per_minute", "burst", "body_bytes", "message_bytes"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}: it must be 1 or more")
        if self.address_share < 0:
            raise ConfigurationError(f"address_share is {self.address_share:g}: it must be 0 or more")
        if "*" in self.proxies:
            raise ConfigurationError(
                "proxies may not be *: any client could then fake its address; list them, such as 10.0.0.0/8"
            )
        for key in (*self.public_keys, *self.private_keys):
            if len(key) < SHORTEST_KEY or not key.isascii():
                raise ConfigurationError(
                    f"a key of {len(key)} characters can be guessed: use {SHORTEST_KEY} or more, all ASCII; "
                    "`antiphon serve --new-key` makes such keys"
                )
        if set(self.public_keys) & set(self.private_keys):
            raise ConfigurationError(
                "the same key is public and private, but everybody may know a public one: use two keys"
            )
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise ConfigurationError(
                f"public_url is {self.public_url!r}: it must begin with https:// or http://"
            )
        if bool(self.turn) != bool(self.turn_secret):
            raise ConfigurationError("TURN needs both the server (turn) and its shared secret (turn_secret)")
        if not 0 < self.port <= LAST_PORT:
            raise ConfigurationError(f"port is {self.port}: it must be 1 to {LAST_PORT}")
        for name, example in (("audiosocket", "127.0.0.1:9092"), ("sip", "127.0.0.1:5060")):
            address = getattr(self, name)
            _, _, port = address.rpartition(":")
            if address and not (ADDRESS.fullmatch(address) and 0 < int(port) <= LAST_PORT):
                raise ConfigurationError(
                    f"{name} is {address!r}: write an address and its port, as {example}"
                )
        if not self.sip and (self.sip_domain or self.sip_password or self.sip_registrar):
            raise ConfigurationError(
                "to register with a SIP provider, say where to listen as well: ANTIPHON_SIP=address:5060"
            )
        if self.sip and self.isolation == "process":
            raise ConfigurationError(
                "SIP calls run in the server's own process: use isolation loop; if other sessions need a "
                "process each, run a second server for those"
            )
        if self.isolation == "process" and sys.platform != "linux":
            raise ConfigurationError('isolation="process" needs Linux: use isolation="loop"')
        if self.udp_ports and not PORTS.fullmatch(self.udp_ports):
            raise ConfigurationError(f"udp_ports is {self.udp_ports!r}: write a range such as 50000-50999")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigurationError("TLS needs both the certificate (tls_cert) and its key (tls_key)")
        if not (self.keyed or is_loopback(self.host)):
            raise ConfigurationError(
                f"without keys the server serves only this machine and cannot listen on {self.host}: set "
                "ANTIPHON_PUBLIC_KEYS and ANTIPHON_PRIVATE_KEYS (`antiphon serve --new-key` makes a pair)"
            )

    @property
    def keyed(self) -> bool:
        """True if requests need a key; a server without keys serves only its own machine."""
        return bool(self.public_keys or self.private_keys)

    @property
    def observed(self) -> bool:
        """True if clients may see the floor's state and the latencies (see `observe`)."""
        return self.observe == "always" or (self.observe == "development" and not self.keyed)

    @property
    def reported(self) -> Literal["none", "name", "full"]:
        """What clients are told of tool calls."""
        if self.report == "development":
            return "name" if self.keyed else "full"
        return self.report

    @property
    def scheme(self) -> str:
        """The scheme of the server's own URL: "http" or "https"."""
        return "https" if self.tls_cert else "http"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **chosen: Any) -> Self:
        """Return settings from `chosen`, the environment and the defaults, in that order.

        Values of `chosen` that are None are ignored. Raises ConfigurationError.
        """
        hints = get_type_hints(cls)
        from_variables = {
            one.name: _read(one.name, text, hints[one.name])
            for one in fields(cls)
            if (text := environment.get(PREFIX + one.name.upper())) is not None
        }
        return cls(**(from_variables | {name: value for name, value in chosen.items() if value is not None}))


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is loopback."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _read(name: str, text: str, kind: Any) -> Any:
    variable = PREFIX + name.upper()
    if get_origin(kind) is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise ConfigurationError(f"{variable} is {text!r}: use {' or '.join(get_args(kind))}")
        return text
    if kind is bool:
        if text.lower() not in SWITCH:
            raise ConfigurationError(f"{variable} is {text!r}: use 1 or 0")
        return SWITCH[text.lower()]
    try:
        return kind(text)
    except ValueError as error:
        raise ConfigurationError(f"{variable} is {text!r}: it must be a number") from error


SWITCH = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
