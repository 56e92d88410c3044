"""The journal: a session's frames with their times, as compact lines of JSON.

    [1.234,"stt","Transcript",{"text":"hello","final":true},1]

A line has the seconds since the start, the part that the frame came from, its type, the fields that differ
from their defaults, and a 1 if it was an input: from outside, from a stage's task, or a call. The first line
says that this is a journal. Audio, pictures and timers are left out unless `media` is true; only with them
can `replay` run the conversation again, and make the same journal.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

import msgspec

from .clock import Timer
from .encodable import to_json
from .errors import ConfigurationError
from .flow import Frame, Signal
from .frames import AgentAudio, AgentVideo, Failed, Prime, Prompt, replace
from .pipeline import Parallel, Part
from .processor import Processor
from .session import Observer, Session
from .switch import Switch
from .work import Work, Works

__all__ = ["Journal", "JournalLine", "read", "replay"]

logger = logging.getLogger("antiphon.session")

FORMAT = 1


class JournalLine(msgspec.Struct, array_like=True, frozen=True):
    """One decoded line of a journal."""

    at: float
    source: str
    kind: str
    content: Any
    is_input: int = 0


_encoder = msgspec.json.Encoder(enc_hook=repr)
_decode = msgspec.json.Decoder(JournalLine).decode


def _encode(line: tuple[Any, ...]) -> bytes:
    return to_json(line, _encoder.encode, repr)


@cache
def _fields(kind: type[Any]) -> tuple[tuple[str, object], ...]:
    fields = msgspec.structs.fields(kind)
    left_out = {"context"} if kind in (Prompt, Prime) else set[str]()
    return tuple((field.name, field.default) for field in fields if field.name not in left_out)


def _line(now: float, source: str, what: "Frame | Signal | tuple[str, Any]", is_input: bool) -> bytes:
    if isinstance(what, tuple):
        kind, content = what
    else:
        kind = type(what).__name__
        content = {
            name: value
            for name, default in _fields(type(what))
            if (value := getattr(what, name)) != default or default is msgspec.NODEFAULT
        }
        if not is_input and isinstance(what, AgentAudio):  # made from an input that the journal holds
            content["pcm"] = len(what.pcm) // 2
        elif not is_input and isinstance(what, AgentVideo):
            content["pixels"] = len(what.pixels)
    return _encode((now, source, kind, content, 1) if is_input else (now, source, kind, content))


class Journal:
    """An observer that writes the journal to a file, or keeps it in `lines`.

    With `media` it also has audio, pictures and timers, so that the session can be replayed. If the file
    cannot be written any more, the session goes on without its journal, and `error` is set.
    """

    def __init__(self, file: str | Path | None = None, *, media: bool = False) -> None:
        self.media = media
        self.lines: list[bytes] = []
        self.error: ConfigurationError | None = None
        """Why the rest of the session is missing in the file; None if nothing is."""
        first = _encode((0.0, "journal", "Journal", {"format": FORMAT, "media": media}))
        self._path = file
        self._file: IO[bytes] | None = None
        if file is not None:
            try:
                self._file = Path(file).open("wb")  # noqa: SIM115  closed with the session
            except OSError as error:
                raise self._failed(error) from error
        self._write(first)

    def saw(self, now: float, source: str, what: "Frame | Signal | tuple[str, Any]", is_input: bool) -> None:
        """Write one line."""
        self._write(_line(now, source, what, is_input))

    def _write(self, line: bytes) -> None:
        if self._file is None:
            self.lines.append(line)
        elif not self.error:
            try:
                self._file.write(line + b"\n")
            except OSError as error:
                self._give_up(error)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:  # what was buffered could not be written
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if not self.error:
            self.error = self._failed(error)
            logger.warning("%s; the session goes on without it", self.error)

    def _failed(self, error: OSError) -> ConfigurationError:
        return ConfigurationError(f"the journal {self._path} cannot be written: {error.strerror}")


def read(journal: str | Path | Iterable[bytes]) -> Iterator[JournalLine]:
    """Yield the lines of a journal, given its file or `Journal.lines`.

    Raises ConfigurationError if it is not a journal.
    """
    try:
        lines = Path(journal).read_bytes().splitlines() if isinstance(journal, str | Path) else journal
    except OSError as error:
        raise ConfigurationError(f"this journal cannot be read: {error.strerror}") from error
    number = 0
    for number, raw in enumerate(lines, 1):
        try:
            line = _decode(raw)
            if number == 1 and (line.kind != Journal.__name__ or line.content["format"] != FORMAT):
                raise ValueError("not the first line of a journal")
        except (ValueError, LookupError, TypeError) as error:
            raise ConfigurationError(f"line {number} is not a line of a journal: {raw[:60]!r}") from error
        yield line
    if number == 0:
        raise ConfigurationError("this journal is empty")


class _Recorded:
    """A clock that is set to the time of each line."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def call_at(self, when: float, call: Callable[[], object]) -> Timer:
        return _Never()

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


