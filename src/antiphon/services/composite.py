"""A model that hears and speaks, made of three services: STT, LLM and TTS.

    Agent("...", realtime=Composite(create("stt", "local"), create("llm", "local"), create("tts", "local")))

It makes the port of realtime models real on any machine, and takes over where such a model fails. Inside it
is a session with the same stages as a cascade, which do all that they do there: retries, cutting of the text,
word times. Turns are decided outside, or by turn taking of its own if it is given a voice activity detector.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from copy import copy
from typing import Any, Self

from ..context import Context
from ..errors import ConfigurationError
from ..frames import SpeechStarted, SpeechStopped, UserAudio
from ..playout.playout import Playout
from ..processor import Processor
from ..session import Session
from ..turns.settings import TurnSettings
from ..turns.turn_taking import TurnTaking
from .composite_mind import CompositeMind, HeardTurns, OwnTurns
from .composite_mouth import SpokenEvents, VoiceEvents
from .eot import EOT
from .life import close_services, open_services
from .llm import LLM
from .ports import EndOfTurn, LanguageModel, RealtimeModel, Service, SpeechToText, TextToSpeech, VoiceActivity
from .realtime_vocabulary import (
    CutShort,
    Discard,
    RealtimeEvent,
    RealtimeInput,
    SpeechBegan,
    SpeechOver,
    UserSound,
    UserWentOn,
)
from .stt import STT
from .tts import TTS
from .vad import VAD

__all__ = ["Composite"]

BEHIND = 0.5  # seconds that the user's sound may be behind the time before it is taken to have a gap


class Composite(RealtimeModel):
    """Three services that hear, answer and speak as one model.

    With `vad`, and better with `eot` too, it can also decide when a turn is over; `converse` raises
    ConfigurationError if it shall decide without `vad`. `please_wait` is said if the language model writes
    nothing for a while; None says nothing.
    """

    def __init__(
        self,
        stt: SpeechToText,
        llm: LanguageModel,
        tts: TextToSpeech,
        *,
        vad: VoiceActivity | None = None,
        eot: EndOfTurn | None = None,
        please_wait: str | None = "One moment, please.",
    ) -> None:
        self.stt, self.llm, self.tts, self.vad, self.eot = stt, llm, tts, vad, eot
        self.please_wait = please_wait
        self.detection = "ours" if vad is None else "either"
        self.input_rate = stt.sample_rate
        self.output_rate = tts.sample_rate
        self.resident = any(service.resident for service in self.services)

    def with_services(self, **changed: Any) -> Self:
        """Return a copy with some services replaced: `stt`, `llm`, `tts`, `vad` or `eot`.

        The new services must have the sample rates of the old ones.
        """
        other = copy(self)
        for name, service in changed.items():
            setattr(other, name, service)
        other.resident = any(service.resident for service in other.services)
        return other

    @property
    def services(self) -> tuple[Service, ...]:
        """The services that it is made of."""
        made = (self.stt, self.llm, self.tts, self.vad, self.eot)
        return tuple(service for service in made if service is not None)

    async def load(self) -> None:
        """Load the services."""
        for service in self.services:
            await service.load()

    async def open(self) -> None:
        """Open the services."""
        await open_services(self.services)

    async def close(self) -> None:
        """Close the services."""
        await close_services(self.services)

    async def converse(
        self, context: Context, inputs: AsyncIterator[RealtimeInput], *, detects: bool = False
    ) -> AsyncGenerator[RealtimeEvent]:
        """Hold one conversation in a session of its own."""
        events = asyncio.Queue[RealtimeEvent | None]()
        mind = CompositeMind(context, events.put_nowait, self.please_wait)
        voice = VoiceEvents(events.put_nowait)
        spoken = SpokenEvents(events.put_nowait, self.output_rate, paced=detects)
        thinks = [mind, LLM(self.llm), TTS(self.tts), spoken]
        if detects:
            hears = [*self._turn_taking(), OwnTurns(mind, events.put_nowait)]
            session = Session([*hears, *thinks, Playout(self.output_rate), voice])
            feeding = self._feed(session, mind, None, inputs)
        else:
            turns = HeardTurns(mind, events.put_nowait)
            session = Session([STT(self.stt), turns, *thinks, voice])
            feeding = self._feed(session, mind, turns, inputs)
        async with session:
            fed = asyncio.create_task(feeding)
            fed.add_done_callback(lambda _: events.put_nowait(None))
            try:
                while (event := await events.get()) is not None:
                    yield event
                await fed
            finally:
                fed.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await fed

    def _turn_taking(self) -> list[Processor]:
        """Return the parts that hear the user and decide on turns."""
        if self.vad is None:
            raise ConfigurationError(
                "this composite cannot decide on turns: give it a vad=, and best an eot="
            )
        eot: list[Processor] = [] if self.eot is None else [EOT(self.eot)]
        return [VAD(self.vad), STT(self.stt), *eot, TurnTaking(TurnSettings().without_speculation())]

    async def _feed(
        self,
        session: Session,
        mind: CompositeMind,
        turns: HeardTurns | None,
        inputs: AsyncIterator[RealtimeInput],
    ) -> None:
        """Give the session what comes in; `turns` are those decided on outside."""
        heard = 0  # samples of the user's sound
        async for item in inputs:
            at = heard / self.input_rate
            match item:
                case UserSound(pcm):
                    if turns is None:  # its turn taking compares the sound with the time
                        heard = max(heard, int((session.elapsed() - BEHIND) * self.input_rate))
                    session.send(UserAudio(pcm, self.input_rate, heard))
                    heard += len(pcm) // 2
                case CutShort():
                    mind.cut_short()
                case SpeechBegan() | UserWentOn() | SpeechOver() | Discard() if turns is not None:
                    _mark(session, turns, item, at)
                case _:
                    mind.take(item)


def _mark(
    session: Session, turns: HeardTurns, item: SpeechBegan | UserWentOn | SpeechOver | Discard, at: float
) -> None:
    """Tell the session where speech begins and ends."""
    match item:
        case SpeechBegan():
            turns.begin()
            session.send(SpeechStarted(at))
        case UserWentOn(after):
            turns.ask()
            session.send(SpeechStopped(max(0.0, at - after)))
            session.send(SpeechStarted(at))
        case SpeechOver():
            turns.ask("turn")
            session.send(SpeechStopped(at))
        case Discard():
            turns.ask("discarded")
            session.send(SpeechStopped(at))
