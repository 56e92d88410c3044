"""The telephone providers: one file each, found by its name. Nothing here names any of them.

`provider("twilio")` imports the module `twilio` of this folder, or what an installed package has registered
as the entry point `twilio` of the group "antiphon.telephony", and gives its `PROVIDER` record.
"""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from pkgutil import iter_modules

from ....errors import ConfigurationError
from ..port import Account, Provider

__all__ = ["account", "available", "missing", "provider"]

GROUP = "antiphon.telephony"
SHARED = {
    *("call", "coding", "ends", "events", "line", "order", "port", "providers"),
    *("rest", "screening", "signatures", "warm"),
}
"""The modules of this folder that are no provider's."""


@cache
def provider(name: str) -> Provider:
    """The record of a provider; ConfigurationError for a name that nobody has."""
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    if name in _names():
        return import_module(f"{__package__}.{name}").PROVIDER
    near = get_close_matches(name, _names(), 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ConfigurationError(
        f"there is no telephone provider {name!r:.40}.{hint} There are: {', '.join(sorted(_names()))}"
    )


def available() -> list[Provider]:
    """The records of all providers, by name."""
    return [provider(name) for name in sorted(_names())]


class _Known(dict[str, str]):
    """An account that says which environment variable it lacks, when that is needed."""

    def __init__(self, of: Provider, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self._of = of

    def __missing__(self, name: str) -> str:
        raise ConfigurationError(
            f"{self._of.title} needs {self._of.environment.get(name, name)} for this: set it"
        )


def account(of: Provider, environment: Mapping[str, str] = os.environ) -> Account:
    """What the environment says of the account, by the provider's names.

    What is not set is not in it; asked for it all the same, it raises ConfigurationError.
    """
    found = {name: value for name, key in of.environment.items() if (value := environment.get(key))}
    return _Known(of, found)


def missing(of: Provider, given: Account) -> list[str]:
    """The environment variables that an account lacks for any request to its provider."""
    return [key for name, key in of.environment.items() if name not in of.optional and name not in given]


@cache
def _names() -> frozenset[str]:
    own = (found.name for found in iter_modules([str(Path(__file__).parent)]))
    return frozenset([*own, *(entry.name for entry in entry_points(group=GROUP))]) - SHARED
