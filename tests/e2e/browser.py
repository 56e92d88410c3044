"""A stand-in for a browser: a peer of aiortc's that does what the SmallWebRTC clients do."""
