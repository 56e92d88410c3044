"""What was said: messages, the context that a model reads, and tools."""
