"""A SIP call as a transport."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from typing import Any, Protocol

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
from ..catching_up import pieces
from ..intake import Intake
from .settings import SIPSettings, address, host
from .sound import CallAudio

__all__ = ["SIP", "hang_up"]

logger = logging.getLogger("antiphon.sip")

PIECE = 0.02  # seconds between two reads of what has arrived
LEAD = 0.06  # seconds of audio that the stack buffers while the agent speaks
LAST_WORDS = 0.5  # seconds that buffered audio may take to be sent before the call is hung up
RING = 30.0  # seconds that the third party of a warm transfer has to answer
ANNOUNCED_WITHIN = 60.0  # seconds that the announcement may take
OUTCOME_WITHIN = 60.0  # seconds in which the caller's telephone must report the outcome of a transfer
NEGOTIATED_WITHIN = 3.0  # seconds that a negotiation of the media in progress may take
TRANSFERRED = "Call transfered"  # the stack's reason for the end of a transferred call
REASONS = {"rtp stream error": "the caller vanished"}


class Dialer(Protocol):
    """The part of the endpoint that its calls use: a warm transfer dials again."""

    sip: Any
    """The module baresip."""
    settings: SIPSettings
    closed: bool

    async def dial(self, to: str, *, within: float, domain: str) -> "SIP":
        """See `Endpoint.dial`."""
        ...


async def hang_up(sip: Any, call: Any) -> None:
    """End a call in any state.

    An incoming call that still rings is declined as busy.
    """
    try:
        if call.state is not sip.CallState.CLOSED:
            await call.hangup()
    except sip.BaresipError as error:
        logger.debug("a call could not be hung up: %s", error)


class SIP:
    """The transport of one established call.

    The session ends when the other side hangs up, and the call is hung up when the session ends. Pressed keys
    arrive as UserKey; AgentKeys presses keys, and Transfer transfers the call.
    """

    lead = LEAD
    observers: Sequence[Observer] = ()

    def __init__(self, endpoint: Dialer, call: Any, sound: CallAudio) -> None:
        self.endpoint = endpoint
        self.call = call
        self.sound = sound
        self.caller: str = call.peer or ""
        self.sample_rate = sound.spoken_hz
        self.transferring_to = ""
        """The target of a transfer that is in progress or done; "" if there is none."""
        self.input = SIPInput(self)
        self.output = SIPOutput(self)

    @property
    def over(self) -> bool:
        """True if the call has ended."""
        return self.endpoint.closed or self.call.state is self.endpoint.sip.CallState.CLOSED

    async def close(self) -> None:
        """Hang up once the buffered audio has been sent."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self._wait_for_buffer(0.0)
        await hang_up(self.endpoint.sip, self.call)

    async def announce(self, text: str, voice: TextToSpeech) -> None:
        """Speak a text on a call that has no session.

        Raises UnavailableError if the other side leaves, or the announcement takes too long.
        """
        convert = Resampler(voice.sample_rate, self.sample_rate)

        async def whole() -> AsyncGenerator[str, None]:
            yield text

        try:
            async with asyncio.timeout(ANNOUNCED_WITHIN), closing(voice.speak(whole())) as spoken:
                async for item in spoken:
                    if isinstance(item, Speech):
                        await self._send(convert(item.pcm))
                await self._send(convert.flush())
                await self._wait_for_buffer(0.0)
        except TimeoutError as error:
            raise UnavailableError("the announcement could not be spoken in time") from error
        if not self.sound.connected:
            raise UnavailableError("the other side left during the announcement")

    async def _send(self, pcm: bytes) -> None:
        piece = 2 * int(self.sample_rate * PIECE)
        for begin in range(0, len(pcm), piece):
            await self._wait_for_buffer(LEAD)
            self.sound.write(pcm[begin : begin + piece])

    async def _wait_for_buffer(self, waiting: float) -> None:
        """Wait until at most `waiting` seconds of audio are buffered."""
        while not self.over and self.sound.waiting > waiting:  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(PIECE)


