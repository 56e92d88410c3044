"""The agent that commands such as `antiphon demo` use if no file is named."""

from .agent import AgentDefinition
from .conversation.tools import tool

__all__ = ["agent"]

HOURS = {"saturday": "ten to four", "sunday": "closed all day"}


@tool
async def opening_hours(day: str) -> str:
    """Look up the opening hours on a day of the week."""
    return HOURS.get(day.strip().lower(), "nine to six")


agent = AgentDefinition(
    "You answer the phone of a bicycle shop. One or two short sentences.",
    tools=[opening_hours],
    greeting="Hello, this is the bicycle shop. How can I help?",
)
