"""The frameworks that we are measured against: how each is installed, and the same work done with it."""