class _Never:
    """A timer that never fires by itself: a replay fires timers from the journal."""

    def cancel(self) -> None: ...


class _Idle(Works):
    """Works that start no tasks: what they made is in the journal."""

    def spawn(self, work: Work, drive: Any) -> None:
        drive.close()
        self[work] = None


class _Replay(Session):
    """A session that starts no tasks and no timers: their inputs are in the journal."""

    works_class = _Idle

    def __init__(self, parts: Part, clock: _Recorded, observers: Sequence[Observer]) -> None:
        super().__init__(parts, clock=clock, observers=observers)
        self.timers: dict[int, Callable[[], object]] = {}
        self.kinds: dict[str, type[Any]] = {
            kind.__name__: kind for kind in (*_subclasses(Frame), *_subclasses(Signal))
        }

    def schedule(self, number: int, when: float, fire: Callable[[], object]) -> Timer:
        self.timers[number] = fire
        return _Never()


def _subclasses(kind: type) -> Iterator[type]:
    for subclass in kind.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def replay(journal: str | Path | Iterable[bytes], parts: Part, *observers: Observer) -> list[bytes]:
    """Run a recorded conversation through `parts`; returns the resulting journal.

    All inputs come from the journal, with their times, so no service is called and no time passes. With the
    same parts as in the recording, the result is the same journal; with others it shows what they would have
    done. Raises ConfigurationError if the journal was made without `media`, or does not fit the parts.
    """
    again = Journal(media=True)
    clock = _Recorded()
    session = _Replay(parts, clock, (again, *observers))
    sources = {part.name: part for part in session.parts}
    for number, line in enumerate(read(journal), 1):
        if number == 1 and not line.content.get("media"):
            raise ConfigurationError(
                "this journal has no media: record with Journal(file, media=True) to replay it"
            )
        if not line.is_input:
            continue
        clock.time = line.at
        try:
            _repeat(line, session, sources)
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
            what = f"line {number} of the journal, {line.kind} from {line.source},"
            raise ConfigurationError(f"{what} cannot be replayed: {error}") from error
    return again.lines


def _repeat(line: JournalLine, session: _Replay, sources: Mapping[str, Processor]) -> None:
    if line.kind == "timer":
        if (fire := session.timers.pop(line.content, None)) is not None:
            fire()
    elif line.source == "call":
        _CALLS[line.kind](session, line.content)
    else:
        frame: Frame | Signal = msgspec.convert(line.content, session.kinds[line.kind])
        part = sources.get(line.source)
        if part is None:
            session.send(frame)
        elif isinstance(frame, Failed):  # the `Switch` decides anew whether it recovers
            session.signals.report(part, replace(frame, recovered=frame.retried))
        else:
            session.inputs.enter(part, frame)


def _drop(session: Session, argument: Any) -> None:
    replies = session.replies
    reply = replies.waiting[argument[0] - 1] if argument[0] else replies.current
    if reply is not None:
        replies.drop(reply, argument[1])


def _rest(session: Session, argument: Any) -> None:
    name, seconds = argument
    for part in session.parts:
        if part.name == name and isinstance(part, Switch):
            session.inputs.call("rest", (name, seconds), lambda part=part: part.rest(seconds))


def _switch(session: Session, argument: Any) -> None:
    name, branch, on = argument
    for part in session.parts:
        if part.name == name and isinstance(part, Parallel):
            part.switch(branch, on)


_CALLS: dict[str, Callable[[Session, Any], object]] = {
    "started": lambda session, _: session.begin(),
    "say": lambda session, argument: session.say(argument[0], interruptible=argument[1]),
    "interrupt": lambda session, argument: session.interrupt(argument[0], force=argument[1]),
    "drop": _drop,
    "switch": _switch,
    "rest": _rest,
    "end": lambda session, argument: session.last_words(argument),
}
