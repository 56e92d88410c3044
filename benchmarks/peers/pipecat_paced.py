"""What do the Pipecat sessions of `pipecat_density` cost in real time?

Between two frames the processor cools down, as it does on a machine with few calls; `pipecat_density` is that
of a machine with many.
"""

import asyncio

from benchmarks import Values

from . import pipecat_density


def measure(quick: bool) -> Values:
    """The keys of `pipecat_density`."""
    return pipecat_density.measure(quick, asyncio.run)
