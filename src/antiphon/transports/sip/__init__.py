"""A SIP endpoint: calls to and from a telephone system, without a provider.

    async with Endpoint(SIPSettings(listen="127.0.0.1:5060")) as endpoint:
        async for ringing in endpoint.calls():
            session = agent.session(await ringing.answer())

SIP, RTP and the codecs are those of baresip, through baresip-python. A process can have one endpoint.
"""

from .endpoint import Endpoint, Ringing
from .settings import SIPSettings
from .transport import SIP

__all__ = ["SIP", "Endpoint", "Ringing", "SIPSettings"]
