"""RTVI, the client protocol that the public client libraries speak.

See docs/reference/rtvi.md.
"""

from .protocol import RTVI
from .tools import Typed, client_tool, job_group, ui_command

__all__ = ["RTVI", "Typed", "client_tool", "job_group", "ui_command"]
