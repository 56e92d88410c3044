"""Transports: what carries media into a session and out of it.

`port.py` says what each must offer.
"""
