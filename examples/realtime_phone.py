"""A model that hears and speaks, on the telephone.

    antiphon serve examples/realtime_phone.py --public-url https://voice.example.com

The local model needs no key. With OPENAI_API_KEY it is OpenAI's. The telephone guide says how calls get here.
"""

import os

from antiphon import Agent, Session, tool
from antiphon.frames import Transfer

ORDERS = {"4711": "ready to be picked up", "4712": "waiting for a new chain"}


@tool
async def repair(number: str) -> str:
    """Look up a repair by its number of four digits, which callers say or press."""
    return ORDERS.get(number.replace(" ", ""), "There is no repair of this number.")


@tool
async def transfer_to_workshop(session: Session) -> str:
    """Put the caller through to the workshop."""
    session.send(Transfer("+4930123456"))
    return "The caller is being put through."


@tool
async def hang_up(session: Session) -> str:
    """Hang up, when the caller has said good-bye."""
    await session.end("the agent hung up")
    return "Say good-bye; then the call is over."


agent = Agent(
    "You answer the phone of a bicycle shop. One or two short sentences.",
    realtime="openai/gpt-realtime-2.1:marin" if "OPENAI_API_KEY" in os.environ else "local",
    greeting="Bicycles, hello! You can press the number of your repair.",
    tools=[repair, transfer_to_workshop, hang_up],
)

if __name__ == "__main__":
    agent.run()
