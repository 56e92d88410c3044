"""OpenAI's Realtime protocol as it was in beta, which some vendors still speak.

https://learn.microsoft.com/azure/ai-services/speech-service/voice-live-how-to

Settings stand side by side, and some messages have other names ("response.audio.delta"), which the base class
reads as well.
"""

from typing import Any, ClassVar

from ..context import Context
from .openai_realtime import OpenAIRealtimeCodec

__all__ = ["FlatRealtimeCodec"]


class FlatRealtimeCodec(OpenAIRealtimeCodec):
    """A connection that speaks the protocol of the beta."""

    said: ClassVar[str] = "text"

    def session(self, context: Context) -> dict[str, Any]:
        return {**self.settings, **self.known(context)}

    def update(self, context: Context) -> dict[str, Any]:
        return self.known(context)
