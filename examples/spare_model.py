"""An agent with spare models: if one that hears and speaks fails, the next answers the same turn."""

from antiphon import Agent

agent = Agent("You answer the phone of a bicycle shop.", realtime=("openai", "google", "local"))

if __name__ == "__main__":
    agent.run()
