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
        "deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY",
        "openai/whisper-large-v3-turbo", "https://deepinfra.com/docs/inference",
    ),
    TranscriptionEndpoint(
        "lemonfox", "https://api.lemonfox.ai/v1", "LEMONFOX_API_KEY", "whisper-1",
        "https://www.lemonfox.ai/apis/speech-to-text",
    ),
    TranscriptionEndpoint(
        "sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY", "Whisper-Large-v3",
        "https://docs.sambanova.ai/cloud/api-reference",
    ),
    TranscriptionEndpoint(
        "speaches", "http://localhost:8000/v1", None, "Systran/faster-whisper-small",
        "https://speaches.ai/usage/speech-to-text",
    ),
    TranscriptionEndpoint(
        "vllm", "http://localhost:8000/v1", None, "openai/whisper-large-v3",
        "https://docs.vllm.ai/en/latest/serving/openai_compatible_server",
    ),
)  # fmt: skip

_VOICES = (
    SpeechEndpoint(
        "groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY", "canopylabs/orpheus-v1-english", "autumn",
        "https://console.groq.com/docs/text-to-speech", 48000, {"response_format": "wav"}, longest=200,
    ),
    SpeechEndpoint(
        "speaches", "http://localhost:8000/v1", None, "speaches-ai/Kokoro-82M-v1.0-ONNX", "af_heart",
        "https://speaches.ai/usage/text-to-speech",
    ),
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
