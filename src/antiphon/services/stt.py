"""The stage that turns what the user says into words."""

from collections import deque
from collections.abc import AsyncGenerator
from math import inf

from ..audio.levels import rms
from ..errors import BadResponseError, UnavailableError
from ..frames import (
    Failed,
    Frame,
    SessionStarted,
    Signal,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    Transcript,
    TurnHinted,
    UserAudio,
)
from ..processor import on
from ..stage import MediaQueue, Stage, Work
from .ports import AudioChunk, Flush, Recognized, SpeechToText, TurnHint
from .resampling import ResampledInput, seconds
from .streams import Backoff, closing, is_probability, ready

__all__ = ["STT"]

LEAD = 0.3  # seconds before the start of speech that a segmented service hears too
WITHIN = 6.0  # seconds that a final answer may take
FALL = 25.0  # dB below the recent peak at which the voice has fallen
DECAY = 15.0  # dB that this peak loses in a second
FALLEN = (0.04, 0.16)  # seconds that a fall lasts; a longer one without a pause is a quiet voice
WORTH = 0.1  # seconds of new speech that a fall must follow


class VoiceLevel:
    """Tells by the level when the voice falls, 50 ms before a pause is heard.

    In noise it does not fall so far.
    """

    def __init__(self) -> None:
        self._peak = -inf
        self._low = 0.0  # seconds below the threshold

    def hear(self, frame: UserAudio) -> bool:
        """Take a frame of speech; returns True while the voice has just fallen."""
        level, length = rms(frame.pcm), seconds(frame)
        self._peak = max(self._peak - DECAY * length, level)
        self._low = self._low + length if level < self._peak - FALL else 0.0
        return FALLEN[0] <= self._low + 1e-6 < FALLEN[1]


class STT(Stage):
    """A stage that passes the user's audio on and adds transcripts.

    `interim_every`: seconds of speech after which a segmented service is asked for interim words; None means
    the service's own `interim_every`.

    A segmented service gets each stretch of speech and is asked as soon as it pauses, so that the words are
    there when the turn ends. One that gives interim words is asked even sooner, when the voice falls: if that
    was the pause, the words are on their way when it is heard. Others get every sample. A service that fails
    is started again after a while, with the audio of the utterance that it has not answered.
    """

    def __init__(self, service: SpeechToText, *, interim_every: float | None = None) -> None:
        self.service = service
        self.interim_every = interim_every or service.interim_every
        self._matched = ResampledInput(service.sample_rate)
        rate = self._rate = service.sample_rate * 2
        self._unasked = 0  # bytes of speech since interim words were asked for
        self._channel = lambda: MediaQueue[AudioChunk | Flush](
            30.0, lambda item: len(item.pcm) / rate if isinstance(item, AudioChunk) else 0.0, "drop oldest"
        )
        self._open = not service.segmented  # True: audio goes to the service; False: it waits in _lead
        self._lead = deque[UserAudio]()
        self._lead_seconds = 0.0
        self._started = self._ended = 0.0
        self._speaking = False
        self._level = VoiceLevel()
        self._input = self._channel()
        self._work: Work | None = None
        self._backoff = Backoff()
        self._utterance: list[bytes] = []  # audio that a segmented service got and has not answered yet
        self._asked = False  # True while the final words of an utterance are missing

    async def open(self) -> None:
        """Load the model and connect."""
        await ready(self.service)

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._started = self._ended = 0.0  # unknown if the session starts in mid-speech
        self._begin()

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Begin a new stream after a delay, if the old one is over by then."""
        if signal.part == self.name:
            self.after(self._backoff.next(), self._begin)

    def _begin(self) -> None:
        if self._work is None or not self._work.alive:
            self._input = self._channel()
            self._work = Work(self, None, self._input)
            if self._utterance:
                self._input.put(AudioChunk(b"".join(self._utterance)))
            if self._asked:
                self._ask(self._work)
            self.run(self._work, self._listen(self._work, self._input))

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        fallen = self._guesses and self._level.hear(frame)
        if self._guesses and not fallen:
            self._resume()
        if self._open:
            self._give(self._matched(frame))
            if fallen and self._unasked >= WORTH * self._rate:
                self._guess()
                self._open = False  # what comes until the pause is silence, or waits for the voice
            return
        self._lead.append(frame)
        self._lead_seconds += seconds(frame)
        while self._lead_seconds - (oldest := seconds(self._lead[0])) >= LEAD - 1e-6:
            self._lead_seconds -= oldest
            self._lead.popleft()

    @property
    def _guesses(self) -> bool:
        """True while the service is asked for interim words."""
        return self._speaking and self.interim_every is not None and self.service.segmented

    def _guess(self) -> None:
        self._unasked, self._ended = 0, self.session.now
        self._input.put(Flush(False))

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        self._started, self._speaking = frame.at, True
        self._level = VoiceLevel()
        self._resume()
        self.push(frame)

    @on(SpeechResumed)
    def speech_resumed(self, frame: SpeechResumed) -> None:
        self._speaking = True
        self._resume()
        self.push(frame)

    @on(SpeechPaused)
    def speech_paused(self, frame: SpeechPaused) -> None:
        self._pause(frame.at)
        self._input.put(Flush(False))
        self.push(frame)

    @on(SpeechStopped)
    def speech_stopped(self, frame: SpeechStopped) -> None:
        self.push(frame)
        self._pause(frame.at)
        self._asked = True
        if self._work is not None and self._work.alive:
            self._ask(self._work)

    def _resume(self) -> None:
        if self.service.segmented and not self._open:
            self._open = True
            self._give(b"".join(map(self._matched, self._lead)))
            self._lead.clear()
            self._lead_seconds = 0.0

    def _give(self, pcm: bytes) -> None:
        self._input.put(AudioChunk(pcm))
        if self.service.segmented:
            self._utterance.append(pcm)
            self._unasked += len(pcm)
            if self.interim_every is not None and self._unasked >= self.interim_every * self._rate:
                self._guess()

    def _pause(self, ended: float) -> None:
        self._started = self._started or ended  # SpeechStarted came before this part was ready
        self._ended, self._speaking = ended, False
        self._unasked = 0
        self._open = not self.service.segmented

    def _ask(self, work: Work) -> None:
        self._input.put(Flush(True))
        work.expect("the transcript", WITHIN)

    async def _listen(
        self, work: Work, audio: MediaQueue[AudioChunk | Flush]
    ) -> AsyncGenerator[Frame | Signal, None]:
        async with closing(self.service.transcribe(audio)) as answers:
            async for heard in answers:
                if isinstance(heard, TurnHint):
                    if not is_probability(heard.probability):
                        raise BadResponseError(
                            f"a turn hint of {str(heard.probability)[:40]} is no probability"
                        )
                    yield TurnHinted(heard.probability, self.session.now, heard.final)
                    continue
                if not isinstance(heard, Recognized) or not isinstance(heard.text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                    raise BadResponseError(f"speech to text yielded {str(heard)[:60]}, not words")
                self._backoff.reset()
                if heard.final:
                    work.relax()
                    self._asked = False
                    self._utterance.clear()
                if heard.text or heard.final:
                    paused = self.service.segmented or (heard.final and not self._speaking)
                    ended = self._ended if paused else self.session.now
                    yield Transcript(heard.text, heard.final, self._started, ended, heard.language)
        raise UnavailableError("speech to text ended its stream")
