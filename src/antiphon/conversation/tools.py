"""Tools: typed functions with a docstring that a model can call.

    @tool
    async def opening_hours(day: str) -> str:
        '''When the shop is open on a day of the week.'''
        return "nine to five"

The schema, the validation and the conversion of arguments come from the types, by msgspec. A parameter of
type `Annotated[str, "what it means"]` is described to the model. A parameter of type `Scope` or `Session` is
hidden from the model, and receives the scope of the call, or its session. If a call fails, the model reads
one short sentence; the log has the traceback.
"""

import asyncio
import inspect
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints, overload

import msgspec

from ..clock import offload
from ..context import ToolSpec
from ..encodable import encodable, to_json
from ..errors import ConfigurationError
from ..session import Session
from .arguments import decode
from .scope import Scope

__all__ = ["Tool", "tool"]

logger = logging.getLogger("antiphon.tools")

OnInterrupt = Literal["finish", "cancel"]

LONGEST = 50_000
"""Characters of a tool's result that the model reads, at most: it reads them again at every turn."""


@dataclass(frozen=True, eq=False)
class Tool:
    """A function that the model can call; calling the tool calls the function."""

    function: Callable[..., Any]
    spec: ToolSpec
    arguments: type[msgspec.Struct]
    """What the model's arguments are decoded into."""
    injected: dict[str, type[Scope] | type[Session]] = field(default_factory=dict[str, Any])
    """Parameters that get the scope of the call, or its session, by name."""
    timeout: float = 30.0
    """Seconds that a call may take."""
    on_interrupt: OnInterrupt = "finish"
    """What happens to a call when the user interrupts the reply that made it."""
    background: bool = False
    """Whether the conversation goes on while a call runs."""

    def __call__(self, *args: Any, **keywords: Any) -> Any:
        return self.function(*args, **keywords)

    async def call(self, scope: Scope) -> tuple[str, bool]:
        """Run a call; returns what the model reads, and whether the call failed."""
        name = self.spec.name
        try:
            arguments = decode(scope.call.arguments, self.arguments)
        except ValueError as error:  # msgspec's are ValueErrors too
            return f"The arguments of {name} do not fit: {error}.", True
        keywords = msgspec.structs.asdict(arguments)
        for parameter, kind in self.injected.items():
            keywords[parameter] = scope if kind is Scope else scope.session
        limit = asyncio.timeout(self.timeout)
        try:
            async with limit:
                result = await self._run(keywords)
            return self.readable(result), False
        except (Exception, asyncio.CancelledError, SystemExit) as error:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            if limit.expired():
                return self.timed_out()
            logger.exception("tool %s failed", name)
            return f"{name} failed: {str(error).partition(chr(10))[0][:200] or type(error).__name__}.", True

    def readable(self, result: Any) -> str:
        """Return the result as the text that the model reads.

        Raises TypeError or ValueError if JSON cannot express the result.
        """
        text = encodable(result if isinstance(result, str) else to_json(result).decode())
        if len(text) <= LONGEST:
            return text
        logger.warning(
            "tool %s returned %d characters; the model reads %d of them", self.spec.name, len(text), LONGEST
        )
        return f"{text[:LONGEST]} [cut off: {LONGEST} of {len(text)} characters]"

    def timed_out(self) -> tuple[str, bool]:
        """Log that a call took too long; returns its result for the model, and True."""
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
    *,
    name: str | None = None,
    timeout: float = 30.0,
    on_interrupt: OnInterrupt = "finish",
    background: bool = False,
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    timeout: float = 30.0,
    on_interrupt: OnInterrupt = "finish",
    background: bool = False,
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a function a tool, described to the model by its docstring.

    A plain function runs in a thread. `timeout` is in seconds. With `on_interrupt="cancel"` a call is stopped
    when the user interrupts; else it finishes, and the model reads its result at the next turn. A call in the
    `background` holds up nothing: the agent goes on talking, and tells the result when it is there. Raises
    ConfigurationError if the function cannot be described to a model.
    """

    def make(function: Callable[..., Any]) -> Tool:
        spec, arguments, injected = _describe(function, name or function.__name__)
        return Tool(function, spec, arguments, injected, timeout, on_interrupt, background)

    if background and on_interrupt == "cancel":
        raise ConfigurationError("a tool in the background outlives its reply: leave on_interrupt out")
    return make if function is None else make(function)


def _describe(
    function: Callable[..., Any], name: str
) -> tuple[ToolSpec, type[msgspec.Struct], dict[str, type[Scope] | type[Session]]]:
    description = inspect.getdoc(function)
    if not description:
        raise ConfigurationError(f"tool {name} needs a docstring: it tells the model what the tool does")
    hints = get_type_hints(function, include_extras=True)
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    injected: dict[str, type[Scope] | type[Session]] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise ConfigurationError(f"tool {name}: parameter {parameter} cannot be named by a model")
        kind = hints.get(parameter.name)
        if kind is None:
            raise ConfigurationError(f"tool {name}: parameter {parameter.name!r} needs a type")
        if kind is Scope or kind is Session:
            if not inspect.iscoroutinefunction(function):
                raise ConfigurationError(
                    f"tool {name} uses the session: make it async, since a plain function runs in a thread"
                )
            injected[parameter.name] = kind
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
    return ToolSpec(name, description, parameters), arguments, injected


def _described(kind: Any) -> Any:
    """Return a type with the text of its `Annotated` as msgspec's description."""
    if get_origin(kind) is not Annotated:
        return kind
    inner, *notes = get_args(kind)
    return Annotated[(inner, *(msgspec.Meta(description=n) if isinstance(n, str) else n for n in notes))]
