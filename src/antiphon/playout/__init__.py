"""Playout: paces the agent's voice, and so knows what of it was heard."""
