"""A LiveKit Agents session without a room, with services that answer at once.

20 ms frames of 16 kHz go in, 24 kHz comes out. The caller is a signal that the services can read: samples of
0 are silence, others are speech. The detector has no hangover, and the final transcript comes with the first
silence.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from livekit import rtc
from livekit.agents import NOT_GIVEN, AgentSession, LanguageCode
from livekit.agents.llm import LLM, ChatChunk, ChoiceDelta, LLMStream
from livekit.agents.stt import STT, RecognizeStream, SpeechData, SpeechEvent, SpeechEventType, STTCapabilities
from livekit.agents.tts import TTS, AudioEmitter, SynthesizeStream, TTSCapabilities
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.vad import VAD, VADCapabilities, VADEvent, VADEventType, VADStream
from livekit.agents.voice.io import AudioInput, AudioOutput, AudioOutputCapabilities

from benchmarks.gauges import Moments

logging.getLogger("livekit").setLevel(logging.ERROR)

RATE_IN, RATE_OUT = 16_000, 24_000
FRAME = 0.02  # seconds
REPLY = ("Sure, ", *("word " for _ in range(23)), "end. ")


def frame(value: int) -> rtc.AudioFrame:
    """20 ms of one sample value."""
    samples = int(RATE_IN * FRAME)
    return rtc.AudioFrame(np.full(samples, value, np.int16).tobytes(), RATE_IN, 1, samples)


SILENCE, VOICE = frame(0), frame(1000)


class InstantVAD(VAD):
    """Speech starts with the first loud frame and ends with the first silent one."""

    def __init__(self, moments: Moments) -> None:
        super().__init__(capabilities=VADCapabilities(update_interval=0.032))
        self.moments = moments

    def stream(self) -> VADStream:
        return _VADStream(self)


class _VADStream(VADStream):
    async def _main_task(self) -> None:
        moments = self._vad.moments
        now = began = ended = 0.0
        speaking = False
        async for heard in self._input_ch:
            if not isinstance(heard, rtc.AudioFrame):
                speaking = False
                continue
            now += heard.duration
            loud = heard.data[0] != 0
            if loud and not speaking:
                speaking, began = True, now - heard.duration
                moments.note("speech_started")
                self._tell(VADEventType.START_OF_SPEECH, heard, now - began, 0.0, True)
            elif speaking and not loud:
                speaking = False
                self._tell(VADEventType.END_OF_SPEECH, heard, now - began, heard.duration, False)
            spoken, silent = (now - began, 0.0) if speaking else (0.0, now - ended)
            self._tell(VADEventType.INFERENCE_DONE, heard, spoken, silent, speaking)
            ended = now if speaking else ended

    def _tell(
        self, kind: VADEventType, heard: rtc.AudioFrame, spoken: float, silent: float, speaking: bool
    ) -> None:
        self._event_ch.send_nowait(
            VADEvent(
                type=kind,
                samples_index=0,
                timestamp=time.time(),
                speech_duration=spoken,
                silence_duration=silent,
                frames=[heard],
                probability=float(speaking),
                speaking=speaking,
                raw_accumulated_speech=spoken,
                raw_accumulated_silence=silent,
            )
        )


class InstantSTT(STT):
    """A final transcript with the first silence after speech; with `preflight` an early one in the speech."""

    def __init__(self, moments: Moments, preflight: bool = False) -> None:
        super().__init__(capabilities=STTCapabilities(streaming=True, interim_results=True))
        self.moments = moments
        self.preflight = preflight
        self.finals = 0

    async def _recognize_impl(self, *_: Any, **__: Any) -> SpeechEvent:
        raise NotImplementedError

    def stream(
        self, *, language: Any = NOT_GIVEN, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS
    ) -> RecognizeStream:
        return _STTStream(stt=self, conn_options=conn_options, sample_rate=RATE_IN)


class _STTStream(RecognizeStream):
    async def _run(self) -> None:
        loud_frames = 0
        async for heard in self._input_ch:
            if not isinstance(heard, rtc.AudioFrame):
                continue
            if heard.data[0] != 0:
                loud_frames += 1
                if self._stt.preflight and loud_frames == 10:
                    self._tell(SpeechEventType.PREFLIGHT_TRANSCRIPT)
            elif loud_frames:
                loud_frames = 0
                self._stt.moments.note("final_transcript")
                self._tell(SpeechEventType.FINAL_TRANSCRIPT)
                self._stt.finals += 1

    def _tell(self, kind: SpeechEventType) -> None:
        text = f"hello there number {self._stt.finals}"
        said = SpeechData(text=text, language=LanguageCode("en"), confidence=1.0)
        self._event_ch.send_nowait(SpeechEvent(type=kind, alternatives=[said]))


class InstantLLM(LLM):
    """Writes its reply at once; if `endless`, a word every 20 ms after that."""

    def __init__(self, endless: bool = False) -> None:
        super().__init__()
        self.endless = endless
        self.calls = 0

    def chat(
        self, *, chat_ctx: Any, tools: Any = None, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS, **_: Any
    ) -> LLMStream:
        self.calls += 1
        return _LLMStream(self, chat_ctx=chat_ctx, tools=tools or [], conn_options=conn_options)


class _LLMStream(LLMStream):
    async def _run(self) -> None:
        for token in REPLY:
            self._write(token)
        while self._llm.endless:
            await asyncio.sleep(FRAME)
            self._write("more ")

    def _write(self, token: str) -> None:
        self._event_ch.send_nowait(ChatChunk(id="x", delta=ChoiceDelta(role="assistant", content=token)))


class InstantTTS(TTS):
    """`seconds` of speech at the first word of a reply; if `endless`, 20 ms every 20 ms after that."""

    def __init__(self, seconds: float = 2.0, endless: bool = False) -> None:
        super().__init__(capabilities=TTSCapabilities(streaming=True), sample_rate=RATE_OUT, num_channels=1)
        self.frames = int(seconds / FRAME)
        self.endless = endless

    def synthesize(self, text: str, **_: Any) -> Any:
        raise NotImplementedError

    def stream(self, *, conn_options: Any = DEFAULT_API_CONNECT_OPTIONS) -> SynthesizeStream:
        return _TTSStream(tts=self, conn_options=conn_options)


class _TTSStream(SynthesizeStream):
    SPEECH = b"\1\0" * int(RATE_OUT * FRAME)

    async def _run(self, output_emitter: AudioEmitter) -> None:
        output_emitter.initialize(
            request_id="r", sample_rate=RATE_OUT, num_channels=1, mime_type="audio/pcm", stream=True
        )
        output_emitter.start_segment(segment_id="s")
        spoken = False
        async for text in self._input_ch:
            if spoken or not isinstance(text, str):
                continue
            spoken = True
            self._mark_started()
            for _ in range(self._tts.frames):
                output_emitter.push(self.SPEECH)
                await asyncio.sleep(0)
            while self._tts.endless:
                await asyncio.sleep(FRAME)
                output_emitter.push(self.SPEECH)
        output_emitter.end_segment()


class Microphone(AudioInput):
    """An audio input that hears what is pushed into it."""

    def __init__(self) -> None:
        super().__init__(label="microphone")
        self._frames: asyncio.Queue[rtc.AudioFrame] = asyncio.Queue()
        self.push = self._frames.put_nowait

    async def __anext__(self) -> rtc.AudioFrame:
        return await self._frames.get()


class Speaker(AudioOutput):
    """Plays by a timer, at `pace` times real time; `playing` and `done` are set as it starts and ends."""

    def __init__(self, moments: Moments) -> None:
        super().__init__(
            label="speaker", capabilities=AudioOutputCapabilities(pause=True), sample_rate=RATE_OUT
        )
        self.moments = moments
        self.pace = 1.0
        self.seconds = 0.0
        self.playing, self.done = asyncio.Event(), asyncio.Event()
        self._queued = 0.0
        self._began: float | None = None
        self._flushed = False
        self._end: asyncio.TimerHandle | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        await super().capture_frame(frame)
        if self._began is None:
            self._began = time.perf_counter()
            self.moments.note("first_audio")
            self.on_playback_started(created_at=time.time())
            self.playing.set()
        self._queued += frame.duration
        self.seconds += frame.duration

    def flush(self) -> None:
        super().flush()
        self._flushed = True
        self._await_end()

    def clear_buffer(self) -> None:
        self.moments.note("cleared")
        self._finish(interrupted=True)

    def pause(self) -> None:
        self.moments.note("paused")
        super().pause()
        self._forget_end()

    def resume(self) -> None:
        super().resume()
        if self._flushed:
            self._await_end()

    def _await_end(self) -> None:
        if self._began is not None:
            left = self._queued / self.pace - (time.perf_counter() - self._began)
            self._end = asyncio.get_running_loop().call_later(max(0.0, left), self._finish, False)

    def _forget_end(self) -> None:
        if self._end:
            self._end.cancel()
            self._end = None

    def _finish(self, interrupted: bool) -> None:
        if self._began is None:
            return
        played = min(self._queued, time.perf_counter() - self._began) if interrupted else self._queued
        self._queued, self._began, self._flushed = 0.0, None, False
        self._forget_end()
        self.on_playback_finished(playback_position=played, interrupted=interrupted)
        self.done.set()


AT_ONCE: dict[str, Any] = {
    "endpointing": {"min_delay": 0.0, "max_delay": 0.0},
    "interruption": {"mode": "vad"},
}
"""Settings of turn handling without any deliberate wait."""


class Call:
    """A session with its audio input and output.

    Start it with `await call.session.start(agent)`.
    """

    def __init__(
        self,
        vad: VAD | None = None,
        stt: InstantSTT | None = None,
        llm: InstantLLM | None = None,
        tts: InstantTTS | None = None,
        turn_handling: Mapping[str, Any] = AT_ONCE,
        **options: Any,
    ) -> None:
        self.moments = stt.moments if stt else Moments()
        self.llm = llm or InstantLLM()
        self.session = AgentSession(
            vad=vad,
            stt=stt or NOT_GIVEN,
            llm=self.llm,
            tts=tts or InstantTTS(),
            turn_handling={"turn_detection": None, **turn_handling},
            aec_warmup_duration=None,
            user_away_timeout=None,
            **options,
        )
        self.microphone, self.speaker = Microphone(), Speaker(self.moments)
        self.session.input.audio, self.session.output.audio = self.microphone, self.speaker
