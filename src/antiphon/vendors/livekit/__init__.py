"""Plugins of LiveKit as services, without a room and without a job.

    Agent("...", stt="livekit/gladia", llm="livekit/groq/openai/gpt-oss-120b", tts="livekit/asyncai:VOICE")

With parameters of the plugin, or with its object:

    from antiphon.vendors.livekit.stt import STT
    Agent("...", stt=STT("gladia", energy_filter=True))
    Agent("...", stt=STT(gladia.STT(energy_filter=True)))

A plugin is a package of its own: pip install "antiphon[livekit]" livekit-plugins-gladia. It reads its key
from the environment under a name of its own. https://docs.livekit.io/agents/models
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="livekit",
    provides={"stt": "stt.STT", "llm": "llm.LLM", "tts": "tts.TTS"},
    docs="https://docs.livekit.io/agents/models",
    extra="livekit",
    default={"stt": "", "llm": "", "tts": ""},
    options={"stt": "language", "tts": "voice"},
    can={"llm": ("tools",)},
    checked="2026-11-30",
)
