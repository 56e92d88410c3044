"""WebRTC: the transport `WebRTC`, over an engine (aiortc or wrtc) that does the network and the codecs."""

from .settings import IceServer, TurnServer, WebRTCSettings
from .transport import WebRTC

__all__ = ["IceServer", "TurnServer", "WebRTC", "WebRTCSettings"]
