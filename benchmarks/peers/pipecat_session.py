"""A whole Pipecat session on its own base classes, with services that answer at once.

Microphone (BaseInputTransport), STT, user aggregator, LLM, TTS, speaker (BaseOutputTransport, paced as a
device is), assistant aggregator; 20 ms frames both ways, 16 kHz in, 24 kHz out.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    BotStoppedSpeakingFrame,
    CancelFrame,
    EndFrame,
    Frame,
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    OutputAudioRawFrame,
    StartFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
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
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TextAggregationMode, TTSService
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.workers.runner import WorkerRunner

logger.remove()

RATE_IN, RATE_OUT = 16_000, 24_000
FRAME = 0.02  # seconds
SPEECH = b"\1\0" * int(RATE_OUT * FRAME)
REPLY = ("Sure, ", *("word " for _ in range(23)), "end. ")

# A second of faint noise, for models that are slower or faster on exact silence.
_dice = random.Random(1)
NOISE = [
    bytes(
        byte
        for _ in range(int(RATE_IN * FRAME))
        for byte in (_dice.getrandbits(8), _dice.choice((0, 0, 0, 255)))
    )
    for _ in range(50)
]

# What a worker does besides its pipeline unless told not to: client protocol, turn tracking, idle watch.
LEAN: dict[str, Any] = {"enable_rtvi": False, "enable_turn_tracking": False, "idle_timeout_secs": None}
MODES = {"as shipped": False, "lean": True}


class Microphone(BaseInputTransport):
    """Reads noise from a paced task, as Pipecat's network transports read theirs; or nothing."""

    def __init__(self, params: TransportParams, listening: bool) -> None:
        super().__init__(params)
        self._listening = listening
        self._reader: asyncio.Task[None] | None = None

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        if self._listening:
            self._reader = self.create_task(self._read())
        await self.set_transport_ready(frame)

    async def stop(self, frame: EndFrame) -> None:
        await super().stop(frame)
        await self._rest()

    async def cancel(self, frame: CancelFrame) -> None:
        await super().cancel(frame)
        await self._rest()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            for pcm in NOISE:
                due += FRAME
                await asyncio.sleep(max(0.0, due - loop.time()))
                await self.push_audio_frame(
                    InputAudioRawFrame(audio=pcm, sample_rate=RATE_IN, num_channels=1)
                )

    async def _rest(self) -> None:
        if self._reader:
            await self.cancel_task(self._reader)
            self._reader = None


class Speaker(BaseOutputTransport):
    """Takes audio at `pace` times real time; knows when it took the first of a turn, and the last."""

    def __init__(self, params: TransportParams, pace: float) -> None:
        super().__init__(params)
        self.pace = pace
        self.writes = 0
        self.last_write = 0.0
        self.first_write: float | None = None
        self._due = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        now = asyncio.get_running_loop().time()
        self.writes += 1
        self.last_write = time.perf_counter()
        if self.first_write is None:
            self.first_write = self.last_write
        self._due = now if self._due < now - 1 else self._due
        self._due += len(frame.audio) / 2 / frame.sample_rate / self.pace
        if self._due > now:
            await asyncio.sleep(self._due - now)
        return True


class InstantSTT(STTService):
    """Hears nothing by itself, like a streaming service: transcripts are pushed from outside."""

    def __init__(self) -> None:
        super().__init__(settings=STTSettings(model="instant", language=None), ttfs_p99_latency=0.0)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        yield None


class InstantLLM(LLMService):
    """Writes its tokens at once, or one every `every` seconds."""

    def __init__(self, tokens: tuple[str, ...] = REPLY, every: float = 0.0) -> None:
        super().__init__(settings=LLMSettings(model="instant"))
        self._tokens = tokens
        self._every = every
        self.cancelled_at: float | None = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        await self.push_frame(LLMFullResponseStartFrame())
        try:
            for token in self._tokens:
                await self._push_llm_text(token)
                if self._every:
                    await asyncio.sleep(self._every)
        except asyncio.CancelledError:
            self.cancelled_at = time.perf_counter()
            raise
        await self.push_frame(LLMFullResponseEndFrame())


