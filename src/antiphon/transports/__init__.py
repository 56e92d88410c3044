"""Transports, which carry media into a session and out of it.

`port.py` defines what each must offer.
"""
