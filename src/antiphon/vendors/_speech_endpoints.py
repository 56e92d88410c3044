"""The endpoints for speech and transcription like OpenAI's: a row each."""

from ..services.http_stt import TranscriptionEndpoint
from ..services.openai_speech import SpeechEndpoint

__all__ = ["SPEECH_ENDPOINTS", "TRANSCRIPTION_ENDPOINTS"]

_TRANSCRIPTIONS = (
    TranscriptionEndpoint(
        "groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "whisper-large-v3-turbo",
        "https://console.groq.com/docs/speech-to-text",
    ),
    TranscriptionEndpoint(
        "vllm", "http://localhost:8000/v1", None, "openai/whisper-large-v3",
        "https://docs.vllm.ai/en/latest/serving/openai_compatible_server",
    ),
)  # fmt: skip

_VOICES = (
    SpeechEndpoint(
        "kokoro", "http://localhost:8880/v1", None, "kokoro", "af_heart",
        "https://github.com/remsky/Kokoro-FastAPI",
    ),
    SpeechEndpoint(
        "orpheus", "http://localhost:5005/v1", None, "orpheus", "tara",
        "https://github.com/Lex-au/Orpheus-FastAPI",
    ),
    SpeechEndpoint(
        "vllm", "http://localhost:8091/v1", None, "Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice", "Vivian",
        "https://docs.vllm.ai/projects/vllm-omni", fields={"stream": True},
    ),
)  # fmt: skip

TRANSCRIPTION_ENDPOINTS = {row.vendor: row for row in _TRANSCRIPTIONS}
SPEECH_ENDPOINTS = {row.vendor: row for row in _VOICES}
