"""A quick voice with a slower model that thinks for it: ask for a plan, and go on talking meanwhile.

    python examples/thinking.py

The local models need no key, and think no better than they talk. With OPENAI_API_KEY both are OpenAI's.
"""

import os

from antiphon import Agent
from antiphon.services.thinking import thinking_tool

KEY = "OPENAI_API_KEY" in os.environ
think = thinking_tool("openai/gpt-5.2" if KEY else "local")

agent = Agent(
    "You help to plan journeys. For a plan, call think; say that you think about it, and go on talking.",
    realtime="openai/gpt-realtime-2.1:marin" if KEY else "local",
    tools=[think],
    greeting="Hello! Where shall we go?",
)

if __name__ == "__main__":
    agent.run()
