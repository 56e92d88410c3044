"""The key of a vendor: given in the code, or found in the environment."""

import os

from ..errors import ConfigurationError

__all__ = ["Key"]


class Key:
    """A key that `variable` of the environment holds, unless one is given.

    It is read when it is first needed, so that a service can be made before the environment is complete.
    """

    def __init__(self, vendor: str, variable: str, given: str | None = None) -> None:
        self.vendor = vendor
        self.name = variable
        self._given = given

    @property
    def value(self) -> str:
        """The key. Raises ConfigurationError if it is missing, or cannot be one."""
        key = (self._given or os.environ.get(self.name) or "").strip()
        if not key:
            raise ConfigurationError(
                f"{self.vendor} needs a key: set {self.name} in the environment, or pass key="
            )
        if not key.isascii() or not key.isprintable():
            raise ConfigurationError(f"the key for {self.vendor} has characters that no key has")
        return key

    def check(self) -> None:
        """Raise ConfigurationError if the key is missing."""
        _ = self.value
