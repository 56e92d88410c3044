"""How services have done lately, and when one that failed may be tried again."""

from weakref import WeakKeyDictionary

__all__ = ["Health", "shared_health"]

FIRST_REST = 30.0  # seconds that a service rests after its first failure; then twice as long, and so on
LONGEST_REST = 300.0
LONG_AGO = float("-inf")


class Health:
    """The failures of a service, in seconds of whichever clock it is told."""

    def __init__(self) -> None:
        self.failures = 0
        """How often it failed again after a rest."""
        self.failed_at = LONG_AGO
        self.rests_until = LONG_AGO

    def fail(self, now: float) -> None:
        """Note a failure; only one after a rest makes the next rest longer."""
        if not self.rests_at(now):
            self.failures += 1
        self.failed_at = now
        self.rests_until = now + min(FIRST_REST * 2 ** (self.failures - 1), LONGEST_REST)

    def recover(self) -> None:
        """Note that it has done its work."""
        self.failures, self.rests_until = 0, LONG_AGO

    def rests_at(self, now: float) -> bool:
        """Return whether it is not to be tried yet."""
        return now < self.rests_until


_shared: "WeakKeyDictionary[object, Health]" = WeakKeyDictionary()


def shared_health(service: object) -> Health:
    """Return the health of a service, which the sessions of a process share.

    It is counted by the clocks of the sessions, which are one in one event loop. A service that cannot be a
    key of a dictionary has none to share.
    """
    try:
        return _shared.setdefault(service, Health())
    except TypeError:
        return Health()
