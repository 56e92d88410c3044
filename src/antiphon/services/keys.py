"""The key of a vendor: given in the code, or found in the environment."""

import os
from string import Formatter

from ..errors import ConfigurationError

__all__ = ["VendorKey", "filled_in", "variables_in"]


class VendorKey:
    """A key that `variable` of the environment holds, unless one is given.

    It is read when it is first needed, so that a service can be made before the environment is complete.
    With `variable=None` there may be none: `value` is then "".
    """

    def __init__(self, vendor: str, variable: str | None, given: str | None = None) -> None:
        self.vendor = vendor
        self.name = variable or "the key"
        self._variable = variable
        self._given = given

    @property
    def found(self) -> str:
        """The key; "" if it is missing."""
        return (self._given or (os.environ.get(self._variable) if self._variable else None) or "").strip()

    @property
    def value(self) -> str:
        """The key. Raises ConfigurationError if it is missing, or cannot be one."""
        key = self.found
        if not key and self._variable is not None:
            raise ConfigurationError(
                f"{self.vendor} needs a key: set {self._variable} in the environment, or pass key="
            )
        if not key.isascii() or not key.isprintable():
            raise ConfigurationError(f"the key for {self.vendor} has characters that no key has")
        return key

    def check(self, url: str = "", **others: str | None) -> None:
        """Raise ConfigurationError, which names all that is missing at once.

        That is the key, a variable in braces in `url`, or one of `others`, values by their variables.
        """
        needed = {self._variable: self.found} if self._variable else {}
        needed |= {name: os.environ.get(name) for name in variables_in(url)} | others
        missing = [name for name, value in needed.items() if not value]
        if missing and missing != [self._variable]:
            listed = " and ".join(filter(None, (", ".join(missing[:-1]), missing[-1])))
            what = "them" if len(missing) > 1 else "it"
            raise ConfigurationError(f"{self.vendor} needs {listed}: set {what} in the environment")
        _ = self.value


def variables_in(url: str) -> list[str]:
    """Return the names of the variables of the environment in an address."""
    return [name for _, name, _, _ in Formatter().parse(url) if name]


def filled_in(vendor: str, url: str) -> str:
    """Return an address, with names in braces replaced from the environment.

    Raises ConfigurationError, which names it, if one is missing.
    """
    try:
        return url.format_map(os.environ).rstrip("/")
    except KeyError as error:
        raise ConfigurationError(
            f"{vendor} needs an address: set {error.args[0]} in the environment"
        ) from error
