"""The choice of a WebRTC engine.

Each engine is in a file of its own, which is imported only if it is chosen.
"""

from ...errors import ConfigurationError
from .engine import MakeEngine
from .settings import WebRTCSettings

__all__ = ["engine_maker"]


def engine_maker(settings: WebRTCSettings) -> MakeEngine:
    """Return the constructor of the engine that the settings name.

    Raises ConfigurationError if its package is not installed.
    """
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
