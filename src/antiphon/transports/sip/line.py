"""One call as a transport."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...audio.resample import Resampler
from ...errors import UnavailableError, UsageError
from ...frames import (
    AgentAudio,
    AgentKeys,
    Frame,
    Interrupted,
    PlayoutPaused,
    SessionStarted,
    Signal,
    Transfer,
    UserKey,
)
from ...observers import Observer
from ...processor import on
from ...services.ports import Speech, TextToSpeech
from ...services.streams import closing
from ...services.tts import TTS
from ...stage import Stage, Work
from ..intake import Intake
from .settings import address, host
from .sound import CallAudio

if TYPE_CHECKING:
    from .endpoint import Endpoint

__all__ = ["SIP", "hang_up"]

logger = logging.getLogger("antiphon.sip")

PIECE = 0.02  # seconds between two looks at what has arrived
LEAD = 0.06  # seconds of audio that the stack holds while the agent speaks
LAST_WORDS = 0.5  # seconds that what was spoken may take to go out before the call is hung up
RING = 30.0  # seconds that the other side of a warm transfer has to answer
ANNOUNCED_WITHIN = 60.0  # seconds that the announcement may take
OUTCOME_WITHIN = 60.0  # seconds in which the caller's telephone must say what has become of a transfer
SETTLED_WITHIN = 3.0  # seconds in which another agreement about the media must have come to its end
TRANSFERRED = "Call transfered"  # what the stack says of a call that ended so
REASONS = {"rtp stream error": "the caller vanished"}


async def hang_up(sip: Any, call: Any) -> None:
    """End a call in whatever state it is; one that rings hears that it is busy."""
    try:
        if call.state is not sip.CallState.CLOSED:
            await call.hangup()
    except sip.BaresipError as error:
        logger.debug("a call that was to be hung up: %s", error)


class SIP:
    """A transport over one established call. The session ends when the other side hangs up, and hangs up when
    it ends. Keys come in as UserKey; AgentKeys and Transfer go out."""

    lead = LEAD
    observers: Sequence[Observer] = ()

    def __init__(self, endpoint: "Endpoint", call: Any, sound: CallAudio) -> None:
        self.endpoint = endpoint
        self.call = call
        self.sound = sound
        self.caller: str = call.peer or ""
        self.sample_rate = sound.spoken_hz
        self.handing_to = ""
        """Whom the call is being handed on to, or has been."""
        self.input = _Ear(self)
        self.output = _Mouth(self)

    @property
    def over(self) -> bool:
        """Whether the call has ended."""
        return self.endpoint.closed or self.call.state is self.endpoint.sip.CallState.CLOSED

    async def close(self) -> None:
        """Hang up, when what was spoken has gone out."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self._until(0.0)
        await hang_up(self.endpoint.sip, self.call)

    async def announce(self, text: str, voice: TextToSpeech) -> None:
        """Say something to the other side, where no session does. Raises UnavailableError if they leave."""
        convert = Resampler(voice.sample_rate, self.sample_rate)

        async def whole() -> AsyncGenerator[str, None]:
            yield text

        try:
            async with asyncio.timeout(ANNOUNCED_WITHIN), closing(voice.speak(whole())) as spoken:
                async for item in spoken:
                    if isinstance(item, Speech):
                        await self._say(convert(item.pcm))
                await self._say(convert.flush())
                await self._until(0.0)
        except TimeoutError as error:
            raise UnavailableError("the announcement could not be spoken in time") from error
        if not self.sound.stands:
            raise UnavailableError("the other side left during the announcement")

    async def _say(self, pcm: bytes) -> None:
        piece = 2 * int(self.sample_rate * PIECE)
        for begin in range(0, len(pcm), piece):
            await self._until(LEAD)
            self.sound.write(pcm[begin : begin + piece])

    async def _until(self, waiting: float) -> None:
        """Wait until no more than this waits to go out."""
        while not self.over and self.sound.waiting > waiting:  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(PIECE)


