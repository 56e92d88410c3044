"""Tools: typed functions with a docstring that a model can call.

    @tool
    async def opening_hours(day: str) -> str:
        '''When the shop is open on a day of the week.'''
        return "nine to five"

The schema, the validation and the conversion of arguments come from the types, by msgspec; a parameter of
type `Annotated[str, "what it means"]` is described to the model, one of type `Session` is given the session.
What the model reads when a call fails is one short sentence; the log has all of it.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints, overload

import msgspec

from ..clock import offload
from ..context import ToolSpec
from ..errors import ConfigurationError
from ..frames import ToolCall
from ..processor import SessionPort
from ..session import Session

__all__ = ["Tool", "tool"]

logger = logging.getLogger("antiphon.tools")

OnInterrupt = Literal["finish", "cancel"]


@dataclass(frozen=True, eq=False)
class Tool:
    """A function that the model can call. Called itself, it is the function."""

    function: Callable[..., Any]
    spec: ToolSpec
    arguments: type[msgspec.Struct]
    """What the model's arguments are decoded into."""
    session_parameter: str | None = None
    timeout: float = 30.0
    """Seconds that a call may take."""
    on_interrupt: OnInterrupt = "finish"
    """What happens to a call when the user interrupts the reply that made it."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self.function(*args, **keywords)

    async def call(self, call: ToolCall, session: SessionPort) -> tuple[str, bool]:
        """Run a call of the model: what the model reads, and whether it failed."""
        name = self.spec.name
        try:
            arguments = msgspec.json.decode(call.arguments or "{}", type=self.arguments, strict=False)
        except (msgspec.MsgspecError, ValueError) as error:
            return f"The arguments of {name} do not fit: {error}.", True
        keywords = msgspec.structs.asdict(arguments)
        if self.session_parameter is not None:
            keywords[self.session_parameter] = session
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                result = await self._run(keywords)
            return result if isinstance(result, str) else msgspec.json.encode(result).decode(), False
        except (Exception, asyncio.CancelledError) as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            if limit.expired():
                return self.late()
            logger.exception("tool %s failed", name)
            return f"{name} failed: {str(error).partition(chr(10))[0][:200] or type(error).__name__}.", True

    def late(self) -> tuple[str, bool]:
        """What the model reads of a call that took too long."""
        logger.warning("tool %s was stopped after %g s", self.spec.name, self.timeout)
        return f"{self.spec.name} took longer than {self.timeout:g} seconds and was stopped.", True

    async def _run(self, keywords: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self.function):
            answer: Any = await self.function(**keywords)
            return answer
        result: Any = await offload(None, self.function, **keywords)
        if inspect.isawaitable(result):
            return await result
        return result


@overload
def tool(function: Callable[..., Any]) -> Tool: ...
@overload
def tool(
    *, name: str | None = None, timeout: float = 30.0, on_interrupt: OnInterrupt = "finish"
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    timeout: float = 30.0,
    on_interrupt: OnInterrupt = "finish",
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a function a tool; its docstring tells the model what it does. A plain function runs in a thread.

    `timeout` is in seconds. With `on_interrupt="cancel"` a call is stopped when the user interrupts; else it
    finishes, and the model reads its result at the next turn. Raises ConfigurationError where the function
    cannot be described to a model.
    """

    def make(function: Callable[..., Any]) -> Tool:
        spec, arguments, session_parameter = _describe(function, name or function.__name__)
        return Tool(function, spec, arguments, session_parameter, timeout, on_interrupt)

    return make if function is None else make(function)


def _describe(function: Callable[..., Any], name: str) -> tuple[ToolSpec, type[msgspec.Struct], str | None]:
    description = inspect.getdoc(function)
    if not description:
        raise ConfigurationError(f"tool {name} needs a docstring: it is what the model knows of it")
    hints = get_type_hints(function, include_extras=True)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    session_parameter = None
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigurationError(f"tool {name}: parameter {parameter} cannot be named by a model")
        kind = hints.get(parameter.name)
        if kind is None:
            raise ConfigurationError(f"tool {name}: parameter {parameter.name!r} needs a type")
        if kind is Session:
            if not inspect.iscoroutinefunction(function):
                raise ConfigurationError(
                    f"tool {name} uses the session: make it async, for a plain function runs in a thread"
                )
            session_parameter = parameter.name
        elif parameter.default is parameter.empty:
            fields.append((parameter.name, _described(kind)))
        else:
            fields.append((parameter.name, _described(kind), parameter.default))
    try:
        arguments = msgspec.defstruct(name, fields, kw_only=True)
        (schema,), definitions = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    except TypeError as error:
        raise ConfigurationError(f"tool {name} cannot be described to a model: {error}") from error
    parameters = definitions.pop(name, schema)
    parameters.pop("title", None)
    if definitions:
        parameters["$defs"] = definitions
    return ToolSpec(name, description, parameters), arguments, session_parameter


def _described(kind: Any) -> Any:
    """`Annotated[str, "what it means"]` as msgspec wants it; other types as they are."""
    if get_origin(kind) is not Annotated:
        return kind
    inner, *notes = get_args(kind)
    return Annotated[(inner, *(msgspec.Meta(description=n) if isinstance(n, str) else n for n in notes))]
