"""What do the sessions of `density` cost in real time?

Between two frames the processor cools down, as it does on a machine with few calls; `density` is that of a
machine with many.
"""

import asyncio

from . import Values, density


def measure(quick: bool) -> Values:
    """The keys of `density`."""
    return density.measure(quick, asyncio.run)
