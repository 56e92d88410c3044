"""Completion of the names of vendors and models in the shell."""

from collections.abc import Callable, Iterator

from ...services.ports import PORTS
from ...vendors import available

__all__ = ["service_names", "service_names_of", "vendor_names"]


def service_names(incomplete: str) -> list[str]:
    """Return the vendors, and their default models, that a beginning fits."""
    return [name for name in _names(tuple(PORTS)) if name.startswith(incomplete)]


def service_names_of(port: str) -> Callable[[str], list[str]]:
    """Return the completion of a list of services of one port.

    The list has commas between its names.
    """

    def complete(incomplete: str) -> list[str]:
        before, comma, name = incomplete.rpartition(",")
        return [f"{before}{comma}{one}" for one in _names((port,)) if one.startswith(name)]

    return complete


def vendor_names(incomplete: str) -> list[str]:
    """Return the vendors that a beginning fits."""
    return [vendor.name for vendor in available() if vendor.name.startswith(incomplete)]


def _names(ports: tuple[str, ...]) -> Iterator[str]:
    for vendor in available():
        provided = [port for port in ports if port in vendor.provides]
        if provided:
            yield vendor.name
        models = dict.fromkeys(model for port in provided if (model := (vendor.default or {}).get(port)))
        yield from (f"{vendor.name}/{model}" for model in models)
