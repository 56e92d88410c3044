"""The vendors, one file each, found by name: no list of them stands in the code.

`create("llm", "openai/gpt-4.1-mini")` imports the module `openai` of this folder, or the one that an
installed package has registered as the entry point `openai` of the group "antiphon.vendors", and makes the
service that its `VENDOR` record names.
"""

from collections.abc import Callable
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from ..errors import ConfigurationError
from ..services.ports import CLEANING, PORTS, Vendor

__all__ = ["available", "create", "is_resident"]

GROUP = "antiphon.vendors"
WORDS = {name: port.words for name, port in {**PORTS, "cleaning": CLEANING}.items()}


def create(port: str, spec: str) -> Any:
    """Make the service of a port that "vendor" or "vendor/model" names.

    Raises ConfigurationError if there is no such name, or if the vendor lacks what it needs.
    """
    name, _, model = spec.partition("/")
    module = _module(name)
    vendor: Vendor = module.VENDOR
    if port not in vendor.provides:
        others = ", ".join(one.name for one in available() if port in one.provides)
        raise ConfigurationError(
            f"{name} provides {_listed(vendor)}, not {WORDS.get(port, port)}; for that there are: {others}"
        )
    home, _, name = vendor.provides[port].rpartition(".")
    if home:
        module = import_module(f"{module.__name__}.{home}")
    make: Callable[..., Any] = getattr(module, name)
    model = model or (vendor.default or {}).get(port, "")
    return make(model) if model else make()


def is_resident(port: str, spec: str) -> bool:
    """Return True if the vendor's record says that the service cannot be forked.

    `spec` is "vendor" or "vendor/model".
    """
    vendor: Vendor = _module(spec.partition("/")[0]).VENDOR
    return port in vendor.resident


def available() -> list[Vendor]:
    """Return the records of all vendors, sorted by name."""
    return [_module(name).VENDOR for name in sorted(_names())]


@cache
def _names() -> frozenset[str]:
    own = (found.name for found in iter_modules(__path__))
    return frozenset([*own, *(entry.name for entry in entry_points(group=GROUP))])


@cache
def _module(name: str) -> ModuleType:
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    if name in _names():
        return import_module(f"{__name__}.{name}")
    near = get_close_matches(name, _names(), 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigurationError(f"there is no vendor {name!r}.{hint} There are: {', '.join(sorted(_names()))}")


def _listed(vendor: Vendor) -> str:
    return ", ".join(WORDS.get(port, port) for port in vendor.provides)
