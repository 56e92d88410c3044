"""Gemini Live: Google's models that hear and speak, by Google AI or Vertex AI.

https://ai.google.dev/gemini-api/docs/live

The vendor's conversation outlives its connections. Instructions and tools are fixed for each connection, so
a change is told with the next one, which is made in a pause. Before 3.8, models take no typed words in the
middle of a conversation; before 3.1, they do not read the parameters of tools.
"""

from importlib import import_module
from typing import Any

from ...clock import offload
from ...context import Context
from ...errors import ConfigurationError, UnavailableError
from ...services.keys import VendorKey
from ...services.ports import Sees
from ...services.socket_realtime import SocketRealtime
from ...services.websocket_client import Handshake
from .live_codec import GeminiCodec
from .live_messages import history

__all__ = ["Realtime"]

PONG_WITHIN = 60.0  # seconds; answers to pings take up to half a minute
WAITS_FOR_TOOLS = ("gemini-2", "gemini-3.1", "gemini-live-2")  # models that always do; later ones if told to
NEVER_WAITS = "extended-thinking"
UNANNOUNCED = ("gemini-2", "gemini-live-2")  # models that are told of a conversation without notice
HISTORY = {"initialHistoryInClientContent": True}
SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


class Realtime(SocketRealtime):
    """Gemini Live. With a `project`, it is that of Vertex AI, at `location`.

    `key` is an API key, or a token for Vertex AI, which Google's package finds if none is given.
    `detection_settings` are those of the vendor's turn detection, such as {"silenceDurationMs": 500}, and
    `config` is its `generationConfig`. `options` are further fields of the setup.
    """

    input_rate = 16000
    goes_on_after_tools = True
    sees: Sees = "video"

    def __init__(
        self,
        model: str = "gemini-3.8-live",
        *,
        voice: str = "Kore",
        detection_settings: dict[str, Any] | None = None,
        config: dict[str, Any] | None = None,
        key: str | None = None,
        project: str | None = None,
        location: str = "us-central1",
        base_url: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__("google", VendorKey("google", None if project else "GOOGLE_API_KEY", key), model)
        self._project = project
        self._name = model
        self._detection = detection_settings or {}
        if project:
            host = "" if location == "global" else f"{location}-"
            address = base_url or f"wss://{host}aiplatform.googleapis.com"
            service = "google.cloud.aiplatform.v1beta1.LlmBidiService/"
            path = f"projects/{project}/locations/{location}/publishers/google/models/{model}"
        else:
            address = base_url or "wss://generativelanguage.googleapis.com"
            service = "google.ai.generativelanguage.v1beta.GenerativeService."
            path = f"models/{model}"
        self._url = f"{address}/ws/{service}BidiGenerateContent"
        speech = {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": voice}}}
        self._settings: dict[str, Any] = {
            "model": path,
            "generationConfig": {"responseModalities": ["AUDIO"], "speechConfig": speech} | (config or {}),
            "inputAudioTranscription": {},
            "outputAudioTranscription": {},
            "contextWindowCompression": {"slidingWindow": {}},
            **options,
        }

    async def handshake(self, handle: str | None) -> Handshake:
        if self._project is None:
            return Handshake(self._url, {"x-goog-api-key": self.key.value}, pong_within=PONG_WITHIN)
        token = self.key.value or await offload(None, _token)
        return Handshake(self._url, {"Authorization": f"Bearer {token}"}, pong_within=PONG_WITHIN)

    def codec(self, detects: bool, handle: str | None) -> GeminiCodec:
        detection = self._detection if detects else {"disabled": True}
        settings = {
            "realtimeInputConfig": {"automaticActivityDetection": detection},
            "sessionResumption": {"handle": handle} if handle else {},
        }

        announces = handle is None and not self._name.startswith(UNANNOUNCED)

        def setup(context: Context) -> dict[str, Any]:
            said = {"systemInstruction": {"parts": [{"text": context.instructions}]}}
            tools = {"tools": [{"functionDeclarations": self._tools(context)}]}
            return (
                settings
                | self._settings
                | (said if context.instructions else {})
                | (tools if context.tools else {})
                | ({"historyConfig": HISTORY} if announces and history(context) is not None else {})
            )

        return GeminiCodec(setup, detects, resumes=handle is not None)

    def _tools(self, context: Context) -> list[dict[str, Any]]:
        waits = not self._name.startswith(WAITS_FOR_TOOLS) and NEVER_WAITS not in self._name
        behavior = {"behavior": "BLOCKING"} if waits else {}
        return [
            {
                "name": tool.name,
                "description": tool.description or tool.name,  # must not be empty
                "parametersJsonSchema": tool.parameters,
            }
            | behavior
            for tool in context.tools
        ]


def _token() -> str:
    """Return a token of the credentials that Google's package finds."""
    try:
        auth, requests = import_module("google.auth"), import_module("google.auth.transport.requests")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f'google needs {error.name}, which is not installed: pip install "antiphon[google]"'
        ) from error
    try:
        credentials, _ = auth.default(scopes=SCOPES)
        credentials.refresh(requests.Request())
    except auth.exceptions.DefaultCredentialsError as error:
        raise ConfigurationError(f"google found no credentials: {error}") from error
    except auth.exceptions.GoogleAuthError as error:
        raise UnavailableError(f"google gave no token: {error}") from error
    return str(credentials.token)
