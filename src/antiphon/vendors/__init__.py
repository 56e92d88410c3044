"""The vendors, found by name: a module or folder each, or a row of a table.

`create("llm", "openai/gpt-4.1-mini")` imports the module `openai` of this folder, or the one that an
installed package has registered as the entry point `openai` of the group "antiphon.vendors", and makes the
service that its `VENDOR` record names. A vendor that is just another endpoint for chat completions is a row
of `_chat_endpoints.py`.
"""

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, partial
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from ..errors import ConfigurationError
from ..services.ports import CLEANING, PORTS, Vendor

__all__ = ["available", "create", "is_resident", "record"]

GROUP = "antiphon.vendors"
WORDS = {name: port.words for name, port in {**PORTS, "cleaning": CLEANING}.items()}


def create(port: str, spec: str) -> Any:
    """Make the service of a port that a text like "vendor/model:option" names.

    What stands behind the colon is the voice of a text to speech, or the language of a speech to text.
    Raises ConfigurationError if there is no such name, or if the vendor lacks what it needs.
    """
    name, _, model = spec.partition("/")
    vendor = record(name)
    if port not in vendor.provides:
        others = ", ".join(one.name for one in available() if port in one.provides)
        raise ConfigurationError(
            f"{name} provides {_listed(vendor)}, not {WORDS.get(port, port)}; for that there are: {others}"
        )
    options: dict[str, str] = {}
    if option := (vendor.options or {}).get(port):
        model, _, value = model.partition(":")
        options = {option: value} if value else {}
    model = model or (vendor.default or {}).get(port, "")
    make = _maker(vendor, port)
    return make(model, **options) if model else make(**options)


def is_resident(port: str, spec: str) -> bool:
    """Return True if the vendor's record says that the service cannot be forked.

    `spec` is "vendor" or "vendor/model".
    """
    return port in record(spec.partition("/")[0]).resident


def available() -> list[Vendor]:
    """Return the records of all vendors, sorted by name."""
    return [record(name) for name in sorted(_names())]


@cache
def record(name: str) -> Vendor:
    """Return the record of a vendor.

    Raises ConfigurationError, which names the nearest, if there is none.
    """
    module = _module(name)
    vendor: Vendor | None = None if module is None else module.VENDOR
    if vendor is not None and "llm" in vendor.provides:
        return vendor
    from ._chat_endpoints import CHAT_ENDPOINTS

    row = CHAT_ENDPOINTS.get(name)
    if row is not None:
        vendor = vendor or Vendor(name, {}, row.docs, row.key_variable, "services", {})
        default = {**(vendor.default or {}), "llm": row.default}
        vendor = replace(vendor, provides={**vendor.provides, "llm": ""}, default=default)
    if vendor is None:
        near = get_close_matches(name, _names(), 1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ConfigurationError(
            f"there is no vendor {name!r}.{hint} There are: {', '.join(sorted(_names()))}"
        )
    return vendor


def _maker(vendor: Vendor, port: str) -> Callable[..., Any]:
    """Return what makes the service: a class of the vendor, or a row's driver."""
    if not (place := vendor.provides[port]):
        from ..services.openai_compatible import ChatCompletions
        from ._chat_endpoints import CHAT_ENDPOINTS

        return partial(ChatCompletions, endpoint=CHAT_ENDPOINTS[vendor.name])
    home, _, name = place.rpartition(".")
    module = _module(vendor.name)
    assert module is not None, vendor
    return getattr(import_module(f"{module.__name__}.{home}") if home else module, name)


@cache
def _names() -> frozenset[str]:
    from ._chat_endpoints import CHAT_ENDPOINTS

    own = (found.name for found in iter_modules(__path__) if not found.name.startswith("_"))
    return frozenset([*own, *CHAT_ENDPOINTS, *(entry.name for entry in entry_points(group=GROUP))])


@cache
def _module(name: str) -> ModuleType | None:
    """Return the module of a vendor; None if it has none."""
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    own = {found.name for found in iter_modules(__path__)}
    return import_module(f"{__name__}.{name}") if name in own and not name.startswith("_") else None


def _listed(vendor: Vendor) -> str:
    return ", ".join(WORDS.get(port, port) for port in vendor.provides)