class SIPInput(Stage):
    """The first part: it pushes what the caller says and presses."""

    name = "_Ear"  # the class's former name, which recorded journals contain
    back_pressure = False

    def __init__(self, call: SIP) -> None:
        self._sip_call = call
        self._intake = Intake(call.sound.heard_hz, steady=True)
        self._end_reason = ""

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._sip_call.call.on_dtmf(self._on_key)
        self._sip_call.call.on(self._on_event)
        self.run(Work(self), self._listen())

    def _on_key(self, digit: Any) -> None:
        self.push(UserKey(digit.digit))

    def _on_event(self, event: Any) -> None:
        if event.event.name == "CALL_CLOSED":
            self._end_reason = event.text or ""

    async def _listen(self) -> AsyncGenerator[Frame | Signal, None]:
        sip_call, clock = self._sip_call, self.session.clock
        while not sip_call.over:
            pcm = sip_call.sound.read()
            now = self.session.elapsed()
            if (frame := self._intake.place(pcm, now) if pcm else self._intake.release(now)) is not None:
                async with aclosing(pieces(frame, self)) as parts:
                    async for piece in parts:
                        yield piece
            await clock.sleep(PIECE)
        if sip_call.endpoint.closed:
            reason = "the line was closed"
        elif self._end_reason == TRANSFERRED:
            reason = f"transferred to {sip_call.transferring_to}"
        else:
            reason = REASONS.get(self._end_reason, "the caller hung up")
        await self.session.cancel(reason)

    async def close(self) -> None:
        """Hang up if the call has not ended."""
        self._sip_call.call.off_dtmf(self._on_key)
        self._sip_call.call.off(self._on_event)
        await self._sip_call.close()


class SIPOutput(Stage):
    """The last part: it sends voice and keys, and transfers the call."""

    name = "_Mouth"

    def __init__(self, call: SIP) -> None:
        self._sip_call = call
        self._sip = call.endpoint.sip

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        self._sip_call.sound.write(frame.pcm)
        self.push(frame)

    @on(Interrupted, PlayoutPaused)
    def clear(self, signal: Interrupted | PlayoutPaused) -> None:
        self._sip_call.sound.clear()

    @on(AgentKeys)
    async def keys(self, frame: AgentKeys) -> None:
        """Press keys.

        Raises UsageError if one is invalid, UnavailableError if they could not be sent.
        """
        try:
            await self._sip_call.call.send_dtmf(frame.keys)
        except ValueError as error:
            raise UsageError(f"{frame.keys!r} cannot be pressed: {error}") from error
        except self._sip.BaresipError as error:
            raise UnavailableError(f"{frame.keys!r} was not pressed: {error}") from error

    @on(Transfer)
    async def transfer(self, frame: Transfer) -> None:
        """Transfer the call, which ends here only if that succeeds."""
        sip_call = self._sip_call
        sip_call.transferring_to = frame.to
        try:
            if frame.warm:
                await self._consult(frame)
            else:
                uri = address(frame.to, self._domain)
                await sip_call.call.transfer(uri, timeout=OUTCOME_WITHIN)
        except self._sip.BaresipError as error:
            if not sip_call.over:  # or the caller has left, which is not a failure of the transfer
                raise UnavailableError(f"the call could not be transferred to {frame.to}: {error}") from error

    async def _consult(self, frame: Transfer) -> None:
        """Make a warm transfer: the third party first hears the announcement."""
        sip_call, call = self._sip_call, self._sip_call.call
        voice = self._voice() if frame.announcement else None
        other = await sip_call.endpoint.dial(frame.to, within=RING, domain=self._domain)
        try:
            if voice is not None:
                await other.announce(frame.announcement, voice)
            await self._negotiate(other, other.call.hold)
            await self._negotiate(sip_call, call.hold)
            await call.attended_transfer(other.call, timeout=OUTCOME_WITHIN)
        finally:
            await hang_up(self._sip, other.call)
            if call.is_on_hold and not sip_call.over:
                await self._negotiate(sip_call, call.resume)

    @property
    def _domain(self) -> str:
        """The domain for a number without one: the endpoint's, or else the caller's host."""
        return self._sip_call.endpoint.settings.domain or host(self._sip_call.caller)

    async def _negotiate(self, sip_call: SIP, change: Callable[[], Awaitable[None]]) -> None:
        """Hold or resume a call, once a negotiation in progress is over.

        Raises BaresipError if that fails.
        """
        for _ in range(int(NEGOTIATED_WITHIN / PIECE)):
            try:
                return await change()
            except self._sip.BaresipError as error:
                logger.debug("waiting to hold or resume: %s", error)
                if sip_call.over:
                    break
            await self.session.clock.sleep(PIECE)
        return await change()

    def _voice(self) -> TextToSpeech:
        for part in self.session.parts:
            if isinstance(part, TTS):
                return part.service
        raise UsageError("the announcement of this transfer cannot be spoken: put a TTS into the pipeline")
