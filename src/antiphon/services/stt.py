"""The stage that turns what the user says into words."""

from collections import deque
from collections.abc import AsyncGenerator

from ..errors import BadResponseError, YouErred
from ..frames import (
    Frame,
    SessionStarted,
    Signal,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    UserAudio,
)
from ..processor import on
from ..stage import Channel, Stage, Work
from .matching import Matched, load
from .ports import AudioChunk, Flush, Heard, SpeechToText

__all__ = ["STT"]

LEAD = 0.3  # seconds before the start of speech that a segmented service hears too
WITHIN = 6.0  # seconds that a final answer may take
AGAIN = (0.1, 0.3, 1.0, 3.0)  # seconds before a service that failed is tried again; the last repeats


class STT(Stage):
    """Passes the user's audio on and adds transcripts.

    A segmented service gets each stretch of speech, and is asked as soon as it pauses, so that the words are
    there when the turn ends. Others get every sample. One that fails is started again, and is named.
    """

    def __init__(self, service: SpeechToText) -> None:
        self.service = service
        self._matched = Matched(service.sample_rate)
        rate = service.sample_rate * 2
        self._input = Channel[AudioChunk | Flush](
            30.0, lambda item: len(item.pcm) / rate if isinstance(item, AudioChunk) else 0.0, "drop oldest"
        )
        self._open = not service.segmented  # whether audio goes to the service, or waits in _aside
        self._aside = deque[bytes]()
        self._aside_bytes = 0
        self._lead = int(LEAD * rate)
        self._started = self._ended = 0.0
        self._work = Work(self, None, self._input)

    async def open(self) -> None:
        """Load the model, or connect."""
        await load(self.service)

    @on(SessionStarted)
    def begin(self, signal: SessionStarted) -> None:
        self.run(self._work, self._listen())

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        pcm = self._matched(frame)
        if self._open:
            self._input.put(AudioChunk(pcm))
            return
        self._aside.append(pcm)
        self._aside_bytes += len(pcm)
        while self._aside_bytes - len(self._aside[0]) >= self._lead:
            self._aside_bytes -= len(self._aside.popleft())

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        self._started = frame.at
        self._resume()
        self.push(frame)

    @on(SpeechResumed)
    def speech_resumed(self, frame: SpeechResumed) -> None:
        self._resume()
        self.push(frame)

    @on(SpeechPaused)
    def speech_paused(self, frame: SpeechPaused) -> None:
        self._flush(frame.at, final=False)
        self.push(frame)

    @on(SpeechStopped)
    def speech_stopped(self, frame: SpeechStopped) -> None:
        self.push(frame)
        self._flush(frame.at, final=True)
        self._work.expect("the transcript", WITHIN)

    def _resume(self) -> None:
        if self.service.segmented and not self._open:
            self._open = True
            self._input.put(AudioChunk(b"".join(self._aside)))
            self._aside.clear()
            self._aside_bytes = 0

    def _flush(self, ended: float, final: bool) -> None:
        self._ended = ended
        self._open = not self.service.segmented
        self._input.put(Flush(final))

    async def _listen(self) -> AsyncGenerator[Frame | Signal, None]:
        failures = 0
        while True:
            try:
                async for heard in self.service.transcribe(self._input):
                    if not isinstance(heard, Heard):  # pyright: ignore[reportUnnecessaryIsInstance]
                        raise BadResponseError(f"speech to text gave a {type(heard).__name__}, not words")
                    failures = 0
                    if heard.final:
                        self._work.relax()
                    if heard.text or heard.final:
                        yield Transcript(heard.text, heard.final, self._started, self._ended, heard.language)
            except YouErred:
                raise
            except Exception as error:  # noqa: BLE001  whatever it was, the next try may work
                self.session.failed(self, error)
            await self.session.clock.sleep(AGAIN[min(failures, len(AGAIN) - 1)])
            failures += 1
