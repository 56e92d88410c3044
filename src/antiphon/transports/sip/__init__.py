"""A SIP endpoint of one's own: calls straight from a telephone system, without a provider between.

    async with Endpoint(SIPSettings(listen="127.0.0.1:5060")) as endpoint:
        async for ringing in endpoint.calls():
            session = agent.session(await ringing.answer())

SIP, RTP and the codecs are baresip's, through baresip-python. One process has one endpoint.
"""

from .endpoint import Endpoint, Ringing
from .line import SIP
from .settings import SIPSettings

__all__ = ["SIP", "Endpoint", "Ringing", "SIPSettings"]
