"""Calls in tests: a recording of all events, and checks for every call.

call = await hold(agent, [CallerLine(loud(1.0), wait=0.5, cue="now")])
check(call)
call.reads('''
    0.51  user: hello there
    1.94  agent: Hello, how can I help you?
''')
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from ..clock import Clock
from ..context import AgentSaid, Entry, ToolAnswered, UserSaid
from ..conversation.conversation import Conversation
from ..frames import (
    AgentAudio,
    ContextNote,
    Failed,
    FalseInterruption,
    Frame,
    PlayoutPaused,
    PlayoutStarted,
    Prompt,
    ReplyCommitted,
    ReplyEnded,
    ReplyStarted,
    SessionEnded,
    SessionStarted,
    Signal,
    ToolEnded,
    Transcript,
    Usage,
    UserText,
    UserTurn,
)
from ..journal import Journal
from ..pipeline import Part
from ..playout.playout import Playout
from ..session import Observer, Session
from ..transports.caller import Caller, CallerLine
from ..transports.port import Transport
from .scripted import Answer, LoudVAD, ScriptedEOT, ScriptedLLM, ScriptedSTT, ScriptedTTS

__all__ = [
    "HeldCall",
    "SeenItem",
    "check",
    "context_is_what_was_said_and_heard",
    "heard_is_prefix_of_said",
    "hold",
    "no_task_left",
    "nothing_of_an_old_reply",
    "one_end_for_each_start",
    "services",
    "tools_have_answers",
    "voice_is_paced",
]

T = TypeVar("T")

OUTLIVES = (ToolEnded, Failed, FalseInterruption, Usage)  # signals that may name a reply that is over


@dataclass(frozen=True, slots=True)
class SeenItem:
    """One event: a frame, a signal, or a call of the session as (name, argument)."""

    at: float
    source: str
    what: Frame | Signal | tuple[str, Any]
    is_input: bool


class HeldCall:
    """A session over `parts` that records all its events.

    async with HeldCall([Shout(), Playout()]) as call:
        await call.session.say("hello")
    assert call.all(ReplyEnded)
    """

    media = True

    def __init__(
        self, parts: Part, *, clock: Clock | None = None, observers: Sequence[Observer] = ()
    ) -> None:
        self.seen: list[SeenItem] = []
        self.journal = Journal(media=True)
        self.session = Session(parts, clock=clock, observers=[self, self.journal, *observers])

    def saw(self, now: float, source: str, what: Frame | Signal | tuple[str, Any], is_input: bool) -> None:
        """Record an event; the session calls this as an observer's method."""
        self.seen.append(SeenItem(now, source, what, is_input))

    def close(self) -> None:
        """Do nothing: there is nothing to close."""

    async def __aenter__(self) -> Self:
        await self.session.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.session.cancel("the test is over")

    def all(self, kind: type[T], reply: int | None = None) -> list[T]:
        """Return the frames or signals of this exact type, in order.

        With `reply`, only those of that reply.
        """
        return [
            seen.what
            for seen in self.seen
            if type(seen.what) is kind and (reply is None or getattr(seen.what, "reply", None) == reply)
        ]

    def times(self, kind: type) -> list[float]:
        """Return the times of the frames or signals of this exact type."""
        return [seen.at for seen in self.seen if type(seen.what) is kind]

    def part(self, kind: type[T]) -> T:
        """Return the first part of this type."""
        return next(part for part in self.session.parts if isinstance(part, kind))

    @property
    def entries(self) -> list[Entry]:
        """The conversation as the language model would read it now."""
        return self.part(Conversation).history.entries

    @property
    def voice(self) -> list[SeenItem]:
        """The pieces of AgentAudio that playout sent, in order."""
        playout = self.session.playout
        if playout is None:
            return []
        return [seen for seen in self.seen if seen.source == playout.name and type(seen.what) is AgentAudio]

    def pcm(self, reply: int) -> bytes:
        """Return the samples that were sent of a reply's voice."""
        pieces = [seen.what for seen in self.voice]
        return b"".join(
            piece.pcm for piece in pieces if isinstance(piece, AgentAudio) and piece.reply == reply
        )

    def story(self) -> list[tuple[float, str]]:
        """Return a transcript of (time, line), including tools' results and failures.

        A reply has the time of its first sample and the text that was heard; a dash marks an interrupted one.
        """
        begun: dict[int, float] = {}
        lines: list[tuple[float, str]] = []
        for seen in self.seen:
            match seen.what:
                case UserTurn(text, started):
                    lines.append((started, f"user: {text}".rstrip()))
                case UserText(text):
                    lines.append((seen.at, f"user types: {text}"))
                case ReplyStarted(reply) | PlayoutStarted(reply):
                    begun[reply] = seen.at
                case ReplyEnded(speculative=True):
                    pass  # dropped before it was audible
                case ReplyEnded(reply, _, heard, interrupted):
                    said = heard.strip() + " —" * interrupted
                    lines.append((begun[reply], f"agent: {said.strip()}"))
                case ToolEnded(_, call, result):
                    lines.append((seen.at, f"tool {call.name}: {result}"))
                case Failed(part, error):
                    lines.append((seen.at, f"failed {part}: {error}"))
                case SessionEnded(reason):
                    lines.append((seen.at, f"end: {reason}"))
                case _:
                    pass
        return sorted(lines, key=lambda line: line[0])

    def reads(self, expected: str, *, within: float = 0.3) -> None:
        """Assert that the story has exactly these lines, at these times (± `within`)."""
        wanted = [line.strip().split(maxsplit=1) for line in expected.strip().splitlines()]
        told = "\n".join(f"{at:7.2f}  {line}" for at, line in self.story())
        assert [line for _, line in wanted] == [line for _, line in self.story()], f"it went:\n{told}"
        for (time, line), (at, _) in zip(wanted, self.story(), strict=True):
            assert abs(float(time) - at) <= within, f"{line!r} came at {at:.2f}, not {time}; it went:\n{told}"


