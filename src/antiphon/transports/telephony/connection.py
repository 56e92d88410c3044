"""The connection of a call: the provider's websocket, and its REST API."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ...errors import BadResponseError, ConfigurationError, TheyErred, UsageError
from ...frames import Transfer
from ..wire import Wire
from .port import (
    Account,
    CallDetails,
    CallEvent,
    CallStopped,
    Codec,
    Document,
    SendBack,
    TransferRequest,
    WireMessage,
)
from .providers import account, missing, provider
from .rest import Rest

__all__ = ["CallConnection"]

PATIENCE = 1.0  # seconds to wait for marks of the last words, and for the provider to close


class CallConnection:
    """A call's connection, which its input and its output share."""

    def __init__(
        self,
        codec: Codec,
        wire: Wire,
        call: CallDetails,
        credentials: Account | None,
        rest: Rest,
        publish: Callable[[Document], str] | None,
    ) -> None:
        self.codec = codec
        self.wire = wire
        self.call = call
        self.gone = False
        """True once the provider has ended the call or closed the websocket."""
        self.handed_to = ""
        """The target of a transfer that is in progress or done; "" if there is none."""
        self.unread = asyncio.Event()
        """Set while the input does not read the wire, so that `read_until` may."""
        self.unread.set()
        self._provider = provider(call.provider)
        self._account = account(self._provider) if credentials is None else credentials
        self._rest = rest
        self._publish = publish

    def send(self, message: WireMessage | None) -> bool:
        """Send a codec's message.

        Returns False if it is None, because the protocol has no such message.
        """
        if message is None:
            return False
        self.wire.send(message)
        return True

    async def hang_up(self) -> None:
        """End the call by a message or a REST request, if the provider has either.

        Raises TheyErred if the provider fails.
        """
        flow = self._provider.hang_up
        if self.send(self.codec.end()):
            await self.until_gone()
        elif flow is not None and self.call.call and not missing(self._provider, self._account):
            await self._rest.run(flow(self._account, self.call), self._provider.title)

    async def transfer(self, wish: Transfer) -> None:
        """Transfer the call.

        Raises ConfigurationError if the provider cannot do that or credentials are missing, and TheyErred if
        the provider fails.
        """
        title, flow = self._provider.title, self._provider.transfer
        if not wish.warm and self.send(self.codec.transfer(wish.to)):
            self.handed_to = wish.to
            return
        if flow is None:
            raise ConfigurationError(f"{title} has no {'warm ' * wish.warm}transfer")
        if lacking := missing(self._provider, self._account):
            raise ConfigurationError(
                f"{title} needs credentials to transfer a call: set {', '.join(lacking)}"
            )
        what = TransferRequest(self.call, wish.to, wish.warm, wish.announcement, self._publish)
        self.handed_to = "" if wish.warm else wish.to  # the call may end before the response is here
        try:
            await self._rest.run(flow(self._account, what), title)
        except (ConfigurationError, UsageError, TheyErred):
            self.handed_to = ""
            raise
        self.handed_to = wish.to

    async def read_until(self, wanted: Callable[[CallEvent], bool]) -> None:
        """Read on after the input has stopped, until a wanted event comes.

        Also returns when the wire ends, or PATIENCE seconds have passed.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self.unread.wait()
                while (message := await self.wire.receive()) is not None:
                    with suppress(BadResponseError):
                        for event in self.codec.feed(message):
                            if isinstance(event, SendBack):
                                self.wire.send(event.message)
                            if wanted(event):
                                return

    async def until_gone(self) -> None:
        """Wait for the provider to close the call by itself, for at most PATIENCE."""
        await self.read_until(lambda event: isinstance(event, CallStopped))
