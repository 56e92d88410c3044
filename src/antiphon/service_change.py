"""Changes of services in mid-call, which may be awaited."""

import asyncio
from collections.abc import Generator, Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from .errors import UsageError
from .ports import PartPort

__all__ = ["ServiceChange", "change_services"]


class ServiceChange:
    """A change of services that is under way.

    Await it to know that the new ones are open. It raises the error of one that could not be opened.
    """

    def __init__(self, *steps: "ServiceChange") -> None:
        self._steps = steps
        self._over = asyncio.Event()
        self._error: Exception | None = None

    def end(self, error: Exception | None = None) -> None:
        """Wake those that wait for it."""
        if not self._over.is_set():
            self._error = error
            self._over.set()

    def __await__(self) -> Generator[Any, None, None]:
        for step in self._steps:
            yield from step.__await__()
        if not self._steps:
            yield from self._over.wait().__await__()
        if self._error is not None:
            raise self._error


@runtime_checkable
class _Changeable(PartPort, Protocol):
    """A part around a service of a port, such as "tts"."""

    port: str

    def use(self, service: Any) -> ServiceChange: ...


def change_services(parts: Iterable[PartPort], services: Mapping[str, object]) -> ServiceChange:
    """Change the services of these ports, each in the stage that is on.

    Raises UsageError if there is none, or more than one.
    """
    stages: list[tuple[_Changeable, object]] = []
    for port, service in services.items():
        found = [
            part
            for part in parts
            if getattr(part, "port", "") == port and all(branch.on for branch in part.branches)
        ]
        if len(found) != 1 or not isinstance(found[0], _Changeable):
            if not found:
                raise UsageError(
                    f"no stage for {port!r} is on: use(stt=, llm=, tts=, realtime=) changes those that are"
                )
            names = ", ".join(part.name for part in found)
            raise UsageError(
                f"several stages for {port} are on, {names}: call use() of the one that is meant"
            )
        stages.append((found[0], service))
    return ServiceChange(*(stage.use(service) for stage, service in stages))
