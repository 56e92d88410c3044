"""How Google Cloud's services over gRPC are reached, and with which credentials."""

from importlib import import_module
from typing import Any

from ...clock import offload
from ...errors import ConfigurationError, UnavailableError

__all__ = ["CloudCredentials"]

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


class CloudCredentials:
    """The credentials that Google's own library finds.

    https://cloud.google.com/docs/authentication

    None are needed for a server at "http://", which is one on this machine. Raises ConfigurationError if
    there are none.
    """

    def __init__(self, address: str, key: str | None = None) -> None:
        self._needed = not address.startswith("http://")
        self._key = key
        self._found: Any = None

    async def find(self) -> None:
        """Find the credentials, outside the event loop."""
        if self._needed and not self._key and self._found is None:
            self._found = await offload(None, _found)

    async def metadata(self) -> list[tuple[str, str]]:
        """Return what goes with a call; tokens are renewed when they are due."""
        if self._key:
            return [("x-goog-api-key", self._key)]
        await self.find()
        if (found := self._found) is None:
            return []
        if not found.valid:
            await offload(None, _renew, found)
        project = getattr(found, "quota_project_id", None)
        billed = [("x-goog-user-project", str(project))] if project else []
        return [("authorization", f"Bearer {found.token}"), *billed]


def _found() -> Any:
    try:
        auth = import_module("google.auth")
        import_module("google.auth.transport.requests")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'google needs {error.name}, which is not installed: pip install "antiphon[google]"'
        ) from error
    try:
        return auth.default(scopes=[SCOPE])[0]
    except auth.exceptions.GoogleAuthError as error:
        raise ConfigurationError(f"google found no credentials: {error}") from error


def _renew(found: Any) -> None:
    request = import_module("google.auth.transport.requests").Request()
    try:
        found.refresh(request)
    except import_module("google.auth.exceptions").GoogleAuthError as error:
        raise UnavailableError(f"google gave no token: {error}") from error
