"""An agent whose model hears and speaks by itself.

    python examples/speech_to_speech.py

The local model needs no key. With OPENAI_API_KEY and `realtime="openai"` it is OpenAI's.
"""

import os

from antiphon import Agent, tool


@tool
async def opening_hours(day: str) -> str:
    """When the shop is open on a day of the week."""
    return "closed" if day.lower() == "sunday" else "nine to five"


model = "openai/gpt-realtime-2.1:marin" if "OPENAI_API_KEY" in os.environ else "local"
agent = Agent("You answer the phone of a bicycle shop.", realtime=model, tools=[opening_hours])

if __name__ == "__main__":
    agent.run()
