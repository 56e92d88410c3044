"""A whole agent. python examples/bicycle_shop.py, with --text to type or --wav CALLER.wav for a recording."""

from antiphon import Agent, tool


@tool
async def opening_hours(day: str) -> str:
    """When the shop is open on a day of the week."""
    return "closed" if day.lower() == "sunday" else "nine to five"


agent = Agent(
    "You answer the phone of a bicycle shop. One or two short sentences.",
    tools=[opening_hours],
    greeting="Hello, this is the bicycle shop.",
)

if __name__ == "__main__":
    agent.run()
