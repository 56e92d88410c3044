"""The stage that cleans the microphone's audio before any other part gets it.

    cleaning = Cleaning(Cleaner("echo"))
    [transport.input, cleaning, VAD(...), cleaning.raw, STT(...), ...,
     Playout(...), cleaning.far, transport.output]

`far` records what the agent plays, and when, so that a filter can remove the echo of it. `raw`, from its
place on, restores the audio of the microphone: speech is then detected in clean audio, but recognised from
audio that no filter has distorted. That is for recognisers that get speech alone (`segmented`): those that
get all audio must not get the echo of the agent.

Cleaned audio keeps the position at which it was spoken: a filter's delay makes it later, not misplaced. If a
filter fails or cannot keep up, the audio bypasses it: a noisy voice is better than none.
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
from .ports import AudioFilter
from .resampling import ResampledInput
from .streams import Backoff

__all__ = ["Cleaning"]

WITHIN = 1.5  # seconds that a filter may take in its thread
BEHIND = 0.25  # seconds of audio that may wait for the filter; beyond that, audio bypasses it
KEPT = 2.0  # seconds of the agent's voice that are kept

Block = tuple[int, bytes, bytes | None]
"""The position in samples since the stream began, the microphone's audio, and the agent's."""


class Cleaning(Stage):
    """A stage that passes UserAudio on, cleaned, at the filter's rate.

    `echo_delay`: the least seconds that an echo takes, from the transport's output to its input. Filters find
    delays up to 0.3 s by themselves; set it for lines with longer ones, such as some telephone lines.
    `skipped` counts the seconds of audio that bypassed the filter.
    """

    def __init__(self, service: AudioFilter, *, echo_delay: float = 0.0) -> None:
        if not 0 <= echo_delay <= KEPT / 2:
            raise ConfigurationError(f"echo_delay must be 0 to {KEPT / 2:g} seconds, not {echo_delay:g}")
        self.service = service
        self.far = Far(service)
        self.raw = Raw(service.sample_rate)
        self.skipped = 0.0
        self._matched = ResampledInput(service.sample_rate)
        self._echo_delay = round(echo_delay * service.sample_rate)
        self._places = _Places()
        self._seconds_in = 0.0  # of the stream, including what the resampler still holds
        self._next_at = -1  # the microphone's next sample, at its own rate, if there is no gap
        self._rest = b""
        self._matched_to = 0  # samples of the stream at the filter's rate
        self._lead_in = 0  # samples still to come out of the filter before the first that went in
        self._waiting = MediaQueue[Block](60.0, self._duration)
        self._work: Work | None = None
        self._bypassed = True
        self._backoff = Backoff()

    async def open(self) -> None:
        """Have the filter load what it needs."""
        await self.service.open()

    async def close(self) -> None:
        """Close the filter."""
        await self.service.close()

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._begin()

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Bypass the filter until it works again."""
        if signal.part == self.name:
            self._bypassed = True
            self.after(self._backoff.next(), lambda: self.run(Work(self), self._restart()))

    async def _restart(self) -> AsyncGenerator[Frame | Signal, None]:
        await self.service.open()
        self.service.reset()
        if self._bypassed:
            self._begin()
        return
        yield

    def _begin(self) -> None:
        self._rest, self._next_at, self._lead_in, self._bypassed = b"", -1, self.service.delay, False
        if not self.service.light:
            self._waiting = MediaQueue[Block](60.0, self._duration)
            self._work = Work(self, None, self._waiting)
            self.run(self._work, self._process_apart(self._work, self._waiting))

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        if self._bypassed:
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
        """Set the watchdog for the next block, if there is a new `first` one to clean."""
        if self._work is not None and first:
            self._work.expect("the cleaned audio", WITHIN)

    def _duration(self, block: Block) -> float:
        return len(block[1]) / 2 / self.service.sample_rate

    def _cleaned(self, at: int, pcm: bytes) -> UserAudio | None:
        """Return the filter's output at the position where it was spoken.

        `at` is the first sample that went in. None if nothing is left without the lead-in.
        """
        self._backoff.reset()
        early = min(self._lead_in, len(pcm) // 2)
        self._lead_in -= early
        pcm = pcm[early * 2 :]
        place = self._places.of(at - self.service.delay + early, len(pcm) // 2)
        return UserAudio(pcm, self.service.sample_rate, place) if pcm else None

    def _emit(self, at: int, pcm: bytes) -> None:
        if (frame := self._cleaned(at, pcm)) is not None:
            self.push(frame)

    async def _process_apart(
        self, work: Work, waiting: MediaQueue[Block]
    ) -> AsyncGenerator[Frame | Signal, None]:
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
    """A processor that records what the agent plays.

    Its place is between playout and the transport's output. If the filter does not
    remove echo, it does nothing and may be left out.
    """

    def __init__(self, service: AudioFilter) -> None:
        self.wanted = service.echo
        self.sample_rate = service.sample_rate
        self.heard = Timeline(round(KEPT * service.sample_rate) if service.echo else 1)
        self._resample: Resampler | None = None
        self._from = 0  # the sample rate of what is played
        self._next_at = -1  # the position of the next sample that is played, if there is no gap
        self._place = 0  # the same at the filter's rate

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
        """Forget what a transport with a buffer has dropped unplayed."""
        playout = self.session.playout
        if playout is not None and playout.lead:
            self.heard.cut(round(self.session.now * self.sample_rate))
            self._next_at = -1

    def _lay(self, pcm: bytes) -> None:
        self.heard.write(self._place, pcm)
        self._place += len(pcm) // 2


class Raw(Processor):
    """A processor that restores the microphone's audio for the parts behind it.

    Its place is behind the VAD; it may be left out.
    """

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._heard = Timeline(round(KEPT * sample_rate))

    def put(self, at: int, pcm: bytes) -> None:
        """Record what the microphone heard from this position on."""
        self._heard.write(at, pcm)

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        if frame.sample_rate == self._rate:
            frame = replace(frame, pcm=self._heard.read(frame.at, len(frame.pcm) // 2))
        self.push(frame)


class _Places:
    """A map from samples of a stream to positions in the session.

    The session has gaps, the stream has none.
    """

    def __init__(self) -> None:
        self._begun = [0]
        self._at = [0]

    def add(self, sample: int, at: int) -> None:
        """Map this sample of the stream to position `at`; those behind it follow."""
        del self._begun[:-8], self._at[:-8]
        self._begun.append(sample)
        self._at.append(at)

    def of(self, sample: int, count: int) -> int:
        """Return the position of `count` samples, counted from those after any gap."""
        which = max(0, bisect_right(self._begun, sample + count - 1) - 1)
        return max(0, self._at[which] + sample - self._begun[which])
