"""Who implements the ports: one file a vendor, found by its name. Nothing here names any of them.

`create("llm", "openai/gpt-4.1-mini")` imports the module `openai` of this folder, or what an installed
package has registered as the entry point `openai` of the group "antiphon.vendors", and makes what its
`VENDOR` record provides.
"""

from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from ..errors import ConfigurationError
from ..services.ports import Vendor

__all__ = ["available", "create"]

GROUP = "antiphon.vendors"
PORTS = {
    "stt": "speech to text",
    "llm": "language model",
    "tts": "text to speech",
    "vad": "voice activity",
    "eot": "end of turn",
    "cleaning": "cleaning of what is heard",
}


def create(port: str, spec: str) -> Any:
    """The service of a port that "vendor" or "vendor/model" names; ConfigurationError for other names."""
    name, _, model = spec.partition("/")
    module = _module(name)
    vendor: Vendor = module.VENDOR
    if port not in vendor.provides:
        others = ", ".join(one.name for one in available() if port in one.provides)
        raise ConfigurationError(
            f"{name} provides {_listed(vendor)}, not {PORTS.get(port, port)}; for that there are: {others}"
        )
    home, _, made = vendor.provides[port].rpartition(".")
    if home:
        module = import_module(f"{module.__name__}.{home}")
    model = model or (vendor.default or {}).get(port, "")
    return getattr(module, made)(model) if model else getattr(module, made)()


def available() -> list[Vendor]:
    """The records of all vendors, by name."""
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
    return ", ".join(PORTS.get(port, port) for port in vendor.provides)
