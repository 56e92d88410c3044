"""An agent that changes from a cascade to a model that hears and speaks. Say "Change the model, please".

Without OPENAI_API_KEY both are made of the local models.
"""

import os
from typing import Literal

from antiphon import Agent, Scope, tool
from antiphon.services.composite import Composite
from antiphon.vendors import create

cascade = Composite(create("stt", "local"), create("llm", "local"), create("tts", "local"))
models = {"cascade": cascade, "realtime": "openai" if "OPENAI_API_KEY" in os.environ else "local"}


@tool
async def change_model(kind: Literal["cascade", "realtime"], scope: Scope) -> str:
    """Answer with another kind of model from the next turn on."""
    scope.session.use(realtime=models[kind])
    return f"the next turn is answered by the {kind} model"


agent = Agent(
    "You talk about the weather. Change the model if asked.", realtime=cascade, tools=[change_model]
)

if __name__ == "__main__":
    agent.run()
