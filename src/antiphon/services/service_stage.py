"""The stages around a service, which may be changed in mid-call."""

from collections.abc import AsyncGenerator
from typing import Any, ClassVar, Generic, TypeVar

from ..clock import offload
from ..errors import ConfigurationError, UnavailableError, UsageError
from ..frames import Frame, ServiceChanged, Signal, replace
from ..observers import failure
from ..processor import on
from ..service_change import ServiceChange
from ..stage import Stage, Work
from .life import close_services
from .ports import Service, verified
from .streams import ready

__all__ = ["ServiceStage"]

GIVEN_UP = "{} has given up a change of its service"

S = TypeVar("S", bound=Service)


class ServiceStage(Stage, Generic[S]):
    """A stage around a service of a port, which `use` changes in mid-call."""

    port: ClassVar[str]
    service: S

    _next: S | None = None  # takes over when the stage is free
    _made: tuple[S, ...] = ()  # those that it made and has not closed
    _changing: tuple[Work, ServiceChange] | None = None

    def __init__(self, service: S) -> None:
        if isinstance(service, str):
            raise ConfigurationError(
                f"{type(self).__name__}({service!r}) needs an object: "
                f'antiphon.vendors.create("{self.port}", "{service}") makes it'
            )
        self.service = service

    async def open(self) -> None:
        """Load the model and connect."""
        await ready(self.service)

    async def close(self) -> None:
        """Close the services that this stage made."""
        self._give_up()
        await close_services(self._made)

    def use(self, service: S | str) -> ServiceChange:
        """Change to this service, or to the one that "vendor/model:option" names.

        It is made and opened meanwhile, and takes over when the stage is free: a model with the next prompt,
        a voice with the next reply, a recogniser with the next utterance, a realtime model in a pause.
        `ServiceChanged` tells when it is open. If it cannot be opened, the old one stays, and `Failed` says
        why. One that was made of a name is closed when it is replaced, or at the session's end.

        Nobody has to await what this returns; a tool may, to know whether it worked.
        """
        if not all(branch.on for branch in self.branches):
            raise UsageError(f"{self.name} is off: change its service once it is on")
        self._give_up()
        work, change = self._changing = Work(self), ServiceChange()
        self.run(work, self._open_next(service, change))
        return change

    def _give_up(self) -> None:
        """Stop a change that is still under way."""
        if self._changing is not None:
            work, change = self._changing
            work.cancel()
            change.end(UnavailableError(GIVEN_UP.format(self.name)))

    async def _open_next(
        self, chosen: S | str, change: ServiceChange
    ) -> AsyncGenerator[Frame | Signal, None]:
        service: S | None = None
        try:
            made: Any = await self._create(chosen) if isinstance(chosen, str) else chosen
            service = verified(self.port, made)
            self.check(made)
            await ready(made)
            dropped, self._next = self._next, service
            await self._close_made(dropped)
            kind = type(service)
            name = chosen if isinstance(chosen, str) else f"{kind.__module__}.{kind.__qualname__}"
            yield ServiceChanged(self.name, name)
            change.end()
        except Exception as error:  # noqa: BLE001  the old one stays
            await self._close_made(service)
            failed = replace(failure(self.name, error), recovered=True, retried=True)
            self.session.signals.report(self, failed)
            change.end(error)
        finally:
            change.end(UnavailableError(GIVEN_UP.format(self.name)))
            await self._close_made(service)

    async def _create(self, name: str) -> Any:
        """Make the service that a name means; importing its module may take a while."""
        create = self.session.create
        if create is None:
            raise ConfigurationError(
                f"nothing says what {name!r} means: begin the session with Agent.session, or pass a service"
            )
        service = verified(self.port, await offload(None, create, self.port, name))
        self._made += (service,)
        return service

    @on(ServiceChanged)
    def service_changed(self, signal: ServiceChanged) -> None:
        if signal.part == self.name and self.is_free:
            self.take_next()

    def check(self, service: S) -> None:
        """Raise ConfigurationError for a service that cannot take over in this stage."""

    @property
    def is_free(self) -> bool:
        """Whether a new service may take over now."""
        return not any(work.stage is self and work.reply is not None for work in self.session.works)

    def take_next(self) -> None:
        """Let the service that waits, if any, take over; stages call it when free."""
        if self._next is not None:
            old, self.service, self._next = self.service, self._next, None
            self.adopt()
            self.run(Work(self), self._retire(old))

    def adopt(self) -> None:
        """Fit the stage to its new service."""

    async def _retire(self, service: S) -> AsyncGenerator[Frame | Signal, None]:
        await self._close_made(service)
        return
        yield

    async def _close_made(self, service: S | None) -> None:
        """Close a service that this stage made and does not need."""
        if service is None or service is self.service or service is self._next:
            return
        if any(one is service for one in self._made):
            await close_services([service])
            self._made = tuple(one for one in self._made if one is not service)
