"""The port between the transport and what does ICE, DTLS, SRTP and the codecs.

An engine is one peer connection that answers offers. It runs in the session's event loop and reports what
arrives by calling its `EngineListener` from that loop.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ...errors import ConfigurationError
from .settings import WebRTCSettings

__all__ = ["HEARD_HZ", "PIECE", "Engine", "EngineListener", "IceCandidate", "MakeEngine", "engine_maker"]

HEARD_HZ = 16000
"""The rate of what an engine hears."""
PIECE = 0.02
"""Seconds of audio that an engine is given at once."""


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """Where the client may be reached, as SDP has it ("candidate:1 1 udp ..."); "" is the end."""

    candidate: str
    mid: str | None
    index: int | None


class EngineListener(Protocol):
    """Who is told what the client sends."""

    @property
    def wants_video(self) -> bool:
        """Whether pictures are worth decoding."""
        ...

    def connected(self) -> None:
        """Media can flow."""
        ...

    def opened(self) -> None:
        """The data channel can be written to."""
        ...

    def heard(self, pcm: bytes) -> None:
        """Mono 16-bit samples at HEARD_HZ, in order and without gaps."""
        ...

    def saw(self, pixels: bytes, width: int, height: int, source: str) -> None:
        """A picture as UserVideo has it; `source` is "camera" or "screen"."""
        ...

    def told(self, text: str) -> None:
        """A message came through the data channel."""
        ...

    def lost(self, reason: str) -> None:
        """The connection is over, and will not come back."""
        ...


class Engine(Protocol):
    """One peer connection."""

    @property
    def packets(self) -> int:
        """Grows as long as something comes from the client."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes of messages that wait to be sent."""
        ...

    async def answer(self, offer: str) -> str:
        """The SDP answer to an SDP offer, the first or a later one. Raises UsageError for what is none."""
        ...

    async def add(self, candidate: IceCandidate) -> None:
        """Try one more address. Raises UsageError for what is none."""
        ...

    def say(self, pcm: bytes | None) -> None:
        """Send PIECE seconds of mono 16-bit samples at the settings' rate, at once; None is silence."""
        ...

    def show(self, pixels: bytes, width: int, height: int, at: float) -> None:
        """Send a picture as AgentVideo has it; one that is still waiting is forgotten."""
        ...

    def tell(self, text: str) -> None:
        """Send a message, once `opened`. Raises UsageError for one that is longer than the client takes."""
        ...

    async def close(self) -> None:
        """Leave, and let go of every socket, thread and task."""
        ...


MakeEngine = Callable[[WebRTCSettings, EngineListener], Engine]


def engine_maker(settings: WebRTCSettings) -> MakeEngine:
    """What makes the engine that the settings name. Raises ConfigurationError where it is not installed."""
    if settings.engine == "wrtc":
        try:
            from .wrtc import Wrtc
        except ImportError as error:
            raise ConfigurationError(
                'engine="wrtc" needs the package wrtc: pip install "antiphon[webrtc-native]"'
            ) from error
        return Wrtc
    try:
        from .aiortc import Aiortc
    except ImportError as error:
        raise ConfigurationError('WebRTC needs aiortc: pip install "antiphon[webrtc]"') from error
    return Aiortc
