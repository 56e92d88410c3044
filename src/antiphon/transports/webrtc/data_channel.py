"""The data channel: it routes messages, and buffers ours until it is open."""

import json
import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, cast

from ...errors import UsageError
from ...observers import Observer

if TYPE_CHECKING:
    from ...processor import SessionPort

__all__ = ["ClientProtocol", "DataChannel"]

logger = logging.getLogger("antiphon.webrtc")

MOST_WAITING = 1000  # messages buffered while the channel is not open; the oldest are dropped
LONGEST = 262_144  # characters; a longer message from the client is ignored
MEDIA = ("microphone", "camera", "screen")


class ClientProtocol(Observer, Protocol):
    """A protocol spoken with the client's program, such as `rtvi.RTVI`."""

    send: Callable[[str], None]
    """Sends a message; set by the transport."""

    def bind(self, session: "SessionPort") -> None:
        """Attach the protocol to the session that the client talks to."""
        ...

    def received(self, text: str) -> None:
        """Handle a message from the client."""
        ...


class DataChannel:
    """The messages to and from one client.

    Messages that are sent before the channel is open are buffered.
    """

    def __init__(self, protocol: ClientProtocol | None) -> None:
        self._send_now: Callable[[str], None] | None = None
        self.silenced: set[str] = set()
        """The media that the client has switched off: "microphone", "camera", "screen"."""
        self._protocol = protocol
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        if protocol is not None:
            protocol.send = self.send

    def send(self, text: str) -> None:
        """Send a message, now or as soon as the channel is open."""
        if self._send_now is None:
            self._waiting.append(text)
            return
        try:
            self._send_now(text)
        except UsageError as error:
            logger.warning("a message was not sent: %s", error)

    def signal(self, kind: str) -> None:
        """Send a message about the connection itself: "renegotiate", "peerLeft"."""
        self.send(json.dumps({"type": "signalling", "message": {"type": kind}}))

    def opened(self, send_now: Callable[[str], None]) -> None:
        """Send what was buffered: the channel is open."""
        self._send_now = send_now
        while self._waiting and self._send_now is not None:
            self.send(self._waiting.popleft())

    def closed(self) -> None:
        """Buffer messages for the next connection: this one has ended."""
        self._send_now = None

    def received(self, text: str) -> None:
        """Handle a message from the client.

        Pings are ignored, signalling is handled here, and the rest goes to the client protocol.
        """
        if text.startswith("ping"):
            return
        if len(text) > LONGEST:
            logger.warning("a message of %d characters was not read", len(text))
        elif (signalling := _signalling(text)) is not None:
            self._handle_signalling(signalling)
        elif self._protocol is not None:
            self._protocol.received(text)

    def _handle_signalling(self, about: dict[str, Any]) -> None:
        index, enabled = about.get("receiver_index"), about.get("enabled")
        if about.get("type") != "trackStatus" or not isinstance(enabled, bool):
            return
        if isinstance(index, int) and 0 <= index < len(MEDIA):
            (self.silenced.discard if enabled else self.silenced.add)(MEDIA[index])


def _signalling(text: str) -> dict[str, Any] | None:
    """Return the content of a signalling message, or None if it is another kind."""
    if '"signalling"' not in text:
        return None
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict) or cast(dict[str, Any], message).get("type") != "signalling":
        return None
    about: object = cast(dict[str, Any], message).get("message")
    return cast(dict[str, Any], about) if isinstance(about, dict) else {}
