"""Google: the Gemini language models.

https://ai.google.dev/api
"""

from ...services.ports import Vendor

VENDOR = Vendor(
    name="google",
    provides={"llm": "llm.LLM"},
    docs="https://ai.google.dev/api",
    env="GOOGLE_API_KEY",
    extra="services",
    default={"llm": "gemini-2.5-flash"},
)
