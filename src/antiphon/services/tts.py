"""The stage that gives the agent's words a voice."""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field

from ..errors import BadResponseError
from ..frames import (
    AgentAudio,
    AudioEnded,
    Backchannel,
    Failed,
    Frame,
    Measured,
    SegmentEnded,
    SegmentStarted,
    Signal,
    Text,
    TextEnded,
    WordTimed,
)
from ..processor import on
from ..stage import MediaQueue, Stage, Work
from .cutting import Cutter, Piece
from .matching import closing, load
from .ports import Speech, TextToSpeech, Word

__all__ = ["TTS"]

ASIDE_WITHIN, ASIDE_TIMELY = 5.0, 0.4  # seconds that a backchannel may take; later it is not said
SILENT = 1000  # answers without audio, one after the other, that no service needs


@dataclass(slots=True)
class ReplySpeech:
    """The work for one reply: its text as it is cut, and how far the service has got with it."""

    work: Work
    cutter: Cutter
    pieces: MediaQueue[Piece]
    given: list[Piece] = field(default_factory=list[Piece])
    """What the service was given."""
    at: int = -1
    """The piece that is being spoken."""
    sounded: int = -1
    """The last piece that could be heard."""
    begun: float = 0.0
    """When the service had its first text."""
    whole: bool = False
    """Whether the service has taken all of the text."""

    def reach(self, piece: int, reply: int) -> Iterator[Frame]:
        """Go on to a piece: what was before it is complete."""
        while self.at < piece:
            if self.at >= 0:
                yield SegmentEnded(reply)
            self.at += 1
            yield SegmentStarted(reply, self.given[self.at].start, self.given[self.at].end)

    @property
    def unspoken(self) -> str:
        """Text that was given and not heard."""
        return "".join(piece.text for piece in self.given[self.sounded + 1 :])


class TTS(Stage):
    """Turns the text of a reply into audio, clause by clause, and says which audio speaks which text.

    `within`: seconds that audio may take to come once there is text to speak. `ahead`: seconds of speech that
    may wait as text before the language model is held back.
    """

    scope = "reply"

    def __init__(self, service: TextToSpeech, *, within: float = 5.0, ahead: float = 60.0) -> None:
        self.service = service
        self.within = within
        self.ahead = ahead
        self._voice: ReplySpeech | None = None
        self._asides: dict[str, bytes] = {}  # the backchannels that have been spoken, as audio

    async def open(self) -> None:
        """Load the model, or connect."""
        await load(self.service)

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
        voice = self._for(frame.reply)
        self._give(voice, voice.cutter.flush())
        if not frame.more:
            voice.pieces.close()

    @on(Backchannel)
    def backchannel(self, frame: Backchannel) -> None:
        """Speak it now, or never: one that comes late would be an interruption."""
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
        async with closing(self.service.speak(whole())) as spoken:
            pcm = b"".join([item.pcm async for item in spoken if isinstance(item, Speech)])
        self._asides[text] = pcm
        if self.session.clock.now() - begun <= ASIDE_TIMELY:
            yield AgentAudio(0, pcm, self.service.sample_rate)

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Nobody else will speak the rest: the reply ends with what has been spoken."""
        if signal.part == self.name and signal.reply is not None and not signal.recovered:
            self.push(AudioEnded(signal.reply))

    def _is_unvoiced(self, number: int) -> bool:
        """True if this reply is text to be read; playout ends it when its text is complete."""
        reply = self.session.reply
        return reply is not None and reply.number == number and not reply.voiced

    def _give(self, voice: ReplySpeech, pieces: Iterator[Piece]) -> None:
        for piece in pieces:
            voice.pieces.put(piece)
            if not voice.given:  # a service that never takes its text is late, too
                voice.work.expect("the agent's voice", self.within)

    def _for(self, reply: int) -> ReplySpeech:
        voice = self._voice
        if voice is None or voice.work.reply != reply:
            pieces = MediaQueue[Piece](self.ahead, lambda piece: piece.seconds)
            voice = self._voice = ReplySpeech(Work(self, reply, pieces), Cutter(), pieces)
            self.run(voice.work, self._speak(reply, voice))
        return voice

    async def _text(self, voice: ReplySpeech) -> AsyncGenerator[str, None]:
        """The pieces as the service takes them; each is owed a voice."""
        async for piece in voice.pieces:
            voice.begun = voice.begun if voice.given else self.session.clock.now()
            voice.given.append(piece)
            voice.work.expect("the agent's voice", self.within)
            yield piece.text
            if not voice.pieces and voice.sounded == len(voice.given) - 1:
                voice.work.relax()
        voice.whole = True
        voice.work.expect("the end of the agent's voice", self.within)

    async def _speak(self, reply: int, voice: ReplySpeech) -> AsyncGenerator[Frame | Signal, None]:
        rate, silent = self.service.sample_rate, 0
        async with closing(self.service.speak(self._text(voice))) as spoken:
            async for item in spoken:
                silent += 1
                match item:
                    case Speech(pcm, piece) if self._fits(piece, voice) and len(pcm) % 2 == 0:
                        if pcm:
                            voice.work.relax()
                            if voice.sounded < 0:
                                took = self.session.clock.now() - voice.begun
                                yield Measured(self.name, "first audio", took, reply)
                            for frame in voice.reach(piece, reply):
                                yield frame
                            yield AgentAudio(reply, pcm, rate)
                            voice.sounded, silent = piece, 0
                            voice.work.expect("the agent's voice", self.within)
                    case Word(piece, end, seconds) if 0 <= piece < len(voice.given):
                        for frame in voice.reach(piece, reply):
                            yield frame
                        if piece == voice.at:
                            spoken_to = voice.given[piece].start + end
                            yield WordTimed(
                                reply, min(spoken_to, voice.given[piece].end), int(seconds * rate)
                            )
                    case _:
                        raise BadResponseError(
                            f"text to speech gave {str(item)[:60]}, neither audio nor a word"
                        )
                if silent > SILENT:
                    raise BadResponseError(f"text to speech gave {SILENT} answers without audio")
        voice.work.relax()
        if not voice.whole or any(map(str.isalnum, voice.unspoken)):
            raise BadResponseError("text to speech ended before it had spoken its text")
        for frame in voice.reach(len(voice.given) - 1, reply):
            yield frame
        if voice.at >= 0:
            yield SegmentEnded(reply)
        yield AudioEnded(reply)

    @staticmethod
    def _fits(piece: int, voice: ReplySpeech) -> bool:
        """Whether audio may speak this piece now: one that was given, and none before the one at hand."""
        return max(0, voice.at) <= piece < len(voice.given)
