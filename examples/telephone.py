"""An agent on the telephone: antiphon serve examples/telephone.py --public-url https://voice.example.com"""

from antiphon import Agent, Session, tool
from antiphon.frames import AgentKeys, Transfer


@tool
async def workshop(session: Session) -> str:
    """Put the caller through to the workshop, when it is about a repair that has begun."""
    session.send(Transfer("+4930123456", warm=True, announcement="A customer asks for a repair."))
    return "The workshop is being called; stay with the caller until somebody answers."


@tool
async def press(session: Session, keys: str) -> str:
    """Press keys of the telephone, to get through a menu."""
    session.send(AgentKeys(keys))
    return "pressed"


agent = Agent(
    "You answer the phone of a bicycle shop. One or two short sentences.",
    greeting="Bicycles, hello!",
    tools=[workshop, press],
)

if __name__ == "__main__":
    agent.run()
