"""The stage that turns what the user says into words."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from ..errors import BadResponseError, ServiceTimeoutError, UnavailableError
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
    UtteranceLost,
)
from ..processor import on
from ..stage import MediaQueue, Work
from .ports import AudioChunk, Flush, Recognized, SpeechToText, TurnHint
from .resampling import ResampledInput
from .service_stage import ServiceStage
from .streams import AudioChunker, Backoff, closing, is_probability
from .unanswered_audio import UnansweredAudio, end_of
from .usage import HeardMeter

__all__ = ["STT"]

LEAD = 0.2  # seconds before the start of speech that a segmented service hears too


class STT(ServiceStage[SpeechToText]):
    """A stage that passes the user's audio on and adds transcripts.

    `interim_every`: seconds of speech after which a segmented service is asked for interim words.
    `answered_within`: seconds, all tries together, that final words may take. None means the service's own.

    A segmented service gets each stretch of speech and is asked as soon as it pauses, so that the words are
    there when the turn ends. Others get every sample. A service that fails is started again after a while,
    and hears once more what it has not answered. Within a `Switch` the next alternative hears that instead.
    If the words have not come in time, they are given up: UtteranceLost tells so.
    """

    port = "stt"

    def __init__(
        self,
        service: SpeechToText,
        *,
        interim_every: float | None = None,
        answered_within: float | None = None,
    ) -> None:
        super().__init__(service)
        self._limits = interim_every, answered_within
        self._fit()
        self._unasked = 0  # bytes of speech since interim words were asked for
        self._unanswered = UnansweredAudio()
        self._given_until = 0.0  # where the audio ends that it got
        self._started, self._ended, self._speaking = 0.0, 0.0, False
        self._catches_up = False  # True until what was asked before the stream began is answered
        self._input = _channel(self._rate)
        self._work: Work | None = None
        self._backoff, self._meter = Backoff(), HeardMeter(self)
        self._newest: UserAudio | None = None

    def _fit(self) -> None:
        """Fit what is kept of the audio to the service."""
        service, (every, within) = self.service, self._limits
        self.interim_every = every or service.interim_every
        self.answered_within = service.answered_within if within is None else within
        self._matched = ResampledInput(service.sample_rate)
        self._rate = service.sample_rate * 2
        self._chunks = AudioChunker(int(service.chunk * self._rate))
        self._open = not service.segmented  # True: audio goes to the service; False: it waits for speech

    @property
    def is_free(self) -> bool:
        return not (self._speaking or self._unanswered.asked)

    def adopt(self) -> None:
        """Begin a stream of the new service."""
        self._fit()
        if self._work is not None:
            self._work.cancel()
        self._begin()

    @on(SessionStarted)
    def begun(self, signal: SessionStarted) -> None:
        self._unanswered.clear()
        self._started = self._ended = 0.0  # unknown if the session starts in mid-speech
        self._speaking, self._open = False, not self.service.segmented
        self._prepare()
        self._begin()

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Begin a new stream after a delay, if the old one is over."""
        if signal.part == self.name:
            self._alive()
            self.after(self._backoff.next(), self._begin)

    def _prepare(self) -> Work:
        """Make the input of a new stream, which hears first what has no answer yet."""
        if self._work is not None:
            self._work.end()
        self._input = _channel(self._rate)
        work = self._work = Work(self, None, self._input, late=lambda error: self._late(work, error))
        self._hear_again()
        return self._work

    def _alive(self) -> Work:
        return self._work if self._work is not None and self._work.alive else self._prepare()

    def _begin(self) -> None:
        if not all(branch.on for branch in self.branches):
            return  # another has taken over
        if (work := self._alive()).task is None:
            self.run(work, self._listen(self._input))

    def _hear_again(self) -> None:
        """Give the service what has no answer yet, and ask for it."""
        self._chunks.rest()  # is among it
        self._matched = ResampledInput(self.service.sample_rate)
        pcm, asked = bytearray(), iter(self._unanswered.asked)
        for frame in self._unanswered:
            if isinstance(frame, UserAudio):
                pcm += self._matched(frame)
                continue
            self._input.put(AudioChunk(bytes(pcm)))
            self._input.put(Flush(True, next(asked).seconds))
            pcm.clear()
        if pcm and (self._unanswered.speaking or not self.service.segmented):
            self._input.put(AudioChunk(bytes(pcm)))
            self._given_until = self._given()
        self._catches_up = bool(self._unanswered.asked)
        self._expect()

    def hand_over(self) -> list[Frame]:
        """Return what has no answer yet, and forget it."""
        handed = list(self._unanswered.facts(self._started))
        self._unanswered.clear()
        self._expect()
        return handed

    def take_over(self, frames: Sequence[Frame]) -> None:
        """Answer what another recogniser has not answered."""
        heard = self._unanswered.take(frames, self.session.now + self.answered_within)
        self._started, self._ended = heard[0] or self._started, heard[1] or self._ended
        self._speaking = self._unanswered.speaking
        self._open = self._unanswered.speaking or not self.service.segmented
        self._hear_again()

    # What the user says ----------------------------------------------------------------------------

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        self._newest = frame
        self._unanswered.add(frame)
        if self._open:
            self._give(self._matched(frame))

    @on(SpeechStarted)
    def speech_started(self, frame: SpeechStarted) -> None:
        began, self._started, self._speaking = max(frame.at - LEAD, self._ended), frame.at, True
        self._resume(began)
        if self.service.segmented:
            self._unanswered.forget_before(began)
        self._unanswered.speaking = True
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
        self._put(self._chunks.rest())
        self._note_end(frame)
        self._input.put(Flush(True, self._unanswered.asked[-1].seconds))
        self._expect()

    def _resume(self, began: float) -> None:
        """Give a segmented service the audio from the time `began` on."""
        if not self._open:
            self._open = True
            self._give(b"".join(map(self._matched, self._unanswered.since(began))))

    def _give(self, pcm: bytes) -> None:
        self._put(self._chunks.add(pcm))
        if self.service.segmented:
            self._unasked += len(pcm)
            if self.interim_every is not None and self._unasked >= self.interim_every * self._rate:
                self._unasked, self._ended = 0, self.session.now
                self._ask_early()

    def _put(self, chunk: bytes) -> None:
        if chunk:
            self._input.put(AudioChunk(chunk))

    def _ask_early(self) -> None:
        self._put(self._chunks.rest())
        self._input.put(Flush(False))

    def _pause(self, ended: float) -> None:
        self._started = self._started or ended  # SpeechStarted came before this part was ready
        self._ended, self._speaking = ended, False
        self._unasked = 0
        self._given_until = self._given()
        self._open = not self.service.segmented

    def _note_end(self, frame: SpeechStopped) -> None:
        due = self.session.now + self.answered_within
        self._unanswered.end(frame, self._started or frame.at, due)

    # What the service says -------------------------------------------------------------------------

    def _expect(self) -> None:
        """Set the time limit for the utterance that must be answered first."""
        if self._work is None:
            return
        if asked := self._unanswered.asked:
            left = max(0.0, asked[0].due - self.session.elapsed())
            self._work.expect("the transcript", left)
        else:
            self._work.relax()

    def _late(self, work: Work, error: ServiceTimeoutError) -> None:
        """Give up the service, and the utterance unless the spare of a `Switch` has it."""
        work.cancel()
        self.session.failed(self, error)
        if asked := self._unanswered.asked:
            lost = asked[0]
            self._unanswered.answered(self.session.elapsed() + self.answered_within)
            self._prepare()
            self.push(UtteranceLost(lost.started, lost.ended))

    def _spoken(self, heard: Recognized) -> tuple[float, float]:
        """Return from when to when the words were spoken that have just come.

        A service answers each utterance once and in order, perhaps long after the next has begun.
        """
        asked = next(iter(self._unanswered.asked), None)
        self._unanswered.has_words = not heard.final
        if heard.final:
            self._catches_up = False
            if asked is not None or heard.text:  # an answer, or the service's own decision
                self._unanswered.answered(self.session.elapsed() + self.answered_within)
            self._expect()
        if asked is not None and self.service.segmented:
            return asked.started, asked.ended
        paused = self.service.segmented or (heard.final and not self._speaking)
        return self._started, self._ended if paused else self._given()

    def _given(self) -> float:
        """Return where the audio ends that has come: words cannot be of later speech."""
        now, newest = self.session.now, self._newest
        return now if newest is None else min(now, end_of(newest))

    async def _listen(self, audio: MediaQueue[AudioChunk | Flush]) -> AsyncGenerator[Frame | Signal, None]:
        async with aclosing(_answers(self.service, self._meter.counted(audio))) as answers:
            async for heard in answers:
                if isinstance(heard, TurnHint):
                    yield TurnHinted(heard.probability, self._given(), heard.final)
                    continue
                self._backoff.reset()
                if heard.final or (heard.text and not self._catches_up):
                    started, ended = self._spoken(heard)
                    yield Transcript(heard.text, heard.final, started, ended, heard.language)
                if heard.final and self.is_free:
                    self.take_next()


def _channel(bytes_per_second: int) -> MediaQueue[AudioChunk | Flush]:
    def seconds(item: AudioChunk | Flush) -> float:
        return len(item.pcm) / bytes_per_second if isinstance(item, AudioChunk) else 0.0

    return MediaQueue[AudioChunk | Flush](30.0, seconds, "drop oldest")


async def _answers(
    service: SpeechToText, audio: AsyncIterator[AudioChunk | Flush]
) -> AsyncGenerator[Recognized | TurnHint, None]:
    """Yield what a service hears, after checking it."""
    async with closing(service.transcribe(audio)) as answers:
        async for heard in answers:
            if isinstance(heard, TurnHint):
                if not is_probability(heard.probability):
                    raise BadResponseError(f"a turn hint of {str(heard.probability)[:40]} is no probability")
            elif not isinstance(heard, Recognized) or not isinstance(heard.text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise BadResponseError(f"speech to text yielded {str(heard)[:60]}, not words")
            yield heard
    raise UnavailableError("speech to text ended its stream")
