"""What does importing Antiphon cost: the core alone, and a whole bot?

A bot is the parts of an agent, the local models for voice activity and end of turn, and a language model over
HTTP, with the libraries that they load when used. Measured are CPU time and resident memory of a fresh
interpreter after the import: the cheapest of several tries, without the first, which reads the disk.
"""

import subprocess
import sys
from collections.abc import Mapping, Sequence

from . import Values

CORE = ("antiphon", "antiphon.pipeline", "antiphon.session")
PARTS = tuple(f"antiphon.services.{name}" for name in ("vad", "stt", "eot", "llm", "tts"))
MODELS = ("antiphon.vendors.local.vad", "antiphon.vendors.local.eot", "onnxruntime")
CLIENT = ("antiphon.vendors.openai", "httpx")

PROBE = """
import sys, time
from importlib import import_module
from pathlib import Path
began = time.process_time()
for name in sys.argv[1:]:
    import_module(name)
ms = 1e3 * (time.process_time() - began)
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
sys.__stdout__.write("\\n%r %r\\n" % (ms, int(status["VmRSS"].split()[0]) / 1024))
"""


def measure(quick: bool) -> Values:
    """Return `core_ms`, `core_mib`, `bot_ms` and `bot_mib`."""
    bot = ("antiphon.agent", *PARTS, "antiphon.turns.turn_taking", *MODELS, *CLIENT)
    return cost_of({"core": CORE, "bot": bot}, quick)


def cost_of(modules: Mapping[str, Sequence[str]], quick: bool) -> Values:
    """Return the CPU milliseconds and resident MiB of importing each named set of modules."""
    values: Values = {}
    for name, wanted in modules.items():
        tries = [_probe(wanted) for _ in range(3 if quick else 6)][1:]
        values[f"{name}_ms"] = min(ms for ms, _ in tries)
        values[f"{name}_mib"] = min(mib for _, mib in tries)
    return values


def _probe(modules: Sequence[str]) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *modules], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise ImportError(f"importing {', '.join(modules)} failed: {done.stderr.strip().splitlines()[-1]}")
    ms, mib = done.stdout.splitlines()[-1].split()
    return float(ms), float(mib)
