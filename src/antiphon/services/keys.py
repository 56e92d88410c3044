"""The key of a vendor: given in the code, or found in the environment."""

import os

from ..errors import ConfigurationError

__all__ = ["VendorKey", "filled_in"]


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
    def value(self) -> str:
        """The key. Raises ConfigurationError if it is missing, or cannot be one."""
        key = (self._given or (os.environ.get(self._variable) if self._variable else None) or "").strip()
        if not key and self._variable is not None:
            raise ConfigurationError(
                f"{self.vendor} needs a key: set {self._variable} in the environment, or pass key="
            )
        if not key.isascii() or not key.isprintable():
            raise ConfigurationError(f"the key for {self.vendor} has characters that no key has")
        return key

    def check(self) -> None:
        """Raise ConfigurationError if the key is missing."""
        _ = self.value


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