class PipelineMaker(Protocol):
    """A maker of pipelines for a transport, such as an agent."""

    def pipeline(self, transport: Transport) -> Sequence[Part]: ...


async def hold(
    agent: PipelineMaker,
    lines: Sequence[CallerLine] = (),
    *,
    sample_rate: int = 16000,
    linger: float = 3.0,
    at_most: float = 600.0,
) -> HeldCall:
    """Have a scripted caller talk to an agent until it hangs up, and return the call.

    Also asserts that the call leaves no task behind.
    """
    call = HeldCall(agent.pipeline(Caller(lines, sample_rate, linger=linger, at_most=at_most)))
    async with call:
        await call.session.wait()
    no_task_left()
    return call


def services(
    hears: Sequence[str | Exception] = (),
    says: Sequence[Sequence[Answer] | str] = (),
    *,
    turn_scores: Sequence[float | Exception] = (1.0,),
) -> dict[str, Any]:
    """Return scripted services, to pass to an agent by name.

    Agent("...", **services(["hello"], ["Hello, who is there?"]))
    """
    return {
        "stt": ScriptedSTT(hears),
        "llm": ScriptedLLM(says),
        "tts": ScriptedTTS(),
        "vad": LoudVAD(),
        "eot": ScriptedEOT(turn_scores),
    }


def check(call: HeldCall) -> None:
    """Assert everything that must be true of a call after its end."""
    one_end_for_each_start(call)
    heard_is_prefix_of_said(call)
    nothing_of_an_old_reply(call)
    voice_is_paced(call)
    if any(isinstance(part, Conversation) for part in call.session.parts):
        tools_have_answers(call)
        context_is_what_was_said_and_heard(call)


def one_end_for_each_start(call: HeldCall) -> None:
    """Assert that the session and each reply began once and ended once.

    Replies must come one at a time, numbered from 1.
    """
    assert [
        type(seen.what) for seen in call.seen if isinstance(seen.what, SessionStarted | SessionEnded)
    ] == [
        SessionStarted,
        SessionEnded,
    ]
    assert call.times(SessionEnded)[0] == max(seen.at for seen in call.seen)
    assert [seen.at for seen in call.seen] == sorted(seen.at for seen in call.seen)
    current, count = None, 0
    for seen in call.seen:
        match seen.what:
            case ReplyStarted(reply):
                assert current is None, f"reply {reply} began before reply {current} had ended"
                count += 1
                assert reply == count, f"reply {reply} began after reply {count - 1}"
                current = reply
            case ReplyEnded(reply):
                assert reply == current, f"reply {reply} ended while {current} was being made"
                current = None
            case SessionEnded():
                assert current is None, f"reply {current} never ended"
            case _:
                pass


