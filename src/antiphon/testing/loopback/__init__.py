"""Servers on loopback that speak vendors' protocols, and check what is sent.

    async with DeepgramListen() as server:
        await check_stt(lambda: Nova(key=KEY, base_url=server.url), LOUD, WORDS)

They hear and speak by rule: loud audio is "the words", and a text lasts 50 ms for each character. With a
`Fault` they fail as vendors do. A message that the vendor would not accept raises an AssertionError, which
leaving the server raises again.
"""

from .server import KEY, LOUD, WORDS, Fault, VendorServer

__all__ = ["KEY", "LOUD", "WORDS", "Fault", "VendorServer"]