class _Ear(Stage):
    def __init__(self, line: SIP) -> None:
        self._line = line
        self._intake = Intake(line.sound.heard_hz, steady=True)
        self._why = ""

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._line.call.on_dtmf(self._pressed)
        self._line.call.on(self._happened)
        self.run(Work(self), self._listen())

    def _pressed(self, digit: Any) -> None:
        self.session.enter(self, UserKey(digit.digit))

    def _happened(self, event: Any) -> None:
        if event.event.name == "CALL_CLOSED":
            self._why = event.text or ""

    async def _listen(self) -> AsyncGenerator[Frame | Signal, None]:
        line, clock = self._line, self.session.clock
        while not line.over:
            pcm = line.sound.read()
            if pcm and (frame := self._intake.take(pcm, self.session.now)) is not None:
                yield frame
            await clock.sleep(PIECE)
        if line.endpoint.closed:
            reason = "the line was closed"
        elif self._why == TRANSFERRED:
            reason = f"transferred to {line.handing_to}"
        else:
            reason = REASONS.get(self._why, "the caller hung up")
        await self.session.cancel(reason)

    async def close(self) -> None:
        """Hang up, if that has not been done."""
        self._line.call.off_dtmf(self._pressed)
        self._line.call.off(self._happened)
        await self._line.close()


class _Mouth(Stage):
    def __init__(self, line: SIP) -> None:
        self._line = line
        self._sip = line.endpoint.sip

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        self._line.sound.write(frame.pcm)
        self.push(frame)

    @on(Interrupted, PlayoutPaused)
    def clear(self, signal: Interrupted | PlayoutPaused) -> None:
        self._line.sound.clear()

    @on(AgentKeys)
    async def keys(self, frame: AgentKeys) -> None:
        """Press them."""
        try:
            await self._line.call.send_dtmf(frame.keys)
        except ValueError as error:
            raise UsageError(f"{frame.keys!r} cannot be pressed: {error}") from error
        except self._sip.BaresipError as error:
            raise UnavailableError(f"{frame.keys!r} was not pressed: {error}") from error

    @on(Transfer)
    async def transfer(self, frame: Transfer) -> None:
        """Hand the call on; when it is through, it ends here. Until then, and if it fails, it goes on."""
        line = self._line
        line.handing_to = frame.to
        try:
            if frame.warm:
                await self._consult(frame)
            else:
                uri = address(frame.to, self._domain)
                await line.call.transfer(uri, timeout=OUTCOME_WITHIN)
        except self._sip.BaresipError as error:
            if not line.over:  # else the caller has left, which is no failure of the transfer
                raise UnavailableError(f"the call could not be handed on to {frame.to}: {error}") from error

    async def _consult(self, frame: Transfer) -> None:
        """Call the other side first; they take over the call when they have heard what it is about."""
        line, call = self._line, self._line.call
        voice = self._voice() if frame.announcement else None
        other = await line.endpoint.dial(frame.to, within=RING, domain=self._domain)
        try:
            if voice is not None:
                await other.announce(frame.announcement, voice)
            await self._settled(other, other.call.hold)
            await self._settled(line, call.hold)
            await call.attended_transfer(other.call, timeout=OUTCOME_WITHIN)
        finally:
            await hang_up(self._sip, other.call)
            if call.is_on_hold and not line.over:
                await self._settled(line, call.resume)

    @property
    def _domain(self) -> str:
        """Where a number is called that stands alone: at our provider's, else where the caller is."""
        return self._line.endpoint.settings.domain or host(self._line.caller)

    async def _settled(self, line: SIP, agree: Callable[[], Awaitable[None]]) -> None:
        """Hold or resume, after what is being agreed on already. Raises BaresipError."""
        for _ in range(int(SETTLED_WITHIN / PIECE)):
            try:
                return await agree()
            except self._sip.BaresipError as error:
                logger.debug("put off: %s", error)
                if line.over:
                    break
            await self.session.clock.sleep(PIECE)
        return await agree()

    def _voice(self) -> TextToSpeech:
        for part in self.session.parts:
            if isinstance(part, TTS):
                return part.service
        raise UsageError("nobody can speak the announcement of this transfer: the pipeline has no TTS")
