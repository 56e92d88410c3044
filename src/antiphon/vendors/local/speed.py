"""How fast a language model writes here: measured once, kept beside the models.

FOLDER/.speeds.json maps a model, the processor, its cores and the threads used to tokens per second. To have
a model measured again, remove the file or the model's entry in it. A machine that was busy seems slow, so a
value that rules the better model out is measured again after a week.
"""

import json
import os
import platform
import time
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypedDict

FAST_ENOUGH = 15.0
"""Tokens a second, well above the four or so of speech: an answer also has to begin soon."""
WEEK = 7 * 24 * 3600.0
FILE = ".speeds.json"


class Measurable(Protocol):
    """A model in memory."""

    def tokens_a_second(self) -> float: ...


class Measurement(TypedDict):
    """One line of the file; `when` in seconds since 1970."""

    tokens_a_second: float
    when: float


def speed_of(engine: Measurable, folder: Path, model: str, threads: int) -> float:
    """Measure a model, and remember the result if the folder can be written."""
    speed = engine.tokens_a_second()
    known = _read(folder) | {_key(model, threads): Measurement(tokens_a_second=speed, when=time.time())}
    with suppress(OSError):
        part = folder / f"{FILE}.{os.getpid()}"
        part.write_text(json.dumps(known, indent=1) + "\n")
        part.replace(folder / FILE)
    return speed


def remembered(
    folder: Path, model: str, threads: int | None = None, enough: float = FAST_ENOUGH
) -> float | None:
    """Return the measured tokens per second, or None if there are none.

    With `threads=None` it is the best value for any number of threads.

    A value that is not above `enough` is forgotten after a week.
    """
    found = [
        one
        for key, one in _read(folder).items()
        if (key == _key(model, threads) if threads else key.startswith(f"{model} on {machine()}"))
    ]
    best = max(found, key=lambda one: one["tokens_a_second"], default=None)
    if best is None or (best["tokens_a_second"] <= enough and time.time() - best["when"] > WEEK):
        return None
    return best["tokens_a_second"]


def machine() -> str:
    """Return the processor's name and cores: the folder may move to another machine."""
    name = platform.processor() or platform.machine()
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    return f"{name}, {os.cpu_count()} cores"


def _key(model: str, threads: int) -> str:
    return f"{model} on {machine()}, {threads} threads"


def _read(folder: Path) -> dict[str, Measurement]:
    """What the file holds; nothing if it is missing or not what is written here."""
    with suppress(OSError, ValueError, AttributeError, KeyError, TypeError):
        known: dict[str, Measurement] = json.loads((folder / FILE).read_text())
        return {
            key: Measurement(tokens_a_second=float(one["tokens_a_second"]), when=float(one["when"]))
            for key, one in known.items()
        }
    return {}
