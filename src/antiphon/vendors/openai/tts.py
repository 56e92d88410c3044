"""OpenAI's text to speech.

https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

from typing import Any

from ...services.openai_speech import OpenAISpeech, SpeechEndpoint

__all__ = ["TTS"]


class TTS(OpenAISpeech):
    """Text to speech.

    `options` are further fields of each request, such as `instructions="Speak calmly."` or `speed=1.1`.
    """

    def __init__(
        self,
        model: str = "gpt-4o-mini-tts",
        *,
        voice: str = "marin",
        key: str | None = None,
        base_url: str = "https://api.openai.com/v1",
        **options: Any,
    ) -> None:
        endpoint = SpeechEndpoint("openai", base_url, "OPENAI_API_KEY", model, voice)
        super().__init__(model, endpoint, key=key, options=options)
