"""The stage that gives the agent's words a voice."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from ..errors import BadResponseError
from ..frames import (
    AgentAudio,
    AudioEnded,
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
from ..stage import Channel, Stage, Work
from .cutting import Cutter, Piece
from .matching import load
from .ports import Speech, TextToSpeech, Word

__all__ = ["TTS"]


@dataclass(slots=True)
class Voice:
    """The work for one reply: its text as it is cut, and the pieces that were given to the service."""

    work: Work
    cutter: Cutter
    pieces: Channel[Piece]


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
        self._voice: Voice | None = None

    async def open(self) -> None:
        """Load the model, or connect."""
        await load(self.service)

    @on(Text)
    def text(self, frame: Text) -> None:
        voice = self._for(frame.reply)
        for piece in voice.cutter.feed(frame.text, frame.at):
            voice.pieces.put(piece)

    @on(TextEnded)
    def text_ended(self, frame: TextEnded) -> None:
        voice = self._for(frame.reply)
        for piece in voice.cutter.flush():
            voice.pieces.put(piece)
        if not frame.more:
            voice.pieces.close()

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        """Nobody else will speak the rest: the reply ends with what has been spoken."""
        if signal.part == self.name and signal.reply is not None and not signal.recovered:
            self.push(AudioEnded(signal.reply))

    def _for(self, reply: int) -> Voice:
        voice = self._voice
        if voice is None or voice.work.reply != reply:
            pieces = Channel[Piece](self.ahead, lambda piece: piece.seconds)
            voice = self._voice = Voice(Work(self, reply, pieces), Cutter(), pieces)
            self.run(voice.work, self._speak(reply, voice))
        return voice

    async def _speak(self, reply: int, voice: Voice) -> AsyncGenerator[Frame | Signal, None]:
        rate, work, clock = self.service.sample_rate, voice.work, self.session.clock
        given: list[Piece] = []
        begun = 0.0
        at = -1  # the piece whose audio is coming

        async def text() -> AsyncGenerator[str, None]:
            nonlocal begun
            async for piece in voice.pieces:
                begun = begun if given else clock.now()
                given.append(piece)
                work.expect("the agent's voice", self.within)
                yield piece.text
                if not voice.pieces and at == len(given) - 1:
                    work.relax()
            work.expect("the end of the agent's voice", self.within)

        async for item in self.service.speak(text()):
            match item:
                case Speech(pcm, piece) if 0 <= piece < len(given) and len(pcm) % 2 == 0:
                    work.relax()
                    if at < 0:
                        yield Measured(self.name, "first audio", clock.now() - begun, reply)
                    while at < piece:
                        if at >= 0:
                            yield SegmentEnded(reply)
                        at += 1
                        yield SegmentStarted(reply, given[at].start, given[at].end)
                    if pcm:
                        yield AgentAudio(reply, pcm, rate)
                    work.expect("the agent's voice", self.within)
                case Word(piece, end, seconds) if 0 <= piece < len(given):
                    if piece == at:
                        yield WordTimed(reply, min(given[at].start + end, given[at].end), int(seconds * rate))
                case _:
                    raise BadResponseError(
                        f"text to speech gave {str(item)[:60]}, which is neither audio nor a word"
                    )
        work.relax()
        for piece in given[at + 1 :]:
            if at >= 0:
                yield SegmentEnded(reply)
            at += 1
            yield SegmentStarted(reply, piece.start, piece.end)
        if at >= 0:
            yield SegmentEnded(reply)
        yield AudioEnded(reply)
