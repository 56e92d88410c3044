"""The port for WebRTC libraries, which do ICE, DTLS, SRTP and the codecs.

An engine is one peer connection that answers offers. It runs in the session's event loop and calls its
`EngineListener` from that loop. `engines.py` chooses the engine that the settings name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from .settings import WebRTCSettings

__all__ = ["HEARD_HZ", "PIECE", "Engine", "EngineListener", "IceCandidate", "MakeEngine"]

HEARD_HZ = 16000
"""The sample rate of the audio that an engine receives."""
PIECE = 0.02
"""Seconds of audio in one call of `Engine.send_audio`."""


@dataclass(frozen=True, slots=True)
class IceCandidate:
    """A network address of the client, as in SDP ("candidate:1 1 udp ...").

    An empty `candidate` marks the end of the candidates.
    """

    candidate: str
    mid: str | None
    index: int | None


class EngineListener(Protocol):
    """The callbacks of an engine."""

    @property
    def wants_video(self) -> bool:
        """False if nothing in the pipeline handles video, so that it need not be decoded."""
        ...

    def on_connected(self) -> None:
        """Handle the start of the connection: media can flow."""
        ...

    def on_channel_open(self) -> None:
        """Handle the opening of the data channel."""
        ...

    def on_audio(self, pcm: bytes, skipped: int = 0) -> None:
        """Mono 16-bit samples at HEARD_HZ, in order.

        `skipped`: by the client's timestamps, so many samples before these were never sent.
        """
        ...

    def on_picture(self, pixels: bytes, width: int, height: int, source: str) -> None:
        """Handle a picture in the format of UserVideo.

        `source` is "camera" or "screen".
        """
        ...

    def on_message(self, text: str) -> None:
        """Handle a message from the data channel."""
        ...

    def on_disconnected(self, reason: str) -> None:
        """Handle the end of the connection, which cannot recover."""
        ...


class Engine(Protocol):
    """One peer connection."""

    @property
    def packets(self) -> int:
        """A count that grows whenever something arrives from the client."""
        ...

    @property
    def unsent(self) -> int:
        """Bytes of messages that wait to be sent."""
        ...

    async def answer(self, offer: str) -> str:
        """Return the SDP answer to an offer, the first or a later one.

        Raises UsageError if the offer is invalid.
        """
        ...

    async def add_candidate(self, candidate: IceCandidate) -> None:
        """Add an address of the client. Raises UsageError if it is invalid."""
        ...

    def send_audio(self, pcm: bytes | None) -> None:
        """Send PIECE seconds of mono 16-bit samples immediately; None is silence.

        The sample rate is that of the settings.
        """
        ...

    def send_picture(self, pixels: bytes, width: int, height: int, at: float) -> None:
        """Send a picture in the format of AgentVideo.

        It replaces a picture that has not been sent yet.
        """
        ...

    def send_message(self, text: str) -> None:
        """Send a message if the data channel is open.

        Raises UsageError if it is too long.
        """
        ...

    async def close(self) -> None:
        """Close the connection and release its sockets, threads and tasks."""
        ...


MakeEngine = Callable[[WebRTCSettings, EngineListener], Engine]
