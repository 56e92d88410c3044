"""Virtual time, scripted services and conformance suites, for your own tests."""

from .client import ToldMessage, WireClient
from .conformance.audio import check_eot, check_filter, check_stt, check_tts, check_vad
from .conformance.llm import check_llm
from .conformance.realtime import check_realtime
from .conformance.transport import FarSide, check_transport
from .scripted import LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS, StreamingSTT, loud
from .scripted_realtime import ScriptedRealtime
from .virtual import VirtualLoop, run_virtual, virtual

__all__ = [
    "FarSide",
    "LoudVAD",
    "ScriptedEOT",
    "ScriptedLLM",
    "ScriptedRealtime",
    "ScriptedSTT",
    "ScriptedTTS",
    "StreamingSTT",
    "ToldMessage",
    "VirtualLoop",
    "WireClient",
    "check_eot",
    "check_filter",
    "check_llm",
    "check_realtime",
    "check_stt",
    "check_transport",
    "check_tts",
    "check_vad",
    "loud",
    "run_virtual",
    "virtual",
]
