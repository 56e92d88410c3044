"""A loudspeaker beside the microphone: the agent does not hear itself; a sign of work while it thinks."""

from antiphon import Agent, Session
from antiphon.playout.ambience import Ambience, AmbienceSettings
from antiphon.services.cleaning import Cleaning
from antiphon.transports.loopback import Loopback
from antiphon.vendors.webrtc_audio import Cleaner

agent = Agent("You answer questions about a museum, next to its door. One or two short sentences.")


def conversation(transport: Loopback) -> Session:
    """The agent's own pipeline, with four more parts in it."""
    cleaning = Cleaning(Cleaner("echo"))
    ambience = Ambience(AmbienceSettings(background=None, thinking_after=1.0))
    first, vad, *parts, last = agent.pipeline(transport)
    return Session([first, cleaning, vad, cleaning.raw, *parts, ambience, cleaning.far, last])
