"""What do the LiveKit Agents sessions of `livekit_density` cost in real time?

Between two frames the processor cools down, as it does on a machine with few calls; `livekit_density` is that
of a machine with many.
"""

import asyncio

from benchmarks import Values

from . import livekit_density


def measure(quick: bool) -> Values:
    """The keys of `livekit_density`."""
    return livekit_density.measure(quick, asyncio.run)
