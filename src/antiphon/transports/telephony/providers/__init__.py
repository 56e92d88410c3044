"""The telephone providers, one file each.

To add one, add a file; there is no list to extend.

`provider("twilio")` returns the `PROVIDER` record of the module `twilio` in this folder, or the record that
an installed package has registered as the entry point `twilio` of the group "antiphon.telephony".
`../port.py` defines what a record holds; `../json_events.py` is for providers that speak a variant of
Twilio's protocol.
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


@cache
def provider(name: str) -> Provider:
    """Return the record of a provider.

    Raises ConfigurationError for an unknown name.
    """
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
    """Return the records of all providers, sorted by name."""
    return [provider(name) for name in sorted(_names())]


class _CheckedAccount(dict[str, str]):
    """An account that names the environment variable of a missing value.

    Looking up a value that is not set raises ConfigurationError.
    """

    def __init__(self, of: Provider, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self._of = of

    def __missing__(self, name: str) -> str:
        raise ConfigurationError(
            f"{self._of.title} needs {self._of.environment.get(name, name)} for this: set it"
        )


def account(of: Provider, environment: Mapping[str, str] = os.environ) -> Account:
    """Return the values of an account that are set in the environment.

    Their keys are the provider's names. Looking up a value that is not set raises ConfigurationError.
    """
    found = {name: value for name, key in of.environment.items() if (value := environment.get(key))}
    return _CheckedAccount(of, found)


def missing(of: Provider, given: Account) -> list[str]:
    """Return the required environment variables that are not set."""
    return [key for name, key in of.environment.items() if name not in of.optional and name not in given]


@cache
def _names() -> frozenset[str]:
    own = (found.name for found in iter_modules([str(Path(__file__).parent)]))
    return frozenset([*own, *(entry.name for entry in entry_points(group=GROUP))])
