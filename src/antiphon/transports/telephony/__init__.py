"""Telephone calls over a provider's websocket.

There is one codec for each provider, and one transport for all of them. A provider is one file in
`providers/`, which ends in a `PROVIDER` record; `port.py` defines what it must offer.
"""
