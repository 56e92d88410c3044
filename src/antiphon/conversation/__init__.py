"""The conversation: its history, the context that a model reads, and tools."""
