"""A model that hears and speaks, made of three services: STT, LLM and TTS.

    Agent("...", realtime=Composite(create("stt", "local"), create("llm", "local"), create("tts", "local")))

It makes the port of realtime models real on any machine, and takes over where such a model fails. Inside it
is a session with the same stages as a cascade, which do all that they do there: retries, cutting of the text,
word times. Turns are decided outside.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress

from ..context import AgentSaid, Context, Entry, ToolAnswered, UserSaid
from ..errors import UnavailableError
from ..frames import (
    AgentAudio,
    AudioEnded,
    Failed,
    Generated,
    Prompt,
    ReplyEnded,
    SegmentEnded,
    SegmentStarted,
    SpeechStarted,
    SpeechStopped,
    Text,
    TextEnded,
    ToolCall,
    Transcript,
    Usage,
    UserAudio,
    UtteranceLost,
    WordTimed,
)
from ..processor import Processor, on
from ..reply import Reply
from ..session import Session
from .life import close_services, open_services
from .llm import LLM
from .ports import LanguageModel, RealtimeModel, SpeechToText, TextToSpeech
from .realtime_vocabulary import (
    AgentWords,
    Consumed,
    CutShort,
    Discard,
    RealtimeEvent,
    RealtimeInput,
    Remember,
    Respond,
    ResponseBegan,
    ResponseOver,
    Say,
    SpeechBegan,
    SpeechOver,
    ToolOutput,
    UserHeard,
    UserSound,
    UserWords,
    Voice,
)
from .stt import STT
from .tts import TTS

__all__ = ["Composite"]


class Composite(RealtimeModel):
    """Three services that hear, answer and speak as one model."""

    detection = "ours"

    def __init__(self, stt: SpeechToText, llm: LanguageModel, tts: TextToSpeech) -> None:
        self.stt, self.llm, self.tts = stt, llm, tts
        self.input_rate = stt.sample_rate
        self.output_rate = tts.sample_rate
        self.resident = any(service.resident for service in (stt, llm, tts))

    async def load(self) -> None:
        """Load the three."""
        for service in (self.stt, self.llm, self.tts):
            await service.load()

    async def open(self) -> None:
        """Open the three."""
        await open_services((self.stt, self.llm, self.tts))

    async def close(self) -> None:
        """Close the three."""
        await close_services((self.stt, self.llm, self.tts))

    async def converse(
        self, context: Context, inputs: AsyncIterator[RealtimeInput], *, detects: bool = False
    ) -> AsyncGenerator[RealtimeEvent]:
        """Hold one conversation in a session of its own."""
        events = asyncio.Queue[RealtimeEvent | None]()
        mind, mouth = _Mind(context, events), _Mouth(events, self.output_rate)
        session = Session([STT(self.stt), mind, LLM(self.llm), TTS(self.tts), mouth])
        async with session:
            feeding = asyncio.create_task(self._feed(session, mind, inputs))
            feeding.add_done_callback(lambda _: events.put_nowait(None))
            try:
                while (event := await events.get()) is not None:
                    yield event
                await feeding
                raise UnavailableError("the conversation ended")
            finally:
                feeding.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await feeding

    async def _feed(self, session: Session, mind: "_Mind", inputs: AsyncIterator[RealtimeInput]) -> None:
        heard = 0  # samples of the user's sound
        async for item in inputs:
            at = heard / self.input_rate
            match item:
                case UserSound(pcm):
                    session.send(UserAudio(pcm, self.input_rate, heard))
                    heard += len(pcm) // 2
                case SpeechBegan():
                    session.send(SpeechStarted(at))
                case SpeechOver():
                    mind.turns_due += 1
                    session.send(SpeechStopped(at))
                case Discard():
                    mind.discarded += 1
                    session.send(SpeechStopped(at))
                case CutShort():
                    mind.cut_short()
                case _:
                    mind.take(item)


class _Mind(Processor):
    """Has the model answer once the user's words are there."""

    def __init__(self, context: Context, events: "asyncio.Queue[RealtimeEvent | None]") -> None:
        self.turns_due = 0
        """Turns of the user whose words are missing."""
        self.discarded = 0
        """Stretches of speech whose words are not for the model."""
        self._context = context
        self._since: list[Entry] = []  # what was said since that context
        self._events = events
        self._turns = 0
        self._waiting = False  # whether an answer is to be made once the words are there
        self._calls: dict[str, ToolCall] = {}

    def take(self, item: RealtimeInput) -> None:
        """Take an input that is not sound."""
        match item:
            case Remember(context):
                self._context, self._since = context, []
            case UserWords(text):
                self._since.append(UserSaid(text))
            case ToolOutput(call, name, output):
                known = self._calls.pop(call, ToolCall(call, name, "{}"))
                self._since.append(ToolAnswered(known, output))
            case Respond() if self.turns_due:
                self._waiting = True
            case Respond():
                self._answer()
            case Say(text):
                self.session.new_reply(lambda reply: self._say(reply, text))
            case _:
                pass

    def cut_short(self) -> None:
        """Stop the answer, or do not begin it."""
        if self._waiting:
            self._waiting = False
            self._end("cancelled", "it was cut short")
        self.session.interrupt("it was cut short", force=True)

    def _end(self, status: str, reason: str) -> None:
        """Tell of a response that never began to be made."""
        self._events.put_nowait(ResponseBegan())
        self._events.put_nowait(ResponseOver(status, reason))  # type: ignore[arg-type]

    def _answer(self) -> None:
        self.session.new_reply(self._ask)

    def _ask(self, reply: Reply) -> None:
        self._events.put_nowait(ResponseBegan())
        entries = (*self._context.entries, *self._since)
        context = Context(self._context.instructions, entries, self._context.tools)
        self.push(Prompt(reply.number, context))

    def _say(self, reply: Reply, text: str) -> None:
        self._events.put_nowait(ResponseBegan())
        self.push(Text(reply.number, text, reply.write(text)))
        self.push(TextEnded(reply.number))

    @on(Transcript)
    def words(self, frame: Transcript) -> None:
        if frame.final and self.discarded and not self.turns_due:
            self.discarded -= 1
            return
        self._events.put_nowait(UserHeard(self._turns, frame.text, frame.final))
        if frame.final:
            self._turn_heard(frame.text)

    def _turn_heard(self, text: str) -> None:
        self._turns += 1
        self.turns_due = max(0, self.turns_due - 1)
        if text:
            self._since.append(UserSaid(text))
        if self._waiting and not self.turns_due:
            self._waiting = False
            if text:
                self._answer()
            else:
                self._end("cancelled", "there were no words")

    @on(UtteranceLost)
    def words_lost(self, frame: UtteranceLost) -> None:
        """Fail the answer to a turn whose words were not recognised."""
        if not self.turns_due:
            self.discarded = max(0, self.discarded - 1)
            return
        self.turns_due -= 1
        self._turns += 1
        if self._waiting and not self.turns_due:
            self._waiting = False
            self._end("failed", "the user's words were not recognised")

    @on(Generated)
    def generated(self, signal: Generated) -> None:
        """Have all of the text spoken, and tell the calls."""
        for call in signal.calls:
            self._calls[call.id] = call
            self._events.put_nowait(call)
        reply = self.session.reply
        if reply is not None and reply.number == signal.reply:
            if signal.calls:
                self._since.append(AgentSaid(reply.text, signal.calls))
            self.push(TextEnded(signal.reply))


