"""An agent of pydantic-ai that answers the phone: `pip install pydantic-ai-slim`, then run this file.

Without a key it uses pydantic-ai's model for tests, which only calls the tool and says what it returned. With
one, for example: MODEL=openai:gpt-4.1-mini OPENAI_API_KEY=...
"""

import os

import pydantic_ai as framework

from antiphon import Agent
from antiphon.frameworks import pydantic_ai

shop = framework.Agent(os.environ.get("MODEL", "test"), instructions="You answer for a bicycle shop.")


@shop.tool_plain
def opening_hours(day: str) -> str:
    """Look up when the shop is open on a day of the week."""
    return "closed" if "sun" in day.lower() else "open from nine to five"


model = pydantic_ai.PydanticAIModel(shop, acts=False)
agent = Agent("You are on the telephone. One or two short sentences.", llm=model)

if __name__ == "__main__":
    agent.run()
