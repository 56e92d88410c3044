"""How much disk does Pipecat's core take, with everything that it requires?"""

from benchmarks import Values
from benchmarks.installed import size_mb


def measure(quick: bool) -> Values:
    """`core_mb`."""
    return {"core_mb": size_mb(["pipecat-ai"])}
