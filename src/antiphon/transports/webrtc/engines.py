"""The choice of an engine.

Each is in a file of its own, which is imported only if it is chosen.
"""

from ...errors import ConfigurationError
from .engine import MakeEngine
from .settings import WebRTCSettings

__all__ = ["engine_maker"]


def engine_maker(settings: WebRTCSettings) -> MakeEngine:
    """Returns the constructor of the engine in the settings.

    Raises ConfigurationError if not installed.
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
