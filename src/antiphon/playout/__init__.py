"""Playout: paces the agent's voice, and so knows what was heard; background sound and backchannels."""
