"""The client protocol: RTVI, as the public client libraries speak it. See docs/reference/rtvi.md."""

from .protocol import RTVI
from .tools import Typed, client_of, client_tool, job_group, ui_command

__all__ = ["RTVI", "Typed", "client_of", "client_tool", "job_group", "ui_command"]