def heard_is_prefix_of_said(call: HeldCall) -> None:
    """Assert that what was heard of a reply is a prefix of its text, in whole words."""
    for ended in call.all(ReplyEnded):
        assert ended.text.startswith(ended.heard), ended
        cut = ended.text[len(ended.heard) :]
        assert not cut or cut[0].isspace() or not ended.heard or ended.heard[-1].isspace(), ended


def nothing_of_an_old_reply(call: HeldCall) -> None:
    """Assert that nothing of a reply came before it began or after it ended."""
    alive: set[int] = set()
    for seen in call.seen:
        reply = getattr(seen.what, "reply", None)
        if isinstance(seen.what, ReplyStarted):
            alive.add(seen.what.reply)
        assert not reply or reply in alive or isinstance(seen.what, OUTLIVES), f"too late or early: {seen}"
        if isinstance(seen.what, ReplyEnded):
            alive.discard(seen.what.reply)


def voice_is_paced(call: HeldCall) -> None:
    """Assert that the voice came in pieces of 20 ms, without overlaps and not early."""
    playout = call.session.playout
    if not isinstance(playout, Playout):
        return
    piece = int(playout.sample_rate * 0.02)
    ends, before = 0, None
    for seen in call.seen:
        audio = seen.what
        if seen.source != playout.name:
            continue
        if isinstance(audio, PlayoutPaused):  # what was sent ahead is dropped, and sent again
            ends, before = 0, None
            continue
        if not isinstance(audio, AgentAudio):
            continue
        samples = len(audio.pcm) // 2
        assert 0 < samples <= piece, f"{samples} samples in a piece of {piece}"
        if before is not None and before.reply == audio.reply != 0:
            assert len(before.pcm) // 2 == piece, f"a short piece within reply {audio.reply}"
            assert audio.at >= ends, f"{ends - audio.at} samples overlap at {seen.at}"
        fades = 0.02 if samples < piece else 0.0  # a fade-out follows the piece that is playing
        assert audio.at / playout.sample_rate <= seen.at + playout.lead + fades + 1e-4, (
            f"sent too early: {seen.at}"
        )
        ends, before = audio.at + samples, audio


def tools_have_answers(call: HeldCall) -> None:
    """Assert that in every context, each tool call is followed by its answer."""
    contexts = [prompt.context.entries for prompt in call.all(Prompt)]
    for entries in [*contexts, tuple(call.entries)]:
        owed: list[str] = []
        for entry in entries:
            if isinstance(entry, ToolAnswered):
                assert owed and entry.call.id == owed.pop(0), f"{entry} answers nothing that was asked"
                continue
            assert not owed, f"calls {owed} have no answer before {entry}"
            owed = [called.id for called in entry.calls] if isinstance(entry, AgentSaid) else []
        assert not owed, f"calls {owed} have no answer"


def context_is_what_was_said_and_heard(call: HeldCall) -> None:
    """Assert that the context is the user's turns and the heard text of the replies."""
    heard = {ended.reply: ended.heard for ended in call.all(ReplyEnded)}
    wanted: list[tuple[str, str]] = []
    for seen in call.seen:
        match seen.what:
            case UserTurn() as turn:
                wanted.append(("user", _words(_late_words(call, turn) or turn.text)))
            case UserText(text) | ContextNote(text):
                wanted.append(("user", _words(text)))
            case ReplyStarted(reply, speculative=False) | ReplyCommitted(reply):
                wanted.append(("agent", _words(heard[reply])))
            case _:
                pass
    told = [("user" if isinstance(e, UserSaid) else "agent", _words(e.text)) for e in call.entries
            if not isinstance(e, ToolAnswered)]  # fmt: skip
    assert _joined(told) == _joined(wanted)


def _words(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _late_words(call: HeldCall, turn: UserTurn) -> str:
    """Return the words of a turn that came after it, if it was over without them."""
    if not turn.words_late:
        return ""
    final = [words for words in call.all(Transcript) if words.final]
    return "".join(words.text for words in final if turn.started <= words.ended <= turn.ended + 1e-6)


def _joined(lines: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Join consecutive lines of the same side, and leave out empty ones."""
    joined: list[tuple[str, str]] = []
    for who, text in lines:
        if not text:
            continue
        if joined and joined[-1][0] == who:
            text = joined.pop()[1] + text
        joined.append((who, text))
    return joined


def no_task_left(*but: str) -> None:
    """Assert that no other task runs in this loop.

    Tasks whose names contain one of `but` are ignored.
    """
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    names = [task.get_name() for task in left if not any(name in task.get_name() for name in but)]
    assert not names, f"still running: {', '.join(names)}"