class _Mouth(Processor):
    """Tells what is spoken: the voice, and words with the times at which they end."""

    def __init__(self, events: "asyncio.Queue[RealtimeEvent | None]", sample_rate: int) -> None:
        self._events = events
        self._rate = sample_rate
        self._told = 0  # characters of the reply that were told
        self._samples = 0  # of the reply's voice
        self._begun = 0  # those before the segment
        self._end = 0  # where the segment's text ends
        self._problem = ""

    @on(SegmentStarted)
    def segment_started(self, frame: SegmentStarted) -> None:
        self._begun, self._end = self._samples, frame.end

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        self._samples += len(frame.pcm) // 2
        self._events.put_nowait(Voice(frame.pcm))

    @on(WordTimed)
    def word(self, frame: WordTimed) -> None:
        self._tell(frame.end, self._begun + frame.at)

    @on(SegmentEnded)
    def segment_ended(self, frame: SegmentEnded) -> None:
        self._tell(self._end if frame.end is None else frame.end, self._samples)

    def _tell(self, end: int, at: int) -> None:
        """Tell the text up to an offset, which has been spoken at a sample."""
        reply = self.session.reply
        if reply is not None and end > self._told:
            self._events.put_nowait(AgentWords(reply.text[self._told : end], at / self._rate))
            self._told = end

    @on(AudioEnded)
    def audio_ended(self, frame: AudioEnded) -> None:
        reply = self.session.reply
        if reply is not None and reply.number == frame.reply:
            self._tell(len(reply.text), self._samples)
            self.session.replies.finish(frame.reply, len(reply.text))

    @on(Usage)
    def used(self, signal: Usage) -> None:
        self._events.put_nowait(Consumed(signal.unit, signal.amount, signal.vendor, signal.model))

    @on(Failed)
    def failed(self, signal: Failed) -> None:
        if signal.reply is not None and not signal.recovered:
            self._problem = signal.message

    @on(ReplyEnded)
    def reply_ended(self, signal: ReplyEnded) -> None:
        problem, self._problem = self._problem, ""
        status = "cancelled" if signal.interrupted else "failed" if problem else "completed"
        self._events.put_nowait(ResponseOver(status, problem or signal.reason))
        self._told = self._samples = self._begun = 0
