"""How much disk does LiveKit Agents take, with everything that it requires?"""

from benchmarks import Values
from benchmarks.installed import size_mb


def measure(quick: bool) -> Values:
    """`core_mb`."""
    return {"core_mb": size_mb(["livekit-agents"])}
