"""An agent of the OpenAI Agents SDK that answers the phone: `pip install openai-agents`, then run this file.

It needs no key: the model is that of a server on this machine that speaks like OpenAI's, such as Ollama's.
"""

# pyright: basic, reportMissingImports=false
# The package is not in the development group.

import os

import agents
from openai import AsyncOpenAI

from antiphon import Agent
from antiphon.frameworks import openai_agents

SERVER = AsyncOpenAI(base_url=os.environ.get("SERVER", "http://localhost:11434/v1"), api_key="none")
MODEL = agents.OpenAIChatCompletionsModel(os.environ.get("MODEL", "qwen3:4b-instruct"), SERVER)


@agents.function_tool
def opening_hours(day: str) -> str:
    """Look up when the shop is open on a day of the week."""
    return "closed" if "sun" in day.lower() else "open from nine to five"


shop = agents.Agent("shop", instructions="You answer for a bicycle shop.", model=MODEL, tools=[opening_hours])

agent = Agent(
    "You are on the telephone. One or two short sentences.",
    llm=openai_agents.OpenAIAgentsModel(shop, run_config=agents.RunConfig(tracing_disabled=True), acts=False),
)

if __name__ == "__main__":
    agent.run()
