"""WebRTC: a transport over an engine, aiortc or wrtc."""

from .settings import IceServer, TurnServer, WebRTCSettings
from .transport import WebRTC

__all__ = ["IceServer", "TurnServer", "WebRTC", "WebRTCSettings"]
