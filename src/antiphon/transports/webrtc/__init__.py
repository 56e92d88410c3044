"""Browsers over WebRTC: `WebRTC` is the transport, an engine of choice does the network and the codecs."""

from .settings import IceServer, TurnServer, WebRTCSettings
from .transport import WebRTC

__all__ = ["IceServer", "TurnServer", "WebRTC", "WebRTCSettings"]
