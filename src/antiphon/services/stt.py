"""The stage that turns what the user says into words."""

from collections import deque
from collections.abc import AsyncGenerator
from typing import NamedTuple

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
from ..stage import MediaQueue, Work
from .ports import AudioChunk, Flush, Recognized, SpeechToText, TurnHint
from .resampling import ResampledInput, seconds
from .service_stage import ServiceStage
from .streams import AudioChunker, Backoff, closing, is_probability

__all__ = ["STT"]

LEAD = 0.2  # seconds before the start of speech that a segmented service hears too
KEPT = 1.0  # seconds of audio that are kept for that, as speech is noticed later than it starts
WITHIN = 6.0  # seconds that a final answer may take


class _Utterance(NamedTuple):
    """A stretch of speech, and its audio if the service is segmented."""

    started: float
    ended: float
    audio: list[bytes]


class STT(ServiceStage[SpeechToText]):
    """A stage that passes the user's audio on and adds transcripts.

    `interim_every`: seconds of speech after which a segmented service is asked for interim words; None means
    the service's own `interim_every`.

    A segmented service gets each stretch of speech and is asked as soon as it pauses, so that the words are
    there when the turn ends. Others get every sample. A service that fails is started again after a while,
    with the audio of the utterance that it has not answered.
    """

    port = "stt"

    def __init__(self, service: SpeechToText, *, interim_every: float | None = None) -> None:
        self.service = service
        self._interim_every = interim_every
        self._fit()
        self._unasked = 0  # bytes of speech since interim words were asked for
        self._recent = deque[UserAudio]()  # for a segmented service
        self._recent_seconds = 0.0
        self._given_until = 0.0  # where the audio ends that it got
        self._started = self._ended = 0.0
        self._speaking = False
        self._input = self._channel()
        self._work: Work | None = None
        self._backoff = Backoff()
        self._utterance: list[bytes] = []  # audio that a segmented service got and was not asked about yet
        self._asked = deque[_Utterance]()  # those whose final words are missing
        self._newest: UserAudio | None = None

    def _fit(self) -> None:
        """Fit what is kept of the audio to the service."""
        service = self.service
        self.interim_every = self._interim_every or service.interim_every
        self._matched = ResampledInput(service.sample_rate)
        rate = self._rate = service.sample_rate * 2
        self._chunks = AudioChunker(int(service.chunk * rate))
        self._channel = lambda: MediaQueue[AudioChunk | Flush](
            30.0, lambda item: len(item.pcm) / rate if isinstance(item, AudioChunk) else 0.0, "drop oldest"
        )
        self._open = not service.segmented  # True: audio goes to the service; False: it waits for speech

    @property
    def is_free(self) -> bool:
        """Whether the user is silent, and all of his words are known."""
        return not (self._speaking or self._asked)

    def adopt(self) -> None:
        """Begin a stream of the new service."""
        self._fit()
        if self._work is not None:
            self._work.cancel()
        self._begin()

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
            for asked in self._asked:
                self._input.put(AudioChunk(b"".join(asked.audio)))
                self._ask(self._work)
            if self._utterance:
                self._input.put(AudioChunk(b"".join(self._utterance)))
            self.run(self._work, self._listen(self._work, self._input))

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        self._newest = frame
        if self._open:
            self._give(self._matched(frame))
        if not self.service.segmented:
            return
        self._recent.append(frame)
        self._recent_seconds += seconds(frame)
        while self._recent_seconds - (oldest := seconds(self._recent[0])) >= KEPT - 1e-6:
            self._recent_seconds -= oldest
            self._recent.popleft()

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        began, self._started, self._speaking = max(frame.at - LEAD, self._ended), frame.at, True
        self._resume(began)
        self.push(frame)

    @on(SpeechResumed)
    def speech_resumed(self, frame: SpeechResumed) -> None:
        self._speaking = True
        self._resume(self._given_until)
        self.push(frame)

    @on(SpeechPaused)
    def speech_paused(self, frame: SpeechPaused) -> None:
        self._pause(frame.at)
        self._ask_early()
        self.push(frame)

    @on(SpeechStopped)
    def speech_stopped(self, frame: SpeechStopped) -> None:
        self.push(frame)
        self._pause(frame.at)
        self._hand_over(self._chunks.rest())
        self._asked.append(_Utterance(self._started, frame.at, self._utterance))
        self._utterance = []
        if self._work is not None and self._work.alive:
            self._ask(self._work)

    def _resume(self, began: float) -> None:
        """Give a segmented service the audio from the time `began` on."""
        if self.service.segmented and not self._open:
            self._open = True
            recent = [frame for frame in self._recent if _end(frame) > began + 1e-6]
            self._give(b"".join(map(self._matched, recent)))

    def _give(self, pcm: bytes) -> None:
        self._hand_over(self._chunks.add(pcm))
        if self.service.segmented:
            self._unasked += len(pcm)
            if self.interim_every is not None and self._unasked >= self.interim_every * self._rate:
                self._unasked, self._ended = 0, self.session.now
                self._ask_early()

    def _hand_over(self, chunk: bytes) -> None:
        if chunk:
            self._input.put(AudioChunk(chunk))
            if self.service.segmented:
                self._utterance.append(chunk)

    def _ask_early(self) -> None:
        """Ask for the words so far."""
        self._hand_over(self._chunks.rest())
        self._input.put(Flush(False))

    def _pause(self, ended: float) -> None:
        self._started = self._started or ended  # SpeechStarted came before this part was ready
        self._ended, self._speaking = ended, False
        self._unasked = 0
        self._given_until = self._given()
        self._open = not self.service.segmented

    def _ask(self, work: Work) -> None:
        self._input.put(Flush(True))
        work.expect("the transcript", WITHIN)

    def _spoken(self, work: Work, final: bool) -> tuple[float, float]:
        """Return from when to when the words were spoken that have just come.

        A segmented service answers each utterance once and in order, perhaps long after the next has begun.
        """
        asked = self._asked[0] if self._asked and self.service.segmented else None
        if final:
            if asked is not None:
                self._asked.popleft()
            else:
                self._asked.clear()
            work.expect("the transcript", WITHIN) if self._asked else work.relax()
        if asked is not None:
            return asked.started, asked.ended
        paused = self.service.segmented or (final and not self._speaking)
        return self._started, self._ended if paused else self._given()

    def _given(self) -> float:
        """Return where the audio ends that has come: words cannot be of later speech."""
        now, newest = self.session.now, self._newest
        return now if newest is None else min(now, _end(newest))

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
                    yield TurnHinted(heard.probability, self._given(), heard.final)
                    continue
                if not isinstance(heard, Recognized) or not isinstance(heard.text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                    raise BadResponseError(f"speech to text yielded {str(heard)[:60]}, not words")
                self._backoff.reset()
                if heard.text or heard.final:
                    started, ended = self._spoken(work, heard.final)
                    yield Transcript(heard.text, heard.final, started, ended, heard.language)
                if heard.final and self.is_free:
                    self.take_next()
        raise UnavailableError("speech to text ended its stream")


def _end(frame: UserAudio) -> float:
    """Return where a frame ends, in the session's time."""
    return frame.at / frame.sample_rate + seconds(frame)
