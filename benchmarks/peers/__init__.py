"""How do the peers do the same work? One module for each peer and benchmark."""
