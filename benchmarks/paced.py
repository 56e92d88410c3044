"""What do the sessions of `density` cost in real time?

Here the processor's caches cool down between two frames, as on a machine with few calls; `density` stands for
a machine with many calls.
"""

import asyncio

from . import Values, density


def measure(quick: bool) -> Values:
    """Return the keys of `density`."""
    return density.measure(quick, asyncio.run)
