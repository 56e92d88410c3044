"""Telemetry: what a conversation was like, such as how long each answer took."""
