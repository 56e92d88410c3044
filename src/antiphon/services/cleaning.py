"""The stage that cleans what the microphone hears, before anybody listens to it.

    cleaning = Cleaning(Cleaner("echo"))
    [transport.input, cleaning, VAD(...), cleaning.raw, STT(...), ...,
     Playout(...), cleaning.far, transport.output]

`far` hears what the agent plays, at its place in time, so that a filter can take the echo of it out. `raw`,
where it is placed, gives the microphone back as it was: speech is then found in clean audio, and its words
are taken from what no filter has harmed. That is for recognisers that are given speech alone (`segmented`);
those that listen all the time must not hear the agent.

What comes out keeps the position at which it was spoken: a filter's delay makes it later, not wrong. A filter
that fails, or cannot keep up, is passed by: an unclean voice is better than none.
"""

from bisect import bisect_right
from collections.abc import AsyncGenerator

from ..audio.resample import Resampler
from ..audio.timeline import Timeline
from ..clock import offload
from ..errors import ConfigurationError
from ..frames import (
    AgentAudio,
    Failed,
    Frame,
    Interrupted,
    PlayoutPaused,
    SessionStarted,
    Signal,
    UserAudio,
    replace,
)
from ..processor import Processor, on
from ..stage import MediaQueue, Stage, Work
from .matching import Backoff, ResampledInput, load
from .ports import AudioFilter

__all__ = ["Cleaning"]

WITHIN = 1.5  # seconds that cleaning may take beside the loop
BEHIND = 0.25  # seconds of audio that may wait for it; then they pass as they are
KEPT = 2.0  # seconds of the agent's voice that are remembered

Block = tuple[int, bytes, bytes | None]
"""Position in the filter's samples since the stream began, microphone, agent."""


