"""The stage that turns the agent's text into audio."""

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field

from ..errors import BadResponseError, TheyErred
from ..frames import (
    AgentAudio,
    AudioEnded,
    Backchannel,
    Failed,
    Frame,
    Measured,
    SegmentEnded,
    SegmentStarted,
    SessionStarted,
    Signal,
    Text,
    TextEnded,
    WordTimed,
    replace,
)
from ..processor import on
from ..stage import MediaQueue, Work
from .cutting import Cutter, Piece
from .digits import CONTEXT, digit_by_digit
from .markup import without_markup
from .ports import Speech, TextToSpeech, Word
from .respelling import Respelled
from .service_stage import ServiceStage
from .streams import closing
from .usage import SpokenMeter

__all__ = ["TTS"]

ASIDE_WITHIN = 5.0  # seconds that the audio of a backchannel may take
ASIDE_TIMELY = 0.4  # seconds after which a backchannel comes too late to be said
SENTENCE_END = re.compile(r"(?<=\w)\Z")  # the end of a line that has no mark: a full stop is added there
SPOKEN = 14.0  # characters that a voice speaks per second, if it tells no word times
MOST_COVERED = 2.0  # seconds that the first piece of a reply may be made to last
LAST_WITHIN = 3.0  # seconds that the last try has: to give up earlier would help nobody
SILENT = 1000  # items without audio in a row that only a service out of order sends


@dataclass(slots=True)
class ReplySpeech:
    """The speech of one reply: its pieces of text, and how far the service has got."""

    reply: int
    cutter: Cutter
    pieces: MediaQueue[Piece]
    work: Work = field(init=False)
    """The try that speaks now."""
    given: list[Piece] = field(default_factory=list[Piece])
    """The pieces that were taken, those without anything to say among them."""
    asked: list[tuple[int, Respelled]] = field(default_factory=list[tuple[int, Respelled]])
    """What the service was asked to speak: an index into `given`, and how it is said."""
    at: int = -1
    """The piece that is being spoken, as an index into `given`; -1 before the first."""
    sounded: int = -1
    """The last text that had any audio, as an index into `asked`; -1 before the first."""
    begun: float = 0.0
    """When the service took its first piece."""
    whole: bool = False
    """True once the service has taken all of the text."""
    seconds: float = 0.0
    """The audio of the current piece."""
    words: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """The words of the current piece: when each is over, and where it ends in the reply's text."""
    again: list[Piece] = field(default_factory=list[Piece])
    """What another try has to speak before the pieces that still wait."""
    tries: int = 1
    """How often the service was asked."""
    watched: bool = False
    """True while audio is due by a certain time."""
    held: bool = False
    """True while the service waits for playout, which has enough."""
    plays_until: float = 0.0
    """When all of the audio has been heard, at the earliest."""
    first_at: float = 0.0
    """When the first audio came."""
    first_seconds: float = 0.0
    """How much audio of the first text there is."""

    def fits(self, piece: int) -> bool:
        """Return True if audio may belong to this piece, by its index in `asked`.

        It must have been sent to the service, and must not precede the current one.
        """
        return 0 <= piece < len(self.asked) and self.at <= self.asked[piece][0]

    def reach(self, piece: int, reply: int) -> Iterator[Frame]:
        """Yield the frames that end the pieces before this one, of `given`, and start it."""
        while self.at < piece:
            if self.at >= 0:
                yield SegmentEnded(reply)
            self.at += 1
            self.seconds, self.words = 0.0, []
            yield SegmentStarted(reply, self.given[self.at].start, self.given[self.at].end)

    async def next_piece(self) -> Piece | None:
        """Return the next piece that was not taken, once there is one; None at the end."""
        return self.again.pop(0) if self.again else await anext(self.pieces, None)

    @property
    def spoken_to(self) -> int | None:
        """The text offset up to which there is audio; None if there is none.

        It is at the end of a word, by its time or by the usual rate of speech.
        """
        if self.sounded < 0:
            return None
        piece = self.given[self.at]
        if self.words:
            return max((end for over, end in self.words if over <= self.seconds), default=piece.start)
        characters = int(self.seconds * SPOKEN)
        if characters >= len(piece.text):
            return piece.end
        return piece.start + len(piece.text[:characters].rpartition(" ")[0])

    @property
    def resume_at(self) -> int | None:
        """The text offset from which another voice has to speak; None if nothing is told."""
        told_no_sound = self.spoken_to is None and self.at >= 0
        return self.given[0].start if told_no_sound else self.spoken_to

    def go_back(self) -> Iterator[Frame]:
        """Yield the segment's end, and let another try speak what has no audio."""
        spoken_to = self.spoken_to
        if self.at >= 0:
            end = self.given[self.at].start if spoken_to is None else spoken_to
            yield SegmentEnded(self.reply, end)
        rest = [piece for given in self.given if (piece := _after(given, spoken_to)) is not None]
        self.again, self.given, self.asked = [*rest, *self.again], [], []
        self.at = self.sounded = -1
        self.whole = self.watched = self.held = False

    @property
    def owed(self) -> str | None:
        """What the service has to yield now; None if it may be silent."""
        if self.held:
            return None
        if self.whole:
            return "the end of the agent's voice"
        waits = self.again or self.pieces or self.pieces.closed or any(map(str.isalnum, self.unspoken))
        return "the agent's voice" if waits else None

    @property
    def unspoken(self) -> str:
        """The text that was given to the service and had no audio."""
        return "".join(said.text for _, said in self.asked[self.sounded + 1 :])

    @property
    def before(self) -> str:
        """The newest text that was taken."""
        return "".join(piece.text + " " for piece in self.given[-4:])[-CONTEXT:]


