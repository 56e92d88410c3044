"""A telephone call as a transport: whatever provider's codec it is spoken through."""

import asyncio
from collections.abc import Callable, Sequence

from ...errors import ConfigurationError, ServiceTimeoutError, UnavailableError
from ...observers import Observer
from ..wire import Wire
from .ends import TelephoneInput, TelephoneOutput
from .line import CallLine
from .port import Account, CallDetails, CallStarted, CallStopped, Codec, DialRequest, Document, SendBack
from .providers import account, provider
from .rest import Rest

__all__ = ["Telephone", "dial", "greet"]


async def greet(codec: Codec, wire: Wire, within: float = 10.0) -> CallDetails:
    """Read the first messages of a call, until it is known.

    Raises ServiceTimeoutError where that takes longer than `within` seconds, UnavailableError where the far
    end leaves before (it may only have tried the connection), BadResponseError for what is not of its
    protocol.
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
    """One call. `codec`, `wire` and `call` are those of `greet`.

    `credentials` are those of the account; None takes them from the environment. With them the agent hangs up
    and transfers; `publish` gives the address at which a provider can fetch a document, for those that want
    one.
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
        line = CallLine(codec, wire, call, credentials, rest or Rest(), publish)
        self.output = TelephoneOutput(line)
        self.input = TelephoneInput(line, self.output)

    async def close(self) -> None:
        """Wait until the call has been hung up, which the end of the session begins."""
        await self.output.hung_up()


async def dial(
    name: str, dialling: DialRequest, *, credentials: Account | None = None, rest: Rest | None = None
) -> str:
    """Call somebody through the provider of this name; gives its id of the call.

    Raises ConfigurationError where it cannot, or an environment variable is not set, and TheyErred.
    """
    of = provider(name)
    if of.dial is None:
        raise ConfigurationError(f"{of.title} calls nobody at our request")
    given = account(of) if credentials is None else credentials
    return await (rest or Rest()).run(of.dial(given, dialling), of.title)
