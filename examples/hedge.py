"""An agent that asks a second language model if the first has not answered within 0.8 seconds."""

from antiphon import Agent, Race
from antiphon.pipeline import Part
from antiphon.services.llm import LLM
from antiphon.transports.port import Transport
from antiphon.vendors import create

SECOND = create("llm", "groq/openai/gpt-oss-120b")


class Hedged(Agent):
    """Answers with the words of whichever model is first."""

    def pipeline(self, transport: Transport) -> list[Part]:
        parts = super().pipeline(transport)
        place = next(index for index, part in enumerate(parts) if isinstance(part, LLM))
        parts[place] = Race(parts[place], LLM(SECOND), after=0.8)
        return parts


agent = Hedged("You answer the phone of a bicycle shop.", llm="openai/gpt-4.1-mini")

if __name__ == "__main__":
    agent.run()
