"""The data channel: which message is for whom, and what waits until it is open."""

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

MOST_WAITING = 1000  # messages that wait for the channel; of more, the oldest are forgotten
LONGEST = 262_144  # characters of a message that is read
MEDIA = ("microphone", "camera", "screen")


class ClientProtocol(Observer, Protocol):
    """What speaks with the client's program, such as `rtvi.RTVI`."""

    send: Callable[[str], None]
    """Set by the transport."""

    def bind(self, session: "SessionPort") -> None:
        """The session that the client talks to."""
        ...

    def received(self, text: str) -> None:
        """A message of the client's."""
        ...


class DataChannel:
    """Sorts what comes, and keeps what cannot be sent yet. `tell` is the engine's, while there is one."""

    def __init__(self, protocol: ClientProtocol | None) -> None:
        self.tell: Callable[[str], None] | None = None
        self.silenced: set[str] = set()
        """The client's media that it has switched off: "microphone", "camera", "screen"."""
        self._protocol = protocol
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        if protocol is not None:
            protocol.send = self.send

    def send(self, text: str) -> None:
        """Send a message, now or as soon as the channel is open."""
        if self.tell is None:
            self._waiting.append(text)
            return
        try:
            self.tell(text)
        except UsageError as error:
            logger.warning("a message was not sent: %s", error)

    def signal(self, kind: str) -> None:
        """Send a message about the connection itself."""
        self.send(json.dumps({"type": "signalling", "message": {"type": kind}}))

    def opened(self, tell: Callable[[str], None]) -> None:
        """The channel is open: send what waits."""
        self.tell = tell
        while self._waiting and self.tell is not None:
            self.send(self._waiting.popleft())

    def closed(self) -> None:
        """The connection is gone; what is sent waits for the next."""
        self.tell = None

    def received(self, text: str) -> None:
        """A message of the client's: its pings and what concerns the connection stay here."""
        if text.startswith("ping"):
            return
        if len(text) > LONGEST:
            logger.warning("a message of %d characters was not read", len(text))
        elif (about := _signalling(text)) is not None:
            self._signalled(about)
        elif self._protocol is not None:
            self._protocol.received(text)

    def _signalled(self, about: dict[str, Any]) -> None:
        index, enabled = about.get("receiver_index"), about.get("enabled")
        if about.get("type") != "trackStatus" or not isinstance(enabled, bool):
            return
        if isinstance(index, int) and 0 <= index < len(MEDIA):
            (self.silenced.discard if enabled else self.silenced.add)(MEDIA[index])


def _signalling(text: str) -> dict[str, Any] | None:
    """What a message says about the connection; None where it is about something else."""
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
