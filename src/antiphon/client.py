"""The client: the program at the user's side, as the tools of a session see it."""

from typing import Any, Protocol

__all__ = ["Client"]


class Client(Protocol):
    """The program at the user's side, such as a web page that speaks RTVI.

    The implementation of the client protocol sets `Session.client`. To send the client something, push a
    ServerMessage.
    """

    async def result(self, call: str) -> Any:
        """Wait for the client's result of the tool call with this id."""
        ...