class TTS(ServiceStage[TextToSpeech]):
    """A stage that turns the text of a reply into audio, clause by clause.

    A service that is silent for its `slow_after` seconds, while there is text to speak and nothing more to
    hear, is replaced by the spare or asked once more. `within`: seconds that the last try has; None means 3,
    or as long as the first. `ahead`: seconds of speech that may wait as text before back-pressure holds the
    language model. `spell_numbers` is for a voice that reads "555 123 4567" as three quantities: it gets the
    numbers of telephones, accounts, codes digit by digit.

    Markdown and emoji are never given to a voice; what was heard is counted in the text as written.
    """

    port = "tts"
    scope = "reply"

    def __init__(
        self, service: TextToSpeech, *, within: float | None = None, ahead: float = 60.0,
        spell_numbers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__(service)
        self.within = max(LAST_WITHIN, service.slow_after) if within is None else within
        self.ahead = ahead
        self.spell_numbers = spell_numbers
        self._voice: ReplySpeech | None = None
        self._covers = 0.0  # seconds that the first piece must last, learnt from the replies before
        self._meter = SpokenMeter(self)
        self._asides: dict[str, bytes] = {}  # text to audio of the backchannels that were made

    def adopt(self) -> None:
        """Forget what was made by, and learnt of, the old voice."""
        self._asides.clear()
        self._covers = 0.0

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        """Forget a reply that was taken away, and may be given again."""
        self._voice = None

    @on(Text)
    def text(self, frame: Text) -> None:
        if self._is_unvoiced(frame.reply):
            self.push(frame)
            return
        voice = self._for(frame.reply)
        self._give(voice, voice.cutter.feed(frame.text, frame.at))

    @on(TextEnded)
    def text_ended(self, frame: TextEnded) -> None:
        if self._is_unvoiced(frame.reply):
            self.push(frame)
            return
        if frame.more and (self._voice is None or self._voice.reply != frame.reply):
            return  # tools run, and nothing has been said
        voice = self._for(frame.reply)
        self._give(voice, voice.cutter.flush())
        if not frame.more:
            voice.pieces.close()
            self._watch(voice)

    @on(Backchannel)
    def backchannel(self, frame: Backchannel) -> None:
        """Speak it now or never: a late one would interrupt the user."""
        if (pcm := self._asides.get(frame.text)) is not None:
            self.push(AgentAudio(0, pcm, self.service.sample_rate))
        else:
            work = Work(self)
            work.expect("a backchannel", ASIDE_WITHIN)
            self.run(work, self._speak_aside(frame.text))

    async def _speak_aside(self, text: str) -> AsyncGenerator[Frame | Signal, None]:
        async def whole() -> AsyncGenerator[str, None]:
            yield text

        begun = self.session.clock.now()
        async with closing(self._meter.speak(whole())) as spoken:
            pcm = b"".join([item.pcm async for item in spoken if isinstance(item, Speech)])
        self._asides[text] = pcm
        if self.session.clock.now() - begun <= ASIDE_TIMELY:
            yield AgentAudio(0, pcm, self.service.sample_rate)

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """End the reply with what was spoken, since no other part will speak the rest."""
        if signal.part == self.name and signal.reply is not None and not signal.recovered:
            self.push(AudioEnded(signal.reply))

    def _is_unvoiced(self, number: int) -> bool:
        """Return True if this reply is text to be read, which playout ends."""
        reply = self.session.reply
        return reply is not None and reply.number == number and not reply.voiced

    def _give(self, voice: ReplySpeech, pieces: Iterator[Piece]) -> None:
        for piece in pieces:
            voice.pieces.put(piece)
            self._watch(voice)  # for a service that never takes its text

    def _for(self, reply: int) -> ReplySpeech:
        voice = self._voice
        if voice is None or voice.reply != reply:
            self.take_next()
            pieces = MediaQueue[Piece](self.ahead, lambda piece: piece.seconds)
            voice = self._voice = ReplySpeech(reply, Cutter(covers=self._covers), pieces)
            self._begin(voice)
        return voice

    def _begin(self, voice: ReplySpeech) -> None:
        """Let the service speak what waits."""
        work = Work(self, voice.reply, voice.pieces, late=lambda error: self._late(voice, error))
        voice.work = work
        self._watch(voice)
        self.run(work, self._speak(voice, work))

    def _watch(self, voice: ReplySpeech) -> None:
        """Expect audio, if the service has something to speak.

        It is not due while there is some to hear.
        """
        owed = voice.owed
        if owed is None:
            voice.watched = False
            voice.work.relax()
        elif not voice.watched:
            voice.watched = True
            is_last = voice.tries > 1 and not self._has_spare()
            within = self.within if is_last else min(self.within, self.service.slow_after)
            voice.work.expect(owed, max(within, voice.plays_until - self.session.clock.now()))

    async def _text(self, voice: ReplySpeech, work: Work) -> AsyncGenerator[str, None]:
        """Yield the pieces as the service takes them, and expect audio for each."""
        while voice.work is work and (piece := await voice.next_piece()) is not None:
            said = self._as_said(piece, voice)
            voice.given.append(piece)
            if said.text:
                voice.begun = voice.begun if voice.asked else self.session.clock.now()
                voice.asked.append((len(voice.given) - 1, said))
                self._watch(voice)
                yield said.text
        if voice.work is work:
            voice.whole = True
            self._watch(voice)

    def _as_said(self, piece: Piece, voice: ReplySpeech) -> Respelled:
        """Return the text that the service is asked to speak for a piece.

        The text is empty if there is nothing to say.
        """
        said = without_markup(piece.text, begins_line=piece.begins_line)
        if self.spell_numbers:
            said = digit_by_digit(said, voice.before)
        return said.sub(SENTENCE_END, ".") if piece.ends_line else said

    async def _speak(self, voice: ReplySpeech, work: Work) -> AsyncGenerator[Frame | Signal, None]:
        """Speak a reply, or the rest of it."""
        try:
            async with aclosing(self._try(voice.reply, voice, work)) as spoken:
                async for frame in spoken:
                    yield frame
        except TheyErred as error:
            if work.alive:  # else it was late, and the reply goes on without it
                self._go_on(voice, error)
            return
        yield AudioEnded(voice.reply)

    def _late(self, voice: ReplySpeech, error: TheyErred) -> None:
        """Go on without a try that is silent, however long its end takes."""
        late = voice.work
        self._go_on(voice, error)
        late.cancel()

    def _go_on(self, voice: ReplySpeech, error: TheyErred) -> None:
        """Report a failure, and let another try speak what had no audio.

        That is the spare's; without one, the service is asked once more.
        """
        could_help = error.retryable or (isinstance(error, BadResponseError) and voice.spoken_to is None)
        again = voice.tries == 1 and could_help and not self._has_spare()
        resume_at, voice.pieces = voice.resume_at, voice.pieces.renew()
        for frame in voice.go_back():
            self.push(frame)
        failed = Failed(self.name, type(error).__name__, str(error), voice.reply, error.retryable)
        failed = replace(failed, recovered=again, retried=again, resume_at=resume_at)
        self.session.signals.report(self, failed)
        if again:
            voice.tries += 1
            self._begin(voice)

    def _has_spare(self) -> bool:
        """Return True if another voice would take over."""
        return any(branch.has_spare() for branch in self.branches)

    async def _try(self, reply: int, voice: ReplySpeech, work: Work) -> AsyncGenerator[Frame | Signal, None]:
        rate, silent = self.service.sample_rate, 0
        async with closing(self._meter.speak(self._text(voice, work), reply)) as spoken:
            async for item in spoken:
                if not work.alive:  # it does not stop when it is cancelled
                    return
                silent += 1
                match item:
                    case Speech(bytes(pcm), piece) if voice.fits(piece) and len(pcm) % 2 == 0:
                        if pcm:
                            voice.held = True
                            self._watch(voice)
                            self._learn(voice, piece, len(pcm) / 2 / rate)
                            if voice.sounded < 0:
                                took = self.session.clock.now() - voice.begun
                                yield Measured(self.name, "first audio", took, reply)
                            for frame in voice.reach(voice.asked[piece][0], reply):
                                yield frame
                            yield AgentAudio(reply, pcm, rate)
                            voice.sounded, silent = piece, 0
                            voice.seconds += len(pcm) / 2 / rate
                            voice.held = False
                            self._watch(voice)
                    case Word(piece, end, seconds) if 0 <= piece < len(voice.asked):
                        place, said = voice.asked[piece]
                        for frame in voice.reach(place, reply):
                            yield frame
                        if place == voice.at:
                            spoken_to = voice.given[place].start + said.written(end)
                            voice.words.append((seconds, spoken_to))
                            yield WordTimed(reply, spoken_to, int(seconds * rate))
                    case _:
                        raise BadResponseError(
                            f"text to speech yielded {str(item)[:60]}, neither Speech nor Word"
                        )
                if silent > SILENT:
                    raise BadResponseError(f"text to speech yielded {SILENT} items in a row without audio")
        work.relax()
        if not voice.whole or any(map(str.isalnum, voice.unspoken)):
            raise BadResponseError("text to speech ended before it had spoken its text")
        for frame in voice.reach(len(voice.given) - 1, reply):
            yield frame
        if voice.at >= 0:
            yield SegmentEnded(reply)

    def _learn(self, voice: ReplySpeech, piece: int, seconds: float) -> None:
        """Learn how long the first piece must last, from audio that has just come.

        If there was a hole behind it, on a busy machine, later replies begin with a longer piece.
        """
        now = self.session.clock.now()
        voice.plays_until = max(voice.plays_until, now) + seconds
        if voice.sounded < 0:
            voice.first_at = now
        if piece == 0:
            voice.first_seconds += seconds
        elif voice.sounded == 0:
            took = now - voice.first_at
            self._covers = min(took, MOST_COVERED) if took > voice.first_seconds else self._covers / 2


def _after(piece: Piece, offset: int | None) -> Piece | None:
    """Return what of a piece comes after an offset of the text; None if nothing."""
    if offset is None or offset <= piece.start:
        return piece
    rest = piece.text[offset - piece.start :]
    return replace(piece, text=rest.lstrip(), start=offset, begins_line=False) if rest.strip() else None
