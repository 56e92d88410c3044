"""A telephone line of one's own: calls come in over SIP, without a provider between."""

import asyncio

from antiphon import Agent
from antiphon.errors import UnavailableError
from antiphon.transports.sip import Endpoint, Ringing, SIPSettings

agent = Agent(
    "You answer the phone of a bicycle shop. One or two short sentences.",
    greeting="Hello, this is the bicycle shop.",
)


async def talk(ringing: Ringing) -> None:
    """One call, from the answer to the end."""
    try:
        line = await ringing.answer()
    except UnavailableError as error:
        print(error)  # the caller has hung up already
        return
    await agent.session(line).run()


async def main() -> None:
    endpoint = Endpoint(SIPSettings(listen="127.0.0.1:5060"))
    async with agent, endpoint, asyncio.TaskGroup() as calls:
        async for ringing in endpoint.calls():
            calls.create_task(talk(ringing))


if __name__ == "__main__":
    asyncio.run(main())
