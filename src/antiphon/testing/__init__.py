"""For tests of agents and of services: virtual time, scripted services and callers, conformance suites."""

from .client import Told, WireClient
from .scripted import LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS, StreamingSTT, loud
from .virtual import VirtualLoop, run_virtual, virtual

__all__ = [
    "LoudVAD",
    "ScriptedEOT",
    "ScriptedLLM",
    "ScriptedSTT",
    "ScriptedTTS",
    "StreamingSTT",
    "Told",
    "VirtualLoop",
    "WireClient",
    "loud",
    "run_virtual",
    "virtual",
]
