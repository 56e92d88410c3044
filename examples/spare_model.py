"""An agent with spare models: if one that hears and speaks fails, the next answers the same turn.

    python examples/spare_model.py

Vendors whose keys are set come first; the local model needs no key and is the last spare.
"""

import os

from antiphon import Agent

KEYS = {"openai": "OPENAI_API_KEY", "google": "GOOGLE_API_KEY"}
models = [vendor for vendor, key in KEYS.items() if key in os.environ]
agent = Agent("You answer the phone of a bicycle shop.", realtime=(*models, "local"))

if __name__ == "__main__":
    agent.run()