class InstantTTS(TTSService):
    """`seconds` of speech for what it is given to speak, at once or a frame every `every` seconds."""

    def __init__(self, seconds: float = 2.0, every: float = 0.0, by_token: bool = False) -> None:
        super().__init__(
            settings=TTSSettings(model="instant", voice=None, language=None),
            push_stop_frames=True,
            push_start_frame=True,
            sample_rate=RATE_OUT,
            text_aggregation_mode=TextAggregationMode.TOKEN if by_token else TextAggregationMode.SENTENCE,
        )
        self.seconds = seconds
        self._every = every
        self._by_token = by_token
        self._spoke = ""  # by token, all the speech comes with the first token of a reply

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        if self._by_token and self._spoke == context_id:
            return
        self._spoke = context_id
        for _ in range(int(self.seconds / FRAME)):
            yield TTSAudioRawFrame(audio=SPEECH, sample_rate=RATE_OUT, num_channels=1, context_id=context_id)
            if self._every:
                await asyncio.sleep(self._every)


@dataclass(frozen=True, slots=True)
class Options:
    """How a session is built; the defaults of `silero` and `smart_turn` are not those that Pipecat ships."""

    lean: bool = False
    silero: bool = False
    smart_turn: bool = False
    patience: float = 0.6  # seconds between the end of speech and the end of the turn, without smart turn
    listening: bool = True
    pace: float = 1.0


class Call:
    """One session: built here, then started, used and ended."""

    def __init__(
        self, options: Options = Options(), llm: InstantLLM | None = None, tts: InstantTTS | None = None
    ) -> None:
        transport = TransportParams(
            audio_in_enabled=True,
            audio_out_enabled=True,
            audio_in_sample_rate=RATE_IN,
            audio_out_sample_rate=RATE_OUT,
            audio_out_end_silence_secs=0,
        )
        self.microphone = Microphone(transport, options.listening)
        self.speaker = Speaker(transport, options.pace)
        self.stt, self.llm, self.tts = InstantSTT(), llm or InstantLLM(), tts or InstantTTS()
        self.context = LLMContext([{"role": "system", "content": "You are a bot."}])
        pair = LLMContextAggregatorPair(self.context, user_params=_user_params(options))
        self.assistant = pair.assistant()
        self.worker = PipelineWorker(
            Pipeline(
                [self.microphone, self.stt, pair.user(), self.llm, self.tts, self.speaker, self.assistant]
            ),
            params=PipelineParams(audio_in_sample_rate=RATE_IN, audio_out_sample_rate=RATE_OUT),
            cancel_on_idle_timeout=False,
            **(LEAN if options.lean else {}),
        )
        self._started = asyncio.Event()
        self.worker.event_handler("on_pipeline_started")(self._note_start)

    async def start(self) -> None:
        """Start the session; returns once the start frame has passed the pipeline."""
        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(self.worker)
        self._running = asyncio.create_task(runner.run())
        await self._started.wait()

    async def end(self) -> None:
        """Let the agent finish what it says, then close."""
        await self.worker.queue_frame(EndFrame())
        await self._running

    async def cancel(self) -> None:
        """Close it at once."""
        await self.worker.cancel()
        await self._running

    async def speech_starts(self) -> None:
        """The user starts to speak."""
        await self.microphone.push_frame(VADUserStartedSpeakingFrame())

    async def speech_stops(self) -> None:
        """The user stops; the turn waits for its transcript."""
        await self.microphone.push_frame(VADUserStoppedSpeakingFrame(stop_secs=0.2))

    async def transcribed(self, text: str) -> None:
        """The final transcript comes from the STT service."""
        await self.stt.push_frame(TranscriptionFrame(text=text, user_id="", timestamp="", finalized=True))

    def when_silent(self) -> asyncio.Event:
        """Set when the assistant aggregator next hears that the bot has stopped speaking."""
        silent = asyncio.Event()
        passed_on = self.assistant.process_frame

        async def watch(frame: Frame, direction: FrameDirection) -> None:
            await passed_on(frame, direction)
            if isinstance(frame, BotStoppedSpeakingFrame):
                self.assistant.process_frame = passed_on
                silent.set()

        self.assistant.process_frame = watch
        return silent

    async def _note_start(self, *_: object) -> None:
        self._started.set()


def _user_params(options: Options) -> LLMUserAggregatorParams:
    extra: dict[str, Any] = {}
    if options.silero:
        from pipecat.audio.vad.silero import SileroVADAnalyzer

        extra["vad_analyzer"] = SileroVADAnalyzer()
    if not options.smart_turn:
        patient = SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=options.patience)
        extra["user_turn_strategies"] = UserTurnStrategies(stop=[patient])
    return LLMUserAggregatorParams(**extra)
