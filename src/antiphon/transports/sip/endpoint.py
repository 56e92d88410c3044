"""The SIP endpoint: it listens, registers, accepts calls and makes them."""

import asyncio
import importlib
import logging
import socket
import sys
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, Self

from ...errors import ConfigurationError, UnavailableError, UsageError
from .settings import SIPSettings, address, user
from .sound import CallAudio
from .transport import SIP, hang_up

__all__ = ["Endpoint", "Ringing"]

logger = logging.getLogger("antiphon.sip")

POLL = 0.02  # seconds between two checks of whether the media are connected
MEDIA_WITHIN = 5.0  # seconds after the answer within which the media must be connected
REGISTERED_FOR = 600  # seconds after which a registration is renewed
ANYWHERE = ("0.0.0.0", "::")
OTHER = {"udp": "tcp", "tcp": "udp"}  # the protocol that is answered as well, since the stack listens to both
EXTRA = (
    "catchall=yes",  # accept calls to any number
    # without video: the stack would otherwise send a re-INVITE after each answer, since the video that it is
    # ready for was not agreed on, and hang up on callers who ignore it (baresip 4, `call_need_modify`)
    "video_codecs=none",
)


def _baresip() -> Any:
    if sys.platform == "win32":
        raise ConfigurationError(
            "SIP does not work on Windows, for which its library has no package: use Linux, or a phone "
            "provider (docs/guides/telephone.md)"
        )
    try:
        return importlib.import_module("baresip")
    except ImportError as error:
        raise ConfigurationError('SIP needs baresip: pip install "antiphon[sip]"') from error


class Endpoint:
    """A SIP endpoint, which accepts and makes calls while it is open.

    Raises ConfigurationError if it cannot be set up.
    """

    def __init__(self, settings: SIPSettings | None = None) -> None:
        self.settings = settings or SIPSettings()
        self.sip = _baresip()
        self._runtime: Any = None
        self._agent: Any = None
        self._ringing: asyncio.Queue[Ringing | None] = asyncio.Queue()
        self.closed = False
        """True if all its calls are over, because it was closed or the SIP stack has died."""

    async def __aenter__(self) -> Self:
        settings, sip = self.settings, self.sip
        config, account = self._configured()
        _check_address(settings)
        self._runtime = sip.Runtime()
        self._runtime.on_dead = self._on_dead
        try:
            await self._runtime.start(config)
            self._agent = await self._user_agent(account)
            if other := OTHER.get(settings.protocol):
                await self._user_agent(replace(account, transport=other, registrar=None, reg_interval=0))
            if settings.domain:
                await self._agent.register()
                self._agent.on(self._on_event)
        except sip.BaresipError as error:
            await self._close()
            raise ConfigurationError(
                f"SIP cannot be set up on {settings.listen} as {settings.user}@{account.domain}: {error}"
            ) from error
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _user_agent(self, account: Any) -> Any:
        """Make a user agent, which gets the calls that come by its protocol."""
        agent = await self.sip.UserAgent.create(self._runtime, account, transfer_policy="reject")
        agent.on_incoming(self._on_incoming)
        return agent

    def _configured(self) -> tuple[Any, Any]:
        settings, sip = self.settings, self.sip
        anywhere = settings.here in ANYWHERE
        ports = f"rtp_ports {settings.ports}\n" if settings.ports else ""
        try:
            config = sip.Config(
                net_interface=None if anywhere else settings.here,
                max_concurrent_calls=settings.calls,
                rtp_timeout=settings.vanished_after,
                expose_headers=("To",),  # the stack exposes the called number in no other way
                extra_config_text=f"sip_listen {settings.listen}\n{ports}",
            )
            account = sip.Account(
                settings.user,
                settings.domain or (socket.gethostname() if anywhere else settings.here),
                settings.password,
                registrar=settings.registrar or None,
                reg_interval=REGISTERED_FOR if settings.domain else 0,
                transport=settings.protocol,
                audio_codecs=tuple(settings.codecs),
                extra_params=EXTRA,
            )
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"the SIP settings are invalid: {error}") from error
        return config, account

    async def _close(self) -> None:
        self._end()
        runtime, self._runtime, self._agent = self._runtime, None, None
        if runtime is not None:
            try:
                await runtime.close()
            except self.sip.BaresipError as error:
                logger.warning("SIP could not be closed: %s", error)

    async def calls(self) -> AsyncGenerator["Ringing", None]:
        """Yield incoming calls until the endpoint is closed."""
        while (ringing := await self._ringing.get()) is not None:
            yield ringing

    async def dial(self, to: str, *, within: float = 30.0, domain: str = "") -> SIP:
        """Call a SIP address or a number, and return the call's transport.

        A number is called at the endpoint's domain, or at `domain` if the endpoint has none. Raises
        UnavailableError if the call is not answered within `within` seconds.
        """
        if self._agent is None:
            raise UsageError("open the endpoint first: async with Endpoint(...) as endpoint:")
        uri = address(to, self.settings.domain or domain)
        try:
            call = await self._invite(uri)
            try:
                await call.wait_established(within)
            except asyncio.CancelledError:
                await hang_up(self.sip, call)
                raise
        except self.sip.BaresipError as error:
            raise UnavailableError(f"{to} did not take the call: {error}") from error
        return await _connected(self, call)

    async def _invite(self, uri: str) -> Any:
        """Send the invitation and return the call.

        An answer may arrive before the binding subscribes to the call's events, and would be missed
        (baresip-python 0.5.2a3), so events that came early are replayed to it.
        """
        early: list[Any] = []
        self._runtime.subscribe(early.append)
        try:
            call = await self._agent.dial(uri)
        finally:
            self._runtime.unsubscribe(early.append)
        for event in early:
            call._on_stack_event(event)
        return call

    def _on_incoming(self, call: Any) -> None:
        self._ringing.put_nowait(Ringing(self, call))

    def _on_dead(self) -> None:
        logger.error("the SIP stack has died, and its calls with it; restart the process to take calls again")
        self._end()

    def _end(self) -> None:
        self.closed = True
        self._ringing.put_nowait(None)

    def _on_event(self, event: Any) -> None:
        if event.event.name == "REGISTER_FAIL":
            logger.warning("%s is not registered any more: %s", self.settings.user, event.text)


