"""How much disk space does the core take, with everything that it requires and without extras?"""

import re
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from tomllib import loads

from . import Values

ROOT = Path(__file__).parent.parent


def measure(quick: bool) -> Values:
    """Return `core_mb`: the package in this tree and its dependencies by pyproject.toml."""
    project = loads((ROOT / "pyproject.toml").read_text())["project"]
    own = (path for path in (ROOT / "src" / "antiphon").rglob("*") if path.is_file())
    return {"core_mb": _mb(own) + size_mb(project["dependencies"])}


def size_mb(requirements: Iterable[str]) -> float:
    """Return the megabytes (10**6 bytes on disk) of these distributions and all that they require."""
    found: dict[str, Distribution] = {}
    waiting = [(_name(requirement), True) for requirement in requirements]
    while waiting:
        name, wanted = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            if wanted:
                raise
            continue  # required on other platforms or older Pythons only
        waiting += [(_name(line), False) for line in found[name].requires or () if "extra ==" not in line]
    return sum(_mb(Path(str(file.locate())) for file in one.files or ()) for one in found.values())


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def _mb(files: Iterable[Path]) -> float:
    return sum(path.stat().st_blocks * 512 for path in files if path.exists()) / 1e6
