"""An agent that changes its voice when it is asked to. Say "Speak in another voice, please"."""

from typing import Literal

from antiphon import Agent, Scope, tool


@tool
async def change_voice(voice: Literal["heart", "fenrir", "emma", "fable", "kore"], scope: Scope) -> str:
    """Speak in another voice from now on."""
    await scope.session.use(tts=f"local/{voice}")
    return f"you speak in the voice of {voice} now"


agent = Agent(
    "You talk about the weather. If the user wants another voice, change it.",
    tools=[change_voice],
    greeting="Hello. Would you rather hear another voice?",
)

if __name__ == "__main__":
    agent.run()
