"""How does a LiveKit agent with the same local models answer a `line`?

Built as its guides build an agent with models of one's own: its Silero plugin, an STT and a TTS that do not
stream (the session wraps them in its stream adapters), preemptive generation as shipped, and the defaults for
endpointing. Its own turn detector may only be used as its licence says, so Smart Turn takes that place,
behind the same protocol. Silero waits for 0.25 s of silence: so does the detector that LiveKit takes by
default, and a turn detector accepts no less. The plugin's own default, 0.55 s, is slower.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession
from livekit.agents.language import LanguageCode
from livekit.agents.llm import LLM, ChatChunk, ChoiceDelta, LLMStream
from livekit.agents.stt import STT, SpeechData, SpeechEvent, SpeechEventType, STTCapabilities
from livekit.agents.tts import TTS, AudioEmitter, ChunkedStream, TTSCapabilities
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.utils import merge_frames
from livekit.agents.voice.turn import TurnDetectionEvent
from livekit.plugins import silero

from benchmarks.callers import HZ, INSTRUCTIONS
from benchmarks.gauges import Moments
from benchmarks.line import Ear, FrameworkCall, serve

from .livekit_session import Microphone, Speaker
from .models import VOICE_HZ, LocalModels

SILENCE = 0.25  # seconds
SECONDS = 8  # of audio that Smart Turn looks at


class WhisperSTT(STT):
    """Whisper, asked for each segment of speech."""

    def __init__(self, models: LocalModels) -> None:
        super().__init__(capabilities=STTCapabilities(streaming=False, interim_results=False))
        self._models = models

    async def _recognize_impl(self, buffer: Any, **_: Any) -> SpeechEvent:
        text = await self._models.words(bytes(merge_frames(buffer).data))
        said = SpeechData(text=text, language=LanguageCode("en"))
        return SpeechEvent(type=SpeechEventType.FINAL_TRANSCRIPT, alternatives=[said])


class LlamaLLM(LLM):
    """The language model."""

    def __init__(self, models: LocalModels) -> None:
        super().__init__()
        self.models = models

    def chat(
        self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> LLMStream:
        return _LlamaStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _LlamaStream(LLMStream):
    async def _run(self) -> None:
        said = [message for message in self._chat_ctx.messages() if message.role in ("user", "assistant")]
        messages = [(message.role, message.text_content or "") for message in said]
        async for token in self._llm.models.answer(messages):
            self._event_ch.send_nowait(
                ChatChunk(id="answer", delta=ChoiceDelta(role="assistant", content=token))
            )


class VoiceTTS(TTS):
    """The voice, asked for each sentence."""

    def __init__(self, models: LocalModels) -> None:
        super().__init__(capabilities=TTSCapabilities(streaming=False), sample_rate=VOICE_HZ, num_channels=1)
        self.models = models

    def synthesize(self, text: str, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> ChunkedStream:
        return _VoiceStream(tts=self, input_text=text, conn_options=conn_options)


class _VoiceStream(ChunkedStream):
    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="speech", sample_rate=VOICE_HZ, num_channels=1, mime_type="audio/pcm"
        )
        async for pcm in self._tts.models.speech(self._input_text):
            output_emitter.push(pcm)
        output_emitter.flush()


class SmartTurn:
    """Smart Turn as a turn detector for audio; each session has one stream of it."""

    model, provider = "smart-turn", "local"

    def __init__(self, models: LocalModels) -> None:
        self.models = models

    def stream(self, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> "_SmartTurnStream":
        return _SmartTurnStream(self.models)


class _SmartTurnStream:
    model, provider = "smart-turn", "local"
    is_fallback = False
    prediction_timeout = 1.0

    def __init__(self, models: LocalModels) -> None:
        self._models = models
        self._heard: deque[rtc.AudioFrame] = deque(maxlen=SECONDS * 50)
        self._task: asyncio.Task[TurnDetectionEvent] | None = None

    async def unlikely_threshold(self, language: LanguageCode | None) -> float:
        return 0.5  # Smart Turn's own

    async def backchannel_threshold(self, language: LanguageCode | None) -> None:
        return None

    async def supports_language(self, language: LanguageCode | None) -> bool:
        return True

    def predict(self) -> asyncio.Future[TurnDetectionEvent]:
        self.cancel_inference()
        self._task = asyncio.create_task(self._judge(b"".join(bytes(frame.data) for frame in self._heard)))
        return self._task

    async def _judge(self, pcm: bytes) -> TurnDetectionEvent:
        probability = await self._models.turn_is_over(pcm)
        return TurnDetectionEvent("eot_prediction", probability, time.time())

    def cancel_inference(self, *, timed_out: bool = False) -> None:
        if self._task is not None:
            self._task.cancel()

    def flush(self, reason: str | None = None) -> None:
        self.cancel_inference()
        self._heard.clear()

    def push_audio(self, frame: rtc.AudioFrame) -> None:
        self._heard.append(frame)

    def end_input(self) -> None:
        self.flush()

    async def aclose(self) -> None:
        self.flush()


class LineOut(Speaker):
    """The agent's audio."""

    def __init__(self, ear: Ear) -> None:
        super().__init__(Moments())
        self._ear = ear

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        self._ear.heard(bytes(frame.data), frame.sample_rate)
        await super().capture_frame(frame)

    def clear_buffer(self) -> None:
        self._ear.cleared()
        super().clear_buffer()


class LiveKitCall(FrameworkCall):
    """An agent on a line."""

    def __init__(self, session: AgentSession, microphone: Microphone) -> None:
        self._session = session
        self._microphone = microphone

    def hear(self, packet: bytes) -> None:
        self._microphone.push(rtc.AudioFrame(packet, HZ, 1, len(packet) // 2))

    def transcript(self) -> str:
        messages = self._session.history.messages()
        return " ".join(message.text_content or "" for message in messages if message.role == "user")


class LiveKitAgent:
    """An agent with the local models."""

    def __init__(self) -> None:
        self.models = LocalModels()

    async def load(self) -> None:
        await self.models.load()
        self.vad = silero.VAD.load(min_silence_duration=SILENCE)

    @asynccontextmanager
    async def call(self, ear: Ear) -> AsyncGenerator[FrameworkCall, None]:
        session = AgentSession(
            vad=self.vad,
            stt=WhisperSTT(self.models),
            llm=LlamaLLM(self.models),
            tts=VoiceTTS(self.models),
            turn_handling={
                "turn_detection": SmartTurn(self.models),
                "interruption": {"mode": "vad"},  # the other mode asks LiveKit's cloud
            },
        )
        microphone = Microphone()
        session.input.audio, session.output.audio = microphone, LineOut(ear)
        await session.start(Agent(instructions=INSTRUCTIONS))
        try:
            yield LiveKitCall(session, microphone)
        finally:
            await session.aclose()


if __name__ == "__main__":
    serve(LiveKitAgent())
