"""Who has the floor: rules for speech, for the end of a turn, and for interruptions."""
