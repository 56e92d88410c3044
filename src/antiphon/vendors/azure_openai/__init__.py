"""Azure OpenAI: speech to speech; language models are a row of a table.

https://learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="azure_openai",
    provides={"realtime": "realtime.Realtime"},
    docs="https://learn.microsoft.com/azure/ai-foundry/openai/how-to/realtime-audio",
    env=("AZURE_OPENAI_API_KEY", "AZURE_OPENAI_RESOURCE"),
    extra="services",
    default={"realtime": ""},
    options={"realtime": "voice"},
    checked="2026-11-30",
)
