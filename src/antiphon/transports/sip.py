"""A SIP endpoint of one's own: calls straight from a telephone system, without a provider between.

    async with Endpoint(SIPSettings(listen="127.0.0.1:5060")) as endpoint:
        async for ringing in endpoint.calls():
            session = agent.session(await ringing.answer())

SIP, RTP and the codecs are baresip's, through baresip-python. One process has one endpoint.
"""

import asyncio
import importlib
import logging
import re
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ..errors import ConfigurationError, UnavailableError, UsageError
from ..frames import (
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
from ..processor import on
from ..stage import Stage, Work
from ..watching import Observer
from .intake import Intake

__all__ = ["SIP", "Endpoint", "Ringing", "SIPSettings"]

logger = logging.getLogger("antiphon.sip")

PIECE = 0.02  # seconds between two looks at what has arrived
LEAD = 0.06  # seconds of audio that the stack holds while the agent speaks
MOST = 16000 * 2  # bytes read at once: a second of the best voice codec
MEDIA_WITHIN = 5.0  # seconds after the answer in which the media must stand
HOST_PORT = re.compile(r"(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})")


@dataclass(frozen=True, slots=True)
class SIPSettings:
    """Where the endpoint listens, and as whom it registers. Without `domain` it takes calls directly."""

    listen: str = "127.0.0.1:5060"
    """Address and port for SIP. Listen on an open address only behind a firewall that knows the callers."""
    user: str = "antiphon"
    domain: str = ""
    password: str = ""
    registrar: str = ""
    """The outbound proxy, if it is not the domain itself."""
    protocol: str = "udp"  # or "tcp", "tls"
    codecs: Sequence[str] = ("g722/16000/1", "pcmu", "pcma")
    """In order of preference, as baresip names them."""
    calls: int = 8
    """At the same time; those that come then hear that it is busy."""
    vanished_after: int = 10
    """Seconds without a packet of audio after which the other side is gone."""

    def __post_init__(self) -> None:
        match = HOST_PORT.fullmatch(self.listen)
        if match is None or not 0 < int(match[2]) < 65536:
            raise ConfigurationError(f"listen={self.listen!r}: write address:port, such as 127.0.0.1:5060")
        if self.protocol not in ("udp", "tcp", "tls"):
            raise ConfigurationError(f"protocol={self.protocol!r}: SIP goes over udp, tcp or tls")
        if self.calls < 1:
            raise ConfigurationError(f"calls={self.calls}: an endpoint takes one call at least")


def _baresip() -> Any:
    try:
        return importlib.import_module("baresip")
    except ImportError as error:
        raise ConfigurationError('SIP needs baresip: pip install "antiphon[sip]"') from error


class Endpoint:
    """Takes and makes calls while it is open. Raises ConfigurationError where it cannot be set up."""

    def __init__(self, settings: SIPSettings | None = None) -> None:
        self.settings = settings or SIPSettings()
        self._baresip = _baresip()
        self._runtime: Any = None
        self._agent: Any = None
        self._rung: asyncio.Queue[Ringing] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        settings, sip = self.settings, self._baresip
        host = settings.listen.rpartition(":")[0].strip("[]")
        try:
            config = sip.Config(
                net_interface=None if host in ("0.0.0.0", "::") else host,
                max_concurrent_calls=settings.calls,
                rtp_timeout=settings.vanished_after,
                extra_config_text=f"sip_listen {settings.listen}\n",
            )
            account = sip.Account(
                settings.user,
                settings.domain or host,
                settings.password,
                registrar=settings.registrar or None,
                reg_interval=600 if settings.domain else 0,
                transport=settings.protocol,
                audio_codecs=tuple(settings.codecs),
                extra_params=("catchall=yes",),  # whatever number was called, it rings here
            )
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"the SIP settings do not fit: {error}") from error
        self._runtime = sip.Runtime()
        try:
            await self._runtime.start(config)
            self._agent = await sip.UserAgent.create(self._runtime, account)
            self._agent.on_incoming(self._ring)
            if settings.domain:
                await self._agent.register()
        except sip.BaresipError as error:
            await self._close()
            raise ConfigurationError(
                f"SIP cannot be set up on {settings.listen} as {settings.user}@{account.domain}: {error}"
            ) from error
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        runtime, self._runtime, self._agent = self._runtime, None, None
        if runtime is not None:
            try:
                await runtime.close()
            except self._baresip.BaresipError as error:
                logger.warning("SIP could not be closed: %s", error)

    async def calls(self) -> AsyncGenerator["Ringing", None]:
        """The calls that come in, one after the other, until it is left."""
        while True:
            yield await self._rung.get()

    async def dial(self, uri: str, *, within: float = 30.0) -> "SIP":
        """Call somebody: the line, once they have answered. Raises UnavailableError if they do not."""
        if self._agent is None:
            raise UsageError("open the endpoint first: async with Endpoint(...) as endpoint:")
        try:
            call = await self._agent.dial(uri)
            await call.wait_established(within)
        except ValueError as error:
            raise UsageError(f"{uri!r} cannot be called: {error}") from error
        except self._baresip.BaresipError as error:
            raise UnavailableError(f"{uri} did not take the call: {error}") from error
        return await _line(self, call)

    def _ring(self, call: Any) -> None:
        self._rung.put_nowait(Ringing(self, call))


