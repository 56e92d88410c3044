"""A loudspeaker in a noisy room: the agent's own echo taken out, a sign of work while an answer is made."""

from antiphon import Agent, Session
from antiphon.services.ambience import Ambience, AmbienceSettings
from antiphon.services.cleaning import Cleaning
from antiphon.transports.loopback import Loopback
from antiphon.vendors.webrtc_audio import Cleaner

agent = Agent("You answer questions about a museum, next to its door. One or two short sentences.")


def conversation(transport: Loopback) -> Session:
    """The agent's own pipeline, with three more parts in it."""
    cleaning = Cleaning(Cleaner("noise+echo"))
    ambience = Ambience(AmbienceSettings(background=None, thinking_after=1.0))
    first, *parts, last = agent.pipeline(transport)
    return Session([first, cleaning, *parts, ambience, cleaning.far, last])
