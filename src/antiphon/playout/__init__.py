"""Paced playout of the agent's voice, backchannels and background sound."""
