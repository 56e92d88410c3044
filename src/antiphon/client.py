"""The client: the program at the user's side, as the tools of a session see it."""

from typing import Any, Protocol

__all__ = ["Client"]


class Client(Protocol):
    """A program that talks with the session over a client protocol, such as a web page that speaks RTVI.

    The protocol's implementation sets `Session.client`. To send the client something, push a ServerMessage.
    """

    async def result(self, call: str) -> Any:
        """Wait for what the client's function returns for the tool call with this id."""
        ...
