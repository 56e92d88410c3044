"""The stage that detects when somebody speaks."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import ClassVar

from ..audio.levels import find_speech_end
from ..clock import Timer
from ..errors import BadResponseError, UnavailableError
from ..frames import (
    AudioAwaited,
    AudioJudged,
    Failed,
    Frame,
    Signal,
    SpeechPaused,
    SpeechStarted,
    SpeechStopped,
    UserAudio,
    replace,
)
from ..processor import on
from ..stage import MediaQueue, Stage, Work
from ..turns.vad import ON_THE_WAY, SpeechRules, VADSettings
from .ports import VoiceActivity
from .resampling import ResampledInput, seconds
from .streams import Backoff, closing, is_probability, ready

__all__ = ["VAD"]

MUTED = 0.5  # seconds without any audio after which the line counts as silent
LOOK = 0.1  # seconds between two looks at a line that seems to be silent
LATE = 0.1  # seconds; if a look comes later than this, the machine was busy, and audio may wait to be read
PACKET = 0.1  # seconds; after a longer packet, the next one may come as late as that packet is long
RECENT = 0.4  # seconds of audio before the final silence that are searched for the last sound of speech
UNJUDGED = 12.0  # seconds of audio that may wait, since after a stall of the line it comes all at once
WITHIN = 1.5  # seconds that a window may wait to be judged


class VAD(Stage):
    """A stage that detects where speech begins and ends in the user's audio.

    It pushes SoundHeard, SpeechStarted, SpeechPaused, SpeechResumed and SpeechStopped. A service that has a
    version for the line's sample rate (its `at`) is exchanged for that; for others the audio is resampled.
    """

    keeps_up: ClassVar[bool] = True

    def __init__(self, service: VoiceActivity, settings: VADSettings | None = None) -> None:
        self.rules = SpeechRules(settings)
        self._use(service)
        self._rest = b""
        self._recent = b""  # the latest audio, which ends at `_judged`
        self._judged = 0.0
        self._began = 0.0  # when the speech began, by the detector
        self._windows = self._channel()
        self._unjudged = 0  # windows whose probability has not come
        self._until = 0.0  # where the audio so far ends, with the silence that filled its gaps
        self._heard = 0.0  # where the audio ends whose probabilities have come
        self._quiet_from = 0.0  # when audio last arrived, even if its place is in the past
        self._watch: Timer | None = None
        self._look_at = -1.0  # when the next look is due
        self._looked = -1.0  # when the last look was made, if it was punctual
        self._silent_at = -1.0  # when the line was last found silent
        self._work: Work | None = None
        self._backoff = Backoff()
        self._asked: Work | None = None  # tells TurnTaking what it waits for
        self._news = asyncio.Event()

    def _use(self, service: VoiceActivity) -> None:
        self.service = service
        self._matched = ResampledInput(service.sample_rate)
        self._bytes = service.window * 2
        self._seconds = service.window / service.sample_rate
        self._kept = int((RECENT + self.rules.settings.stop_after) * service.sample_rate) * 2

    async def open(self) -> None:
        """Load the model and connect."""
        await ready(self.service)

    async def close(self) -> None:
        """Stop to look for gaps in the audio."""
        if self._watch is not None:
            self._watch.cancel()

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Begin a new stream after a delay, if the old one is over by then."""
        if signal.part == self.name:
            self._news.set()
            self.after(self._backoff.next(), self._begin)

    def _channel(self) -> MediaQueue[tuple[float, bytes]]:
        seconds = self._seconds
        return MediaQueue(UNJUDGED, lambda window: seconds, "drop oldest")

    def _begin(self) -> None:
        if self._work is None or not self._work.alive:
            self._windows, self._unjudged = self._channel(), 0
            self._work = Work(self, None, self._windows)
            self.run(self._work, self._detect(self._work, self._windows))

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        self.push(frame)
        if self._work is None:
            self._tune(frame.sample_rate)
            self._begin()
            self.push(AudioJudged(self.session.now))
        ended = frame.at / frame.sample_rate + (length := seconds(frame))
        self._until, self._quiet_from = ended, self.session.now + max(0.0, length - PACKET)
        self._hear(self._matched(frame), ended)
        if self._watch is None:
            self._look_after(MUTED)

    def _look_after(self, seconds: float) -> None:
        self._look_at = self.session.now + seconds
        self._watch = self.after(seconds, self._look)

    def _look(self) -> None:
        """Fill a gap with silence: a microphone that was switched off sends no audio.

        The line counts as silent if two looks in a row find no new audio and neither came late. A late look
        means that this machine stalled, and what was said meanwhile may still wait to be read.
        """
        now = self.session.now
        late, quiet = now - self._look_at > LATE, now - self._quiet_from
        silent = quiet >= MUTED - 1e-6 and not late and self._looked >= self._quiet_from
        self._looked = -1.0 if late else now
        if silent:
            self._silent_at = now
            gap, self._until = max(0.0, now - self._until), now
            if self.rules.state != "silent":
                self._hear(bytes(int(gap / self._seconds) * self._bytes), now)
            self._news.set()
        self._look_after(self._seconds if silent else max(MUTED - LOOK - quiet, LOOK))

    @on(AudioAwaited)
    def awaited(self, signal: AudioAwaited) -> None:
        """Answer once the audio has been judged, or if none comes any more."""
        if self._asked is not None:
            self._asked.cancel()
        self._asked = Work(self)
        self.run(self._asked, self._answer(signal.until))

    async def _answer(self, until: float) -> AsyncGenerator[Frame | Signal, None]:
        while (judged := self._judged_up_to()) < until - ON_THE_WAY:
            self._news.clear()
            await self._news.wait()
        yield AudioJudged(judged)

    def _judged_up_to(self) -> float:
        """Return the time up to which it is known whether anybody spoke.

        That is now if the line is silent, or if the detector does not run.
        """
        alive = self._work is not None and self._work.alive
        silent = self._silent_at >= self._quiet_from and not self._unjudged
        return self._heard if alive and not silent else self.session.elapsed()

    def _hear(self, fresh: bytes, ended: float) -> None:
        """Cut new samples, which end at time `ended`, into windows and have those judged."""
        pcm = self._rest + fresh
        size = self._bytes
        count = len(pcm) // size
        for index in range(count):
            behind = (len(pcm) - (index + 1) * size) / 2 / self.service.sample_rate
            self._judge(ended - behind, pcm[index * size : (index + 1) * size])
        self._rest = pcm[count * size :]

    def _tune(self, sample_rate: int) -> None:
        if sample_rate != self.service.sample_rate and (tuned := self.service.at(sample_rate)) is not None:
            self._use(tuned)

    def _judge(self, ended: float, window: bytes) -> None:
        self._recent = self._recent[-self._kept :] + window
        self._judged = ended
        if self._work is not None and self._work.alive:
            dropped = self._windows.dropped
            self._windows.put((ended, window))
            self._unjudged += 1 - (self._windows.dropped - dropped)
            if self._unjudged == 1:
                self._work.expect("the probability of speech", WITHIN)

    async def _detect(
        self, work: Work, waiting: MediaQueue[tuple[float, bytes]]
    ) -> AsyncGenerator[Frame | Signal, None]:
        ends = deque[float]()

        async def windows() -> AsyncGenerator[bytes, None]:
            async for ended, window in waiting:
                ends.append(ended)
                yield window

        async with closing(self.service.detect(windows())) as probabilities:
            async for probability in probabilities:
                if not is_probability(probability) or not ends:
                    raise BadResponseError(
                        f"voice activity yielded {str(probability)[:40]}, not one probability for each window"
                    )
                self._backoff.reset()
                self._unjudged -= 1
                work.relax()
                if self._unjudged:
                    work.expect("the probability of speech", WITHIN)
                self._heard = ended = ends.popleft()
                self._news.set()
                event = self.rules.feed(probability, ended - self._seconds, ended)
                if isinstance(event, SpeechStarted):
                    self._began = event.at
                if isinstance(event, SpeechPaused | SpeechStopped):
                    yield replace(event, sounded=self._sounded(event.at))
                elif event is not None:
                    yield event
        raise UnavailableError("voice activity ended its stream")

    def _sounded(self, at: float) -> float | None:
        """Return when the last sound of the speech ended; None if audio does not show it.

        `at` is when it ended according to the detector.
        """
        rate = self.service.sample_rate
        end = find_speech_end(self._recent, rate)
        if end is None:
            return None
        sounded = min(at, self._judged - (len(self._recent) // 2 - end) / rate)
        return sounded if sounded > self._began else None  # earlier sound is not of this speech
