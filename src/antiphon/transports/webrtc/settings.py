"""Settings of a WebRTC transport, and STUN and TURN servers for its clients."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from time import time  # TURN credentials expire by the wall clock, not by the session's
from typing import Any, Literal

from ...errors import ConfigurationError

__all__ = ["IceServer", "TurnServer", "WebRTCSettings"]

OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
BITRATES = range(6_000, 256_001)


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server, with credentials if it needs them.

    A `url` is such as "stun:stun.example.org:3478".
    """

    url: str
    username: str | None = None
    credential: str | None = None

    def __post_init__(self) -> None:
        if not self.url.startswith(("stun:", "stuns:", "turn:", "turns:")):
            raise ConfigurationError(
                f"{self.url!r} is no ICE server: write stun:host:port or turn:host:port?transport=udp"
            )


@dataclass(frozen=True, slots=True)
class TurnServer:
    """A TURN server that shares a `secret` with us.

    The credentials that we derive from it expire after `lifetime` seconds. The user name is the Unix time of
    expiry, and the password an HMAC-SHA1 of it: "A REST API For Access To TURN Services",
    draft-uberti-behave-turn-rest-00; coturn's `use-auth-secret`.
    """

    url: str
    secret: str
    lifetime: float = 3600.0
    name: str = "antiphon"

    def __post_init__(self) -> None:
        if not self.secret or self.lifetime <= 0:
            raise ConfigurationError(f"{self.url} needs a secret and a lifetime over 0 seconds")
        IceServer(self.url)

    def server(self, now: float) -> IceServer:
        """Return the server with credentials issued at `now`, a Unix time."""
        username = f"{int(now + self.lifetime)}:{self.name}"
        digest = hmac.new(self.secret.encode(), username.encode(), hashlib.sha1).digest()
        return IceServer(self.url, username, base64.b64encode(digest).decode())


@dataclass(frozen=True, slots=True)
class WebRTCSettings:
    """Settings of a WebRTC transport; times in seconds.

    Raises ConfigurationError if one is invalid.

    `engine`: "aiortc", or "wrtc", which is Chrome's own (`pip install "antiphon[webrtc-native]"`).
    `port_range`: the first and last UDP port to use; only wrtc supports it.
    `relay_only`: connect through TURN only.
    `vanished_after`: the agent falls silent if nothing has come from the client for this long.
    `restart_within`: how much longer the session waits for the client to reconnect; browsers take 5 to 8 s.
    """

    engine: Literal["aiortc", "wrtc"] = "aiortc"
    ice_servers: tuple[IceServer, ...] = ()
    turn: TurnServer | None = None
    relay_only: bool = False
    port_range: tuple[int, int] | None = None
    sample_rate: int = 24000
    bitrate: int = 32000
    connect_within: float = 30.0
    vanished_after: float = 3.0
    restart_within: float = 7.0

    def __post_init__(self) -> None:
        if self.engine not in ("aiortc", "wrtc"):
            raise ConfigurationError(f'engine={self.engine!r}: choose "aiortc" or "wrtc"')
        if self.port_range is not None:
            first, last = self.port_range
            if not 1024 <= first <= last <= 65535:
                raise ConfigurationError(
                    f"port_range={self.port_range}: give the first and the last port, from 1024 to 65535"
                )
            if self.engine == "aiortc":
                raise ConfigurationError('aiortc uses any free port: a port_range needs engine="wrtc"')
        if self.sample_rate not in OPUS_RATES or self.bitrate not in BITRATES:
            raise ConfigurationError(
                f"Opus supports {OPUS_RATES} Hz and 6000 to 256000 bit/s, "
                f"not {self.sample_rate} Hz and {self.bitrate} bit/s"
            )
        if min(self.connect_within, self.vanished_after) <= 0 or self.restart_within < 0:
            raise ConfigurationError(
                "connect_within and vanished_after must be over 0 seconds, restart_within 0 or more"
            )

    def servers(self, now: float | None = None) -> tuple[IceServer, ...]:
        """Return the ICE servers with credentials issued at `now`, a Unix time.

        None means the current time.
        """
        turn = () if self.turn is None else (self.turn.server(time() if now is None else now),)
        return (*self.ice_servers, *turn)

    def ice_config(self, now: float | None = None) -> Mapping[str, Any]:
        """Return the configuration for a browser's RTCPeerConnection.

        It is {"iceServers": [...]}, with credentials issued at `now` as in `servers`.
        """
        return {
            "iceServers": [
                {"urls": [server.url]}
                | ({} if server.username is None else {"username": server.username})
                | ({} if server.credential is None else {"credential": server.credential})
                for server in self.servers(now)
            ]
        }