class Cleaning(Stage):
    """Takes UserAudio and passes it on, cleaned, at the filter's rate.

    `echo_delay`: seconds that an echo takes at least, from the transport's output to its input. Filters look
    for it by themselves; where it is over 0.3 s, as on some telephone lines, they must be told. `skipped`
    counts seconds that passed uncleaned.
    """

    def __init__(self, service: AudioFilter, *, echo_delay: float = 0.0) -> None:
        if not 0 <= echo_delay <= KEPT / 2:
            raise ConfigurationError(f"echo_delay is 0 to {KEPT / 2:g} seconds, not {echo_delay:g}")
        self.service = service
        self.far = Far(service)
        self.raw = Raw(service.sample_rate)
        self.skipped = 0.0
        self._matched = ResampledInput(service.sample_rate)
        self._echo_delay = round(echo_delay * service.sample_rate)
        self._places = _Places()
        self._seconds_in = 0.0  # of the stream, with what the resampler holds
        self._next_at = -1  # where the microphone's next sample would be, at its own rate
        self._rest = b""
        self._matched_to = 0  # samples of the stream at the filter's rate
        self._owed = 0  # samples that are yet to come out before the first that went in
        self._waiting = MediaQueue[Block](60.0, self._duration)
        self._work: Work | None = None
        self._passed_by = True
        self._patience = Backoff()

    async def open(self) -> None:
        """Load the filter's model."""
        await load(self.service)

    async def close(self) -> None:
        """Let go of the filter."""
        if (close := getattr(self.service, "close", None)) is not None:
            close()

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._begin()

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """What the filter cannot clean passes as it is, until it is tried again."""
        if signal.part == self.name:
            self._passed_by = True
            self.after(self._patience.next(), lambda: self.run(Work(self), self._again()))

    async def _again(self) -> AsyncGenerator[Frame | Signal, None]:
        if hasattr(self.service, "load"):
            await load(self.service)
        else:
            self.service.reset()
        if self._passed_by:
            self._begin()
        return
        yield

    def _begin(self) -> None:
        self._rest, self._next_at, self._owed, self._passed_by = b"", -1, self.service.delay, False
        if not self.service.light:
            self._waiting = MediaQueue[Block](60.0, self._duration)
            self._work = Work(self, None, self._waiting)
            self.run(self._work, self._beside(self._work, self._waiting))

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        if self._passed_by:
            self.skipped += len(frame.pcm) / 2 / frame.sample_rate
            if frame.sample_rate == self.service.sample_rate:
                self.raw.put(frame.at, frame.pcm)
            self.push(frame)
            return
        rate, size = self.service.sample_rate, self.service.block * 2
        if frame.at != self._next_at:
            self._places.add(round(self._seconds_in * rate), round(frame.at / frame.sample_rate * rate))
            self._rest = b""
        self._next_at = frame.at + len(frame.pcm) // 2
        self._seconds_in += len(frame.pcm) / 2 / frame.sample_rate
        at = self._matched_to - len(self._rest) // 2
        fresh = self._matched(frame)
        self._matched_to += len(fresh) // 2
        pcm = self._rest + fresh
        whole = len(pcm) // size * size
        near, self._rest = pcm[:whole], pcm[whole:]
        if not near:
            return
        place, far = self._places.of(at, whole // 2), None
        self.raw.put(place, near)
        if self.service.echo:
            far = self.far.heard.read(place - self._echo_delay, whole // 2)
        if self.service.light:
            self._emit(at, self.service.process(near, far))
        else:
            self._waiting.put((at, near, far))
            self._expect(len(self._waiting) == 1)

    def _expect(self, first: bool) -> None:
        """The audio that has waited longest is owed, from when it is `first`."""
        if self._work is not None and first:
            self._work.expect("the cleaned audio", WITHIN)

    def _duration(self, block: Block) -> float:
        return len(block[1]) / 2 / self.service.sample_rate

    def _cleaned(self, at: int, pcm: bytes) -> UserAudio | None:
        """What came out of the filter for the samples from `at` on, at the place where it was spoken."""
        self._patience.reset()
        early = min(self._owed, len(pcm) // 2)
        self._owed -= early
        pcm = pcm[early * 2 :]
        place = self._places.of(at - self.service.delay + early, len(pcm) // 2)
        return UserAudio(pcm, self.service.sample_rate, place) if pcm else None

    def _emit(self, at: int, pcm: bytes) -> None:
        if (frame := self._cleaned(at, pcm)) is not None:
            self.push(frame)

    async def _beside(self, work: Work, waiting: MediaQueue[Block]) -> AsyncGenerator[Frame | Signal, None]:
        async for at, near, far in waiting:
            if waiting.held > BEHIND:
                self.skipped += self._duration((at, near, far))
                pcm = near
            else:
                pcm = await offload(None, self.service.process, near, far)
            work.relax()
            self._expect(len(waiting) > 0)
            if (frame := self._cleaned(at, pcm)) is not None:
                yield frame


class Far(Processor):
    """Hears what the agent plays: stands between playout and the transport's output.

    Where the filter does not want to know, nothing is done, and it may be left out.
    """

    def __init__(self, service: AudioFilter) -> None:
        self.wanted = service.echo
        self.sample_rate = service.sample_rate
        self.heard = Timeline(round(KEPT * service.sample_rate) if service.echo else 1)
        self._resample: Resampler | None = None
        self._from = 0  # the rate of what is played
        self._next_at = -1  # where it would go on
        self._place = 0  # where its next sample is to be laid

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        self.push(frame)
        if not self.wanted:
            return
        if self._resample is None or frame.sample_rate != self._from:
            self._from, self._next_at = frame.sample_rate, -1
            self._resample = Resampler(frame.sample_rate, self.sample_rate)
        if frame.at != self._next_at:
            self._lay(self._resample.flush())
            self._place = round(frame.at / frame.sample_rate * self.sample_rate)
        self._next_at = frame.at + len(frame.pcm) // 2
        self._lay(self._resample(frame.pcm))

    @on(Interrupted, PlayoutPaused)
    def cut(self, signal: Interrupted | PlayoutPaused) -> None:
        """A transport that plays ahead has forgotten what it had not played."""
        playout = self.session.playout
        if playout is not None and playout.lead:
            self.heard.cut(round(self.session.now * self.sample_rate))
            self._next_at = -1

    def _lay(self, pcm: bytes) -> None:
        self.heard.write(self._place, pcm)
        self._place += len(pcm) // 2


class Raw(Processor):
    """Gives those behind it the microphone as it was: stands behind the VAD, or nowhere."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._heard = Timeline(round(KEPT * sample_rate))

    def put(self, at: int, pcm: bytes) -> None:
        """What the microphone heard from this position on."""
        if hasattr(self, "session"):
            self._heard.write(at, pcm)

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        if frame.sample_rate == self._rate:
            frame = replace(frame, pcm=self._heard.read(frame.at, len(frame.pcm) // 2))
        self.push(frame)


class _Places:
    """Where the samples of a stream that may have gaps lie in the session."""

    def __init__(self) -> None:
        self._begun = [0]
        self._at = [0]

    def add(self, sample: int, at: int) -> None:
        """From this sample of the stream on, they lie at `at` and behind it."""
        del self._begun[:-8], self._at[:-8]
        self._begun.append(sample)
        self._at.append(at)

    def of(self, sample: int, count: int) -> int:
        """The place of a sample and its followers; where a gap is among them, those behind it count."""
        which = max(0, bisect_right(self._begun, sample + count - 1) - 1)
        return max(0, self._at[which] + sample - self._begun[which])
