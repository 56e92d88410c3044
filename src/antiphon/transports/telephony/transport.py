"""A telephone call as a transport, over any provider's codec."""

import asyncio
from collections.abc import Callable, Sequence

from ...errors import ConfigurationError, ServiceTimeoutError, UnavailableError
from ...observers import Observer
from ..wire import Wire
from .connection import CallConnection
from .parts import TelephoneInput, TelephoneOutput
from .port import Account, CallDetails, CallStarted, CallStopped, Codec, DialRequest, Document, SendBack
from .providers import account, provider
from .rest import Rest

__all__ = ["Telephone", "dial", "greet"]


async def greet(codec: Codec, wire: Wire, within: float = 10.0) -> CallDetails:
    """Perform the protocol's handshake and return the details of the call.

    Raises ServiceTimeoutError if that takes longer than `within` seconds, UnavailableError if the provider
    closes the connection before (it may have been a connection test), and BadResponseError if the provider
    violates its protocol.
    """
    try:
        async with asyncio.timeout(within):
            while (message := await wire.receive()) is not None:
                for event in codec.feed(message):
                    match event:
                        case CallStarted(call):
                            return call
                        case SendBack(answer):
                            wire.send(answer)
                        case CallStopped(reason):
                            raise UnavailableError(f"there was no call: {reason}")
                        case _:
                            pass
    except TimeoutError as error:
        raise ServiceTimeoutError(f"no call began within {within:g} s of the connection") from error
    raise UnavailableError("the connection was closed before a call began")


class Telephone:
    """The transport of one call, after `greet` has returned its details.

    `credentials` of the account are needed to hang up and to transfer; None reads them from the environment.
    `publish` returns a URL from which a provider can fetch a document, for those that transfer that way.
    """

    observers: Sequence[Observer] = ()

    def __init__(
        self,
        codec: Codec,
        wire: Wire,
        call: CallDetails,
        *,
        credentials: Account | None = None,
        rest: Rest | None = None,
        publish: Callable[[Document], str] | None = None,
    ) -> None:
        self.call = call
        self.sample_rate = call.spoken.sample_rate
        self.lead = provider(call.provider).lead
        connection = CallConnection(codec, wire, call, credentials, rest or Rest(), publish)
        self.output = TelephoneOutput(connection)
        self.input = TelephoneInput(connection, self.output)

    async def close(self) -> None:
        """Wait until the call has been hung up, which starts when the session ends."""
        await self.output.hung_up()


async def dial(
    name: str, dialling: DialRequest, *, credentials: Account | None = None, rest: Rest | None = None
) -> str:
    """Make a call through the named provider, and return the provider's id of it.

    Raises ConfigurationError if the provider cannot dial or an environment variable is not set, and TheyErred
    if the provider fails.
    """
    of = provider(name)
    if of.dial is None:
        raise ConfigurationError(f"{of.title} cannot make calls for us: choose a provider that dials")
    given = account(of) if credentials is None else credentials
    return await (rest or Rest()).run(of.dial(given, dialling), of.title)
