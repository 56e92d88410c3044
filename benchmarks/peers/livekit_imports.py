"""What does importing LiveKit Agents cost: the package alone, and with the plugins of the smallest bot?"""

from benchmarks import Values
from benchmarks.imports import cost_of

CORE = ("livekit.agents",)
PLUGINS = ("openai", "deepgram", "silero")


def measure(quick: bool) -> Values:
    """`core_ms`, `core_mib`, `bot_ms`, `bot_mib`."""
    bot = CORE + tuple(f"livekit.plugins.{name}" for name in PLUGINS)
    return cost_of({"core": CORE, "bot": bot}, quick)
