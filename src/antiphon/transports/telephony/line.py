"""The line of a call: its socket, and its provider on the web."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from ...errors import BadResponseError, ConfigurationError, TheyErred, UsageError
from ...frames import Transfer
from ..wire import Wire
from .port import (
    Account,
    CallDetails,
    CallStopped,
    Codec,
    Document,
    Event,
    Message,
    SendBack,
    TransferRequest,
)
from .providers import account, missing, provider
from .rest import Rest

__all__ = ["CallLine"]

PATIENCE = 1.0  # seconds that the last words may take to be played, and the far end to leave


class CallLine:
    """What both ends of the transport share: the socket, and the provider on the web."""

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
        """Whether the far end has left."""
        self.handed_to = ""
        """Whose the call is now, or about to be."""
        self.alone = asyncio.Event()
        """Whether nobody reads from the wire."""
        self.alone.set()
        self._provider = provider(call.provider)
        self._account = account(self._provider) if credentials is None else credentials
        self._rest = rest
        self._publish = publish

    def send(self, message: Message | None) -> bool:
        """Send what the codec has a message for."""
        if message is None:
            return False
        self.wire.send(message)
        return True

    async def hang_up(self) -> None:
        """End the call, by message, by request, or by leaving. Raises TheyErred."""
        flow = self._provider.hang_up
        if self.send(self.codec.end()):
            await self.until_gone()
        elif flow is not None and self.call.call and not missing(self._provider, self._account):
            await self._rest.run(flow(self._account, self.call), self._provider.title)

    async def transfer(self, wish: Transfer) -> None:
        """Hand the call on. Raises ConfigurationError where that cannot be done, and TheyErred."""
        title, flow = self._provider.title, self._provider.transfer
        if not wish.warm and self.send(self.codec.transfer(wish.to)):
            self.handed_to = wish.to
            return
        if flow is None:
            raise ConfigurationError(f"{title} has no {'warm ' * wish.warm}transfer")
        if lacking := missing(self._provider, self._account):
            raise ConfigurationError(f"{title} transfers with credentials: set {', '.join(lacking)}")
        what = TransferRequest(self.call, wish.to, wish.warm, wish.announcement, self._publish)
        self.handed_to = "" if wish.warm else wish.to  # the far end may leave before the answer is here
        try:
            await self._rest.run(flow(self._account, what), title)
        except (ConfigurationError, UsageError, TheyErred):
            self.handed_to = ""
            raise
        self.handed_to = wish.to

    async def read(self, wanted: Callable[[Event], bool]) -> None:
        """Read on, when nobody else does, until this event, the end, or PATIENCE is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self.alone.wait()
                while (message := await self.wire.receive()) is not None:
                    with suppress(BadResponseError):
                        for event in self.codec.feed(message):
                            if isinstance(event, SendBack):
                                self.wire.send(event.message)
                            if wanted(event):
                                return

    async def until_gone(self) -> None:
        """Give the far end time to leave by itself."""
        await self.read(lambda event: isinstance(event, CallStopped))