class Ringing:
    """An incoming call, to be answered or declined."""

    def __init__(self, endpoint: Endpoint, call: Any) -> None:
        self._endpoint = endpoint
        self._call = call
        self.id: str = call.call_id or ""
        self.caller: str = call.peer or ""
        """The caller's address, as the caller claims it."""
        self.called: str = user(call.headers.get("To", ""))
        """The name or number that was called."""

    @property
    def over(self) -> bool:
        """True if the caller has left, or was declined."""
        return self._endpoint.closed or self._call.state is self._endpoint.sip.CallState.CLOSED

    async def answer(self) -> SIP:
        """Answer the call and return its transport.

        Raises UnavailableError if the caller has hung up.
        """
        try:
            await self._call.answer()
            await self._call.wait_established(MEDIA_WITHIN)
        except self._endpoint.sip.BaresipError as error:
            raise UnavailableError(f"the call from {self.caller} could not be answered: {error}") from error
        return await _connected(self._endpoint, self._call)

    async def decline(self) -> None:
        """Reply that the endpoint is busy, or hang up if the call has been answered."""
        await hang_up(self._endpoint.sip, self._call)


async def _connected(endpoint: Endpoint, call: Any) -> SIP:
    """Wait until the media are connected, and return the transport.

    Raises UnavailableError if they fail.
    """
    sip = endpoint.sip
    for _ in range(int(MEDIA_WITHIN / POLL)):
        if call.state is sip.CallState.CLOSED:
            break
        try:
            info = call.audio.info()
        except sip.AudioNotActive:
            info = None
        if info is not None and info.tx_ready and info.rx_ready:
            return SIP(endpoint, call, CallAudio(sip, call, info))
        await asyncio.sleep(POLL)
    await hang_up(sip, call)
    raise UnavailableError(f"no audio was agreed on with {call.peer or 'the other side'}")


def _check_address(settings: SIPSettings) -> None:
    """Check that the address can be bound, since the stack does not report it.

    Raises ConfigurationError if it cannot.
    """
    port = int(settings.listen.rpartition(":")[2])
    try:
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            family, *_, where = socket.getaddrinfo(settings.here, port, type=kind)[0]
            with socket.socket(family, kind) as one:
                one.bind(where)
    except OSError as error:
        raise ConfigurationError(f"SIP cannot listen on {settings.listen}: {error}") from error
