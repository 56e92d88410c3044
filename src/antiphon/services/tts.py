"""The stage that gives the agent's words a voice."""

from collections.abc import AsyncGenerator, Iterator
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
from .matching import closing, load
from .ports import Speech, TextToSpeech, Word

__all__ = ["TTS"]

SILENT = 1000  # answers without audio, one after the other, that no service needs


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
        at, sounded = -1, -1  # the piece that is being spoken, and the last one that could be heard
        begun, silent, whole = 0.0, 0, False

        async def text() -> AsyncGenerator[str, None]:
            nonlocal begun, whole
            async for piece in voice.pieces:
                begun = begun if given else clock.now()
                given.append(piece)
                work.expect("the agent's voice", self.within)
                yield piece.text
                if not voice.pieces and sounded == len(given) - 1:
                    work.relax()
            whole = True
            work.expect("the end of the agent's voice", self.within)

        def segments(piece: int) -> Iterator[Frame]:
            """Go on to a piece."""
            nonlocal at
            while at < piece:
                if at >= 0:
                    yield SegmentEnded(reply)
                at += 1
                yield SegmentStarted(reply, given[at].start, given[at].end)

        async with closing(self.service.speak(text())) as spoken:
            async for item in spoken:
                silent += 1
                match item:
                    case Speech(pcm, piece) if max(0, at) <= piece < len(given) and len(pcm) % 2 == 0:
                        if pcm:
                            work.relax()
                            if sounded < 0:
                                yield Measured(self.name, "first audio", clock.now() - begun, reply)
                            for frame in segments(piece):
                                yield frame
                            yield AgentAudio(reply, pcm, rate)
                            sounded, silent = piece, 0
                            work.expect("the agent's voice", self.within)
                    case Word(piece, end, seconds) if 0 <= piece < len(given):
                        for frame in segments(piece):
                            yield frame
                        if piece == at:
                            yield WordTimed(
                                reply, min(given[at].start + end, given[at].end), int(seconds * rate)
                            )
                    case _:
                        raise BadResponseError(
                            f"text to speech gave {str(item)[:60]}, neither audio nor a word"
                        )
                if silent > SILENT:
                    raise BadResponseError(f"text to speech gave {SILENT} answers without audio")
        work.relax()
        if not whole or any(map(str.isalnum, "".join(piece.text for piece in given[sounded + 1 :]))):
            raise BadResponseError("text to speech ended before it had spoken its text")
        for frame in segments(len(given) - 1):
            yield frame
        if at >= 0:
            yield SegmentEnded(reply)
        yield AudioEnded(reply)
