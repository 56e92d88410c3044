"""What a server may be told: each setting by its name, or by the environment as ANTIPHON_<NAME>."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import ip_address
from re import fullmatch
from secrets import token_hex
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

from ..errors import ConfigurationError

__all__ = ["PREFIX", "ServerSettings", "is_loopback"]

PREFIX = "ANTIPHON_"
SHORTEST_KEY = 16  # characters


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How sessions are served. Durations are seconds; lists in the environment are split at commas."""

    host: str = "127.0.0.1"
    """The address that it listens on; 0.0.0.0 is every one."""
    port: int = 7860
    public_url: str = ""
    """How the outside reaches it, such as https://voice.example.com; else what a request says."""
    proxies: tuple[str, ...] = ("127.0.0.1", "::1")
    """Who may say, by X-Forwarded-For and -Proto, where a request really came from."""
    tls_cert: str = ""
    tls_key: str = ""

    public_keys: tuple[str, ...] = field(default=(), repr=False)
    """Keys that may begin a session and no more: they are in the open, in a web page."""
    private_keys: tuple[str, ...] = field(default=(), repr=False)
    """Keys that may do everything: dial, and read the metrics."""
    origins: tuple[str, ...] = ()
    """Other web pages' origins that may come here, such as https://www.example.com; "*" is any."""
    check_signatures: bool = True
    """Whether a phone provider must sign what it asks."""
    page: bool = True
    """Whether the page is served."""
    observe: Literal["development", "always", "never"] = "development"
    """When clients may see the state of the floor and the latency of every turn: without keys, or always."""
    report: Literal["none", "name", "full"] = "full"
    """What clients are told of tools that are called: the name, and in full arguments and results as well."""
    secret: str = field(default_factory=lambda: token_hex(32), repr=False)
    """What signs our own addresses. Set it where several servers answer at one address."""

    capacity: int = 100
    """Sessions at the same time; those that come then are told 429."""
    half_open: int = 16
    """Sessions over WebRTC at the same time that nobody has come to yet."""
    address_share: float = 0.25
    """What part of both one address may have without a private key; 0 is no limit, as for this machine."""
    connect_within: float = 30.0
    """How long a session waits for its other side."""
    join_within: float = 60.0
    """How long what /start gives is good for."""
    per_minute: int = 300
    """Sessions that one address may ask for, and wrong keys that it may try."""
    burst: int = 120
    """How many of those at once."""
    body_bytes: int = 262_144
    """The longest body of a request."""
    message_bytes: int = 1_048_576
    """The longest message on a socket."""
    queue_bytes: int = 524_288
    """What may wait for a reader that is slow, before it is sent away."""
    last_words: float = 10.0
    """How long the agent may go on speaking when a session is ended."""
    drain: float = 600.0
    """How long calls may go on after SIGTERM."""
    stop_idle_after: float = 0.0
    """How long it serves while nobody is there; 0 is for ever."""

    audiosocket: str = ""
    """Where to listen for Asterisk's AudioSocket, such as 127.0.0.1:9092: whoever reaches it is let in."""

    sip: str = ""
    """Where to listen for SIP, such as 127.0.0.1:5060: whoever reaches it is let in."""
    sip_user: str = "antiphon"
    """As whom to register, and to call."""
    sip_domain: str = ""
    """Where to register, such as sip.example.com; else calls come directly."""
    sip_password: str = field(default="", repr=False)
    sip_registrar: str = ""
    """The outbound proxy, if it is not the domain itself."""
    sip_protocol: Literal["udp", "tcp", "tls"] = "udp"
    sip_ports: str = ""
    """The UDP ports for its audio, such as 10000-20000; else any."""

    webrtc: Literal["aiortc", "wrtc"] = "aiortc"
    """The engine that speaks WebRTC."""
    stun: tuple[str, ...] = ()
    """STUN servers, such as stun:stun.example.org:3478."""
    turn: str = ""
    """A TURN server, such as turn:turn.example.org:3478."""
    turn_secret: str = field(default="", repr=False)
    """What the TURN server shares with us, to make credentials of (coturn's use-auth-secret)."""
    udp_ports: str = ""
    """The UDP ports that wrtc may use, such as 50000-50999."""

    isolation: Literal["loop", "process"] = "loop"
    """Whether sessions share one process, or have one each."""
    warm: int = 4
    """With processes: how many stand ready."""
    memory_mb: int = 512
    """With processes: what one may take beyond what it began with."""
    cpu: float = 1.0
    """With processes: the cores that one may take, averaged over ten seconds or so."""
    stuck_after: float = 10.0
    """With processes: how long one may give no sign of life."""

    def __post_init__(self) -> None:
        for name in ("capacity", "half_open", "per_minute", "burst", "body_bytes", "message_bytes"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{name} is {getattr(self, name)}: it must be 1 or more")
        if self.address_share < 0:
            raise ConfigurationError(f"address_share is {self.address_share:g}: it must be 0 or more")
        if "*" in self.proxies:
            raise ConfigurationError(
                "proxies may not be *: anybody could choose their address; name them, such as 10.0.0.0/8"
            )
        for key in (*self.public_keys, *self.private_keys):
            if len(key) < SHORTEST_KEY or not key.isascii():
                raise ConfigurationError(
                    f"a key of {len(key)} characters can be guessed: take {SHORTEST_KEY} or more, such as "
                    "`antiphon serve --new-key` prints"
                )
        if set(self.public_keys) & set(self.private_keys):
            raise ConfigurationError("a key is both public and private: a public one is known to everybody")
        if self.public_url and not self.public_url.startswith(("http://", "https://")):
            raise ConfigurationError(f"public_url is {self.public_url!r}: begin it with https://")
        if bool(self.turn) != bool(self.turn_secret):
            raise ConfigurationError("TURN needs both, the server (turn) and what it shares (turn_secret)")
        if self.audiosocket and not fullmatch(r".+:\d+", self.audiosocket):
            raise ConfigurationError(f"audiosocket is {self.audiosocket!r}: write it as 127.0.0.1:9092")
        if self.sip and not fullmatch(r".+:\d+", self.sip):
            raise ConfigurationError(f"sip is {self.sip!r}: write it as 127.0.0.1:5060")
        if not self.sip and (self.sip_domain or self.sip_password or self.sip_registrar):
            raise ConfigurationError(
                "to register with a SIP provider, say where to listen, too: ANTIPHON_SIP=address:5060"
            )
        if self.sip and self.isolation == "process":
            raise ConfigurationError(
                "SIP calls stay in the server's own process: serve them with isolation loop, from a server "
                "of their own if the others need a process each"
            )
        if self.udp_ports and not fullmatch(r"\d+-\d+", self.udp_ports):
            raise ConfigurationError(f"udp_ports is {self.udp_ports!r}: write them as 50000-50999")
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigurationError("TLS needs both, the certificate (tls_cert) and its key (tls_key)")
        if not (self.keyed or is_loopback(self.host)):
            raise ConfigurationError(
                f"without keys it serves this machine alone, and does not listen on {self.host}: set "
                "ANTIPHON_PUBLIC_KEYS and ANTIPHON_PRIVATE_KEYS (`antiphon serve --new-key` prints some)"
            )

    @property
    def keyed(self) -> bool:
        """Whether keys are needed. Without any it is for development, on this machine."""
        return bool(self.public_keys or self.private_keys)

    @property
    def observed(self) -> bool:
        """Whether clients may observe."""
        return self.observe == "always" or (self.observe == "development" and not self.keyed)

    @property
    def scheme(self) -> str:
        """What it speaks itself: "http" or "https"."""
        return "https" if self.tls_cert else "http"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **chosen: Any) -> Self:
        """What is chosen, else what the environment says, else the defaults."""
        hints = get_type_hints(cls)
        said = {
            one.name: _read(one.name, text, hints[one.name])
            for one in fields(cls)
            if (text := environment.get(PREFIX + one.name.upper())) is not None
        }
        return cls(**(said | {name: value for name, value in chosen.items() if value is not None}))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, reached from nowhere else."""
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
            raise ConfigurationError(f"{variable} is {text!r}: it may be {' or '.join(get_args(kind))}")
        return text
    if kind is bool:
        if text.lower() not in SWITCH:
            raise ConfigurationError(f"{variable} is {text!r}: it may be 1 or 0")
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
