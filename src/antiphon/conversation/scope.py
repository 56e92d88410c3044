"""The scope of a tool call: what a tool's function may use besides its arguments."""

from dataclasses import dataclass

from ..client import Client
from ..context import Context, ToolCall
from ..processor import SessionPort

__all__ = ["Scope"]

NOTHING = Context("")


@dataclass(frozen=True, slots=True)
class Scope:
    """What one call of a tool may use, passed to a parameter of this type.

    `reply` is the number of the reply that made the call; `context` is the conversation up to it.
    """

    session: SessionPort
    call: ToolCall
    reply: int
    context: Context = NOTHING

    @property
    def client(self) -> Client | None:
        """The program at the user's side; None if there is none, as on the phone."""
        return self.session.client
