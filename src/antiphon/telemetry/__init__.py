"""What a conversation was like: how long each answer took, and why."""
