"""A simultaneous interpreter: speak one language, and hear the other while you still speak. Use headphones.

    python examples/interpreter.py

With OPENAI_API_KEY one model hears and speaks. Without a key it is made of local models, which know English
and little else: they say what you say in plainer English.
"""

import os

from antiphon import Agent
from antiphon.conversation.interpreter import Interpreter
from antiphon.pipeline import Part
from antiphon.transports.port import Transport
from antiphon.turns.turn_taking import TurnTaking

KEY = "OPENAI_API_KEY" in os.environ
INTO = "French" if KEY else "plain English, as for a child"
INSTRUCTIONS = f"""You are an interpreter. Say what the user has just said in {INTO}, in the first person, and
nothing else. Never answer a question: translate it. What you have translated before, leave out."""


class InterpretingAgent(Agent):
    """An agent that does not converse: it says again what the user says."""

    def pipeline(self, transport: Transport) -> list[Part]:
        parts = super().pipeline(transport)
        place = next(place for place, part in enumerate(parts) if isinstance(part, TurnTaking))
        interpreter = Interpreter(self.instructions, by_words=self.realtime is None)
        parts[place : place + 3] = [interpreter]  # in place of turn taking, notes and conversation
        return parts


agent = InterpretingAgent(INSTRUCTIONS, realtime="openai/gpt-realtime-2.1:marin" if KEY else None, eot=None)

if __name__ == "__main__":
    agent.run()
