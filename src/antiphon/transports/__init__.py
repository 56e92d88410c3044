"""What carries media in and out of a session."""