class Ringing:
    """A call that comes in. Answer it, or decline it."""

    def __init__(self, endpoint: Endpoint, call: Any) -> None:
        self._endpoint = endpoint
        self._call = call
        self.caller: str = call.peer or ""

    async def answer(self) -> "SIP":
        """Take it: the line. Raises UnavailableError where the caller has hung up meanwhile."""
        try:
            await self._call.answer()
            await self._call.wait_established(MEDIA_WITHIN)
        except self._endpoint._baresip.BaresipError as error:  # pyright: ignore[reportPrivateUsage]
            raise UnavailableError(f"the call of {self.caller} could not be taken: {error}") from error
        return await _line(self._endpoint, self._call)

    async def decline(self) -> None:
        """Say that it is busy here."""
        try:
            await self._call.reject()
        except self._endpoint._baresip.BaresipError:  # pyright: ignore[reportPrivateUsage]
            logger.debug("a call that was declined had gone already")


async def _line(endpoint: Endpoint, call: Any) -> "SIP":
    """The call's media, as soon as they stand."""
    sip = endpoint._baresip  # pyright: ignore[reportPrivateUsage]
    for _ in range(int(MEDIA_WITHIN / PIECE)):
        try:
            info = call.audio.info()
        except sip.AudioNotActive:
            info = None
        if info is not None and info.tx_ready and info.rx_ready:
            return SIP(endpoint, call, info.rx_sample_rate, info.tx_sample_rate)
        await asyncio.sleep(PIECE)
    await call.hangup()
    raise UnavailableError(f"no audio was agreed on with {call.peer or 'the other side'}")


class SIP:
    """A transport over one established call. The session ends when the other side hangs up, and hangs up when
    it ends. Keys come in as UserKey; AgentKeys and Transfer go out."""

    lead = LEAD
    observers: Sequence[Observer] = ()

    def __init__(self, endpoint: Endpoint, call: Any, heard_hz: int, spoken_hz: int) -> None:
        self.caller: str = call.peer or ""
        self.sample_rate = spoken_hz
        self.input = _Ear(endpoint, call, heard_hz)
        self.output = _Mouth(endpoint, call)


class _Ear(Stage):
    def __init__(self, endpoint: Endpoint, call: Any, rate: int) -> None:
        self._sip = endpoint._baresip  # pyright: ignore[reportPrivateUsage]
        self._call = call
        self._intake = Intake(rate, steady=True)

    @on(SessionStarted)
    def started(self, signal: SessionStarted) -> None:
        self._call.on_dtmf(self._pressed)
        self.run(Work(self), self._listen())

    def _pressed(self, digit: Any) -> None:
        self.session.enter(self, UserKey(digit.digit))

    async def _listen(self) -> AsyncGenerator[Frame | Signal, None]:
        call, clock = self._call, self.session.clock
        while call.state is not self._sip.CallState.CLOSED:
            try:
                pcm = call.audio.read(MOST)
            except (self._sip.AudioRestarted, self._sip.AudioNotActive):
                pcm = b""  # agreed on anew, or on its way to be closed
            if pcm and (frame := self._intake.take(pcm, self.session.now)) is not None:
                yield frame
            await clock.sleep(PIECE)
        await self.session.cancel("the caller hung up")

    async def close(self) -> None:
        """Hang up, if that has not been done."""
        self._call.off_dtmf(self._pressed)
        try:
            if self._call.state is not self._sip.CallState.CLOSED:
                await self._call.hangup()
        except self._sip.BaresipError:
            logger.debug("a call that was hung up had gone already")


class _Mouth(Stage):
    def __init__(self, endpoint: Endpoint, call: Any) -> None:
        self._endpoint = endpoint
        self._sip = endpoint._baresip  # pyright: ignore[reportPrivateUsage]
        self._call = call

    @on(AgentAudio)
    def audio(self, frame: AgentAudio) -> None:
        try:
            self._call.audio.write(frame.pcm)
        except (self._sip.AudioRestarted, self._sip.AudioNotActive):
            logger.debug("20 ms were spoken into a line that was not there")
        self.push(frame)

    @on(Interrupted, PlayoutPaused)
    def clear(self, signal: Interrupted | PlayoutPaused) -> None:
        """Forget what has not gone out."""
        try:
            self._call.audio.flush_tx()
        except (self._sip.AudioRestarted, self._sip.AudioNotActive):
            logger.debug("there was nothing to forget")

    @on(AgentKeys)
    async def keys(self, frame: AgentKeys) -> None:
        """Press them."""
        try:
            await self._call.send_dtmf(frame.keys)
        except ValueError as error:
            raise UsageError(f"{frame.keys!r} cannot be pressed: {error}") from error
        except self._sip.BaresipError as error:
            raise UnavailableError(f"{frame.keys!r} was not pressed: {error}") from error

    @on(Transfer)
    async def transfer(self, frame: Transfer) -> None:
        """Hand the call on; when it is through, it ends here."""
        try:
            if frame.warm:
                await self._consult(frame)
            else:
                await self._call.transfer(frame.to)
        except ValueError as error:
            raise UsageError(f"{frame.to!r} is nowhere to be transferred to: {error}") from error
        except self._sip.BaresipError as error:
            raise UnavailableError(f"the call could not be handed on to {frame.to}: {error}") from error

    async def _consult(self, frame: Transfer) -> None:
        """Call the other side first; they take over the call when they have answered."""
        if frame.announcement:
            raise UsageError("over SIP a transfer has no announcement: leave it out")
        second = await self._endpoint.dial(frame.to)
        await self._call.attended_transfer(second.output._call)
