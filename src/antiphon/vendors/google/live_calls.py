"""The tool calls of Gemini Live that have no result yet."""

from collections.abc import Iterable
from itertools import count

from ...encodable import to_json
from ...services.vendor_values import fields, string
from ...signals import ToolCall

__all__ = ["LiveCalls"]


class LiveCalls:
    """Calls that wait for their results, and those that were withdrawn.

    On Vertex, calls have no ids, so they get some of ours.
    """

    def __init__(self) -> None:
        self.open: dict[str, str] = {}
        """Our ids to the vendor's, which may be ""."""
        self.withdrawn = set[str]()
        """Ids of calls that were withdrawn because the user spoke."""
        self._count = count(1)

    def begun(self, told: object) -> ToolCall:
        """Return a call that the vendor makes."""
        call = fields(told)
        theirs = string(call.get("id"))
        own = theirs or f"call-{next(self._count)}"
        self.open[own] = theirs
        return ToolCall(own, string(call.get("name")), to_json(fields(call.get("args"))).decode())

    def ended(self, own: str) -> str | None:
        """Return the vendor's id of a call that has its result; None if it wants none."""
        return self.open.pop(own, None)

    def withdraw(self, ids: Iterable[object]) -> None:
        """Note that the vendor does not want some results any more."""
        for call in map(string, ids):
            if self.open.pop(call, None) is not None:
                self.withdrawn.add(call)
