"""How does a Pipecat bot with the same local models answer a `line`?

Built as its guides build a bot: Silero and Smart Turn are its own analyzers with its defaults, Whisper is a
segmented STT service, the language model and the voice are services on its base classes, and text is spoken
by the sentence. The transport is paced as its network transports are.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import (
    LLMContextAggregatorPair,
    LLMUserAggregatorParams,
)
from pipecat.processors.frame_processor import FrameDirection
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import SegmentedSTTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

from benchmarks.callers import HZ
from benchmarks.line import Ear, FrameworkCall, serve

from .models import VOICE_HZ, LocalModels
from .pipecat_session import Speaker


class LineIn(BaseInputTransport):
    """The caller's packets."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self._packets: asyncio.Queue[bytes] = asyncio.Queue()
        self.hear = self._packets.put_nowait

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        self._reader = self.create_task(self._read())
        await self.set_transport_ready(frame)

    async def cleanup(self) -> None:
        await self.cancel_task(self._reader)
        await super().cleanup()

    async def _read(self) -> None:
        while True:
            pcm = await self._packets.get()
            await self.push_audio_frame(InputAudioRawFrame(audio=pcm, sample_rate=HZ, num_channels=1))


class LineOut(Speaker):
    """The agent's audio."""

    def __init__(self, params: TransportParams, ear: Ear) -> None:
        super().__init__(params, pace=1.0)
        self._ear = ear

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        self._ear.heard(frame.audio, frame.sample_rate)
        return await super().write_audio_frame(frame)


class WhisperService(SegmentedSTTService):
    """Whisper, asked for each segment of speech."""

    def __init__(self, models: LocalModels) -> None:
        super().__init__(settings=STTSettings(model="tiny.en", language=None), ttfs_p99_latency=0.5)
        self._models = models

    @property
    def wants_wav_segments(self) -> bool:
        return False

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        if text := await self._models.words(audio):
            yield TranscriptionFrame(text, self._user_id, time_now_iso8601())


class LlamaService(LLMService):
    """The language model, asked when a context comes."""

    def __init__(self, models: LocalModels) -> None:
        super().__init__(settings=LLMSettings(model="local"))
        self._models = models

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        messages = [(message["role"], message["content"]) for message in frame.context.get_messages()]
        await self.push_frame(LLMFullResponseStartFrame())
        async for token in self._models.answer(messages):
            await self._push_llm_text(token)
        await self.push_frame(LLMFullResponseEndFrame())


class VoiceService(TTSService):
    """The voice, asked for each sentence."""

    def __init__(self, models: LocalModels) -> None:
        super().__init__(
            settings=TTSSettings(model="local", voice=None, language=None),
            push_start_frame=True,
            push_stop_frames=True,
            sample_rate=VOICE_HZ,
        )
        self._models = models

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        async for pcm in self._models.speech(text):
            yield TTSAudioRawFrame(pcm, VOICE_HZ, 1, context_id=context_id)


class PipecatCall(FrameworkCall):
    """A bot on a line."""

    def __init__(self, line: LineIn, context: LLMContext) -> None:
        self._line = line
        self._context = context

    def hear(self, packet: bytes) -> None:
        self._line.hear(packet)

    def transcript(self) -> str:
        messages = self._context.get_messages()
        return " ".join(message["content"] for message in messages if message["role"] == "user")


class PipecatBot:
    """A bot with the local models."""

    def __init__(self) -> None:
        self.models = LocalModels()

    async def load(self) -> None:
        await self.models.load()

    @asynccontextmanager
    async def call(self, ear: Ear) -> AsyncGenerator[FrameworkCall, None]:
        transport = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
        line, context = LineIn(transport), LLMContext()
        pair = LLMContextAggregatorPair(
            context, user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer())
        )
        services: list[Any] = [
            line,
            WhisperService(self.models),
            pair.user(),
            LlamaService(self.models),
            VoiceService(self.models),
            LineOut(transport, ear),
            pair.assistant(),
        ]
        worker = PipelineWorker(
            Pipeline(services),
            params=PipelineParams(audio_in_sample_rate=HZ, audio_out_sample_rate=VOICE_HZ),
        )
        started = asyncio.Event()

        async def note_start(*_: object) -> None:
            started.set()

        worker.event_handler("on_pipeline_started")(note_start)
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        running = asyncio.create_task(runner.run())
        await started.wait()
        try:
            yield PipecatCall(line, context)
        finally:
            await worker.cancel()
            await running


if __name__ == "__main__":
    serve(PipecatBot())
