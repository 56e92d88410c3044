"""Random conversations: whatever happens when, all that must be true of a call is true, and it replays.

INTERLEAVINGS=20000 in the environment tries that many.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from antiphon.clock import LoopClock
from antiphon.context import Context
from antiphon.conversation.conversation import Conversation
from antiphon.conversation.tools import Tool, tool
from antiphon.errors import AuthenticationError, RateLimitError, UnavailableError
from antiphon.frames import (
    AgentAudio,
    Failed,
    Generated,
    Prompt,
    ReplyEnded,
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Text,
    ToolCall,
    ToolEnded,
    ToolStarted,
    Transcript,
    TurnHinted,
    TurnScored,
    UserKey,
    UserText,
)
from antiphon.journal import replay
from antiphon.pipeline import Parallel, Part, Tap
from antiphon.playout.playout import Playout
from antiphon.race import Race
from antiphon.reply import Reply
from antiphon.services.llm import LLM
from antiphon.services.ports import LanguageModel, Speech, TextDelta, TextToSpeech
from antiphon.services.tts import TTS
from antiphon.switch import Switch
from antiphon.testing import run_virtual
from antiphon.testing.assertions import HeldCall, check, no_task_left
from antiphon.turns.turn_taking import TurnTaking

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

EXAMPLES = int(os.environ.get("INTERLEAVINGS", "250"))

# What the services do --------------------------------------------------------------------------------

Step = tuple[str, float]
"""What a service does next, and how long it takes for it."""

WAITS = st.sampled_from([0.0, 0.0, 0.01, 0.05, 0.2, 0.7, 2.0])
MODEL = st.lists(
    st.tuples(
        st.sampled_from(
            ["word", "word", "word", "sentence", "long", "tool", "tool", "overloaded", "refused", "hang"]
        ),
        WAITS,
    ),
    max_size=6,
)
VOICE = st.lists(
    st.tuples(st.sampled_from(["speak", "speak", "speak", "speak", "fail", "hang", "slow", "ignore"]), WAITS),
    max_size=6,
)
TOOLS = st.lists(st.tuples(st.sampled_from(["answer", "answer", "fail", "hang", "speak"]), WAITS), max_size=4)


class Model(LanguageModel):
    """A language model that does as drawn: one list of steps for each prompt."""

    def __init__(self, scripts: list[list[Step]]) -> None:
        self.scripts = list(scripts)
        self.count = 0

    async def generate(self, context: Context) -> AsyncIterator[Any]:
        script = self.scripts.pop(0) if self.scripts else [("sentence", 0.1)]
        for what, seconds in script:
            await sleep(seconds)
            self.count += 1
            match what:
                case "word":
                    yield TextDelta(f"word{self.count} ")
                case "sentence":
                    yield TextDelta(f"This is sentence number {self.count}. ")
                case "long":
                    for number in range(60):
                        yield TextDelta(f"and so on {number}, ")
                case "tool":
                    name = ("finishes", "cancels", "unknown")[self.count % 3]
                    yield ToolCall(str(self.count % 2), name, '{"number": 1}')
                case "overloaded":
                    raise RateLimitError("busy")
                case "refused":
                    raise AuthenticationError("no")
                case _:
                    await asyncio.get_running_loop().create_future()

    async def warm(self, context: Context) -> None:
        """Nothing to do."""


class Opening(Model):
    """A language model that takes a while to open, or cannot be opened."""

    def __init__(self, seconds: int) -> None:
        super().__init__([])
        self.seconds = seconds

    async def open(self) -> None:
        await sleep(self.seconds)
        if self.seconds == 2:
            raise UnavailableError("not today")


class Voice(TextToSpeech):
    """A voice that does as drawn: one step for each piece of text."""

    sample_rate = 16000

    def __init__(self, steps: list[Step]) -> None:
        self.steps = list(steps)

    async def speak(self, text: AsyncIterator[str]) -> AsyncIterator[Speech]:
        number = -1
        async for piece in text:
            number += 1
            what, seconds = self.steps.pop(0) if self.steps else ("speak", 0.0)
            try:
                await sleep(seconds)
                if what == "hang":
                    await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                if what != "ignore":
                    raise
            if what == "fail":
                raise UnavailableError("no voice")
            for _ in range(len(piece) // 10 + 1):
                yield Speech(b"\1\0" * 8000, number)
                if what == "slow":
                    await sleep(0.7)


def tools(steps: list[Step]) -> list[Tool]:
    """Two tools that do as drawn, one of which is cancelled with its reply."""
    left = list(steps)

    async def work(session: Any) -> str:
        what, seconds = left.pop(0) if left else ("answer", 0.0)
        await sleep(seconds)
        if what == "fail":
            raise ValueError("broken")
        if what == "hang":
            await asyncio.get_running_loop().create_future()
        if what == "speak":
            session.say("By the way.")
        return "result"

    from antiphon.session import Session

    @tool(timeout=3.0)
    async def finishes(session: Session, number: int) -> str:
        """Finishes, whatever happens to its reply."""
        return await work(session)

    @tool(timeout=3.0, on_interrupt="cancel")
    async def cancels(session: Session, number: int) -> str:
        """Is cancelled with its reply."""
        return await work(session)

    return [finishes, cancels]


# What the user and the program do --------------------------------------------------------------------

ACTIONS = st.sampled_from(
    [
        "type",
        "type",
        "turn",
        "speech",
        "noise",
        "sound",
        "mhm",
        "halting",
        "interim",
        "button",
        "keys",
        "hint",
        "interrupt",
        "force",
        "say",
        "notice",
        "drop",
        "switch",
        "change",
        "change",
        "pause",
        "break",
    ]
)
SCRIPTS = st.fixed_dictionaries(
    {
        "model": st.lists(MODEL, max_size=5),
        "voice": VOICE,
        "tools": TOOLS,
        "actions": st.lists(
            st.tuples(ACTIONS, st.sampled_from([0.0, 0.0, 0.02, 0.1, 0.5, 1.3, 4.0])), max_size=14
        ),
        "end": st.sampled_from(["end", "end", "cancel", "hang up"]),
        "shape": st.sampled_from(["plain", "switch", "switches", "race", "hedge", "parallel"]),
        "others": st.tuples(st.lists(MODEL, max_size=5), VOICE),
    }
)


class BrokenError(Exception):
    """What a broken part of the program raises."""


def pipeline(script: dict[str, Any]) -> list[Part]:
    conversation = Conversation("Be brief.", tools(script["tools"]))
    model, voice = LLM(Model(script["model"])), TTS(Voice(script["voice"]))
    match script["shape"]:
        case "switch":
            spare = TTS(Voice([]))
            return [TurnTaking(), conversation, model, Switch(main=voice, spare=spare), Playout()]
        case "switches":
            models = Switch(main=model, spare=LLM(Model(script["others"][0])))
            voices = Switch(main=voice, spare=TTS(Voice(script["others"][1])))
            return [TurnTaking(), conversation, models, voices, Playout()]
        case "race" | "hedge":
            after = 0.0 if script["shape"] == "race" else 0.3
            models = Race(model, LLM(Model(script["others"][0])), after=after)
            voices = Race(voice, TTS(Voice(script["others"][1])), after=after)
            return [TurnTaking(), conversation, models, voices, Playout()]
        case "parallel":
            return [
                TurnTaking(),
                conversation,
                Parallel([model, voice], [Tap(lambda _: None, Text, ReplyEnded)]),
                Playout(),
            ]
        case _:
            return [TurnTaking(), conversation, model, voice, Playout()]


async def act(call: HeldCall, what: str, number: int, replies: list[Reply]) -> None:
    session = call.session
    match what:
        case "type":
            session.send(UserText(f"typed {number}"))
        case "turn" | "noise":
            session.send(SpeechStarted(session.now))
            await session.clock.sleep(0.3)
            session.send(TurnScored(0.9, session.now))
            session.send(
                Transcript("" if what == "noise" else f"said {number}", True, session.now, session.now)
            )
            session.send(SpeechStopped(session.now))
        case "speech":
            session.send(SpeechStarted(session.now))
            session.send(Transcript(f"half {number}", True))
        case "sound":
            session.send(SoundHeard(session.now))
            await session.clock.sleep(0.06)
            session.send(SoundHeard(session.now - 0.06, gone=True))
        case "mhm":
            session.send(SoundHeard(session.now))
            await session.clock.sleep(0.1)
            session.send(SpeechStarted(session.now - 0.1))
            await session.clock.sleep(0.3)
            session.send(SpeechPaused(session.now))
            session.send(Transcript("mhm", True, session.now - 0.4, session.now))
            session.send(SpeechStopped(session.now))
        case "halting":
            session.send(SpeechStarted(session.now))
            for word in ("well", "well I", f"well I {number}"):
                await session.clock.sleep(0.2)
                session.send(Transcript(word, False, session.now - 0.2, session.now))
                session.send(SpeechPaused(session.now))
                session.send(TurnScored(0.95, session.now))
                await session.clock.sleep(0.15)
                session.send(SpeechResumed(session.now))
            session.send(SpeechStopped(session.now))
            session.send(Transcript(f"well I {number}.", True, session.now - 1, session.now))
        case "interim":
            session.send(Transcript(f"perhaps {number}", False, session.now, session.now))
        case "button":
            session.send(TalkButton(bool(number % 3)))
        case "keys":
            session.send(UserKey("4"))
            session.send(UserKey(("2", "#")[number % 2]))
        case "hint":
            session.send(TurnHinted((0.0, 0.8, 0.9)[number % 3], session.now, final=number % 3 == 2))
        case "interrupt" | "force":
            session.interrupt("asked to", force=what == "force")
        case "say" | "notice":
            replies.append(session.say(f"Notice number {number}.", interruptible=what == "say"))
        case "drop":
            if replies:
                replies[number % len(replies)].interrupt()
        case "switch":
            for part in session.parts:
                if isinstance(part, Switch):
                    part.use(("main", "spare")[number % 2])
                elif isinstance(part, Parallel) and not isinstance(part, Race):
                    part.switch("1", on=bool(number % 2))
        case "change":
            port = ("llm", "tts")[number % 2]
            stages = (part for part in session.parts if all(branch.on for branch in part.branches))
            match next((part for part in stages if getattr(part, "port", "") == port), None):
                case TTS() as voice:
                    voice.use(Voice([]))
                case LLM() as model:
                    model.use(Opening(number % 3))
                case _:
                    pass
        case "pause":
            playout = call.part(Playout)
            session.inputs.call("pause", None, playout.pause)
            await session.clock.sleep(0.2)
            session.inputs.call("resume", None, playout.resume)
        case _:
            session.failed(session.parts[number % len(session.parts)], BrokenError("broken"))


async def converse(script: dict[str, Any]) -> HeldCall:
    call = HeldCall(pipeline(script))
    replies: list[Reply] = [call.session.say("Hello.")]
    async with call:
        for number, (what, wait) in enumerate(script["actions"]):
            await act(call, what, number, replies)
            await call.session.clock.sleep(wait)
        begun = call.session.clock.now()
        if script["end"] == "end":
            await call.session.end(within=600.0)
            assert call.session.clock.now() - begun < 600.0, "it was closed before everything was said"
        else:
            await call.session.cancel()
            assert call.session.clock.now() - begun <= 1.05
        for reply in replies:
            assert await reply is reply
    await sleep(
        0.01
    )  # services' streams are closed by the garbage collector yet: see services/test_stages.py
    no_task_left()
    assert not call.session.works
    return call


def tools_are_told_of_once(call: HeldCall) -> None:
    started = [seen.call.id for seen in call.all(ToolStarted)]
    ended = [seen.call.id for seen in call.all(ToolEnded)]
    assert len(set(started)) == len(started)
    assert len(set(ended)) == len(ended)
    assert set(ended) <= set(started)


def failures_are_those_of_services(call: HeldCall) -> None:
    bugs = [failed for failed in call.all(Failed) if failed.error not in KNOWN]
    assert not bugs, bugs


def losers_are_silent(call: HeldCall) -> None:
    """Each answer of a model, and the audio of each piece of text, comes from one of those that race."""
    races = [part for part in call.session.parts if isinstance(part, Race)]
    sides = {part.name: number for race in races for number, branch in enumerate(race.inner.values())
             for part in branch.parts}  # fmt: skip
    answering: dict[tuple[int, type], str] = {}
    for seen in call.seen:
        what = seen.what
        if isinstance(what, Prompt):
            answering.pop((what.reply, Text), None)
        elif isinstance(what, Failed) and what.recovered and what.reply is not None:
            answering.pop((what.reply, AgentAudio), None)
        elif seen.source in sides and isinstance(what, Text | Generated | AgentAudio) and what.reply:
            kind = AgentAudio if isinstance(what, AgentAudio) else Text
            winner = answering.setdefault((what.reply, kind), seen.source)
            assert winner == seen.source, f"{seen.source} answered after {winner}: {seen}"


KNOWN = {
    "NothingSaidError",
    "RateLimitError",
    "AuthenticationError",
    "UnavailableError",
    "ServiceTimeoutError",
    "BrokenError",
}
CHECKS: list[Callable[[HeldCall], None]] = [
    check,
    tools_are_told_of_once,
    failures_are_those_of_services,
    losers_are_silent,
]


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(SCRIPTS)
@example(
    {
        "model": [[("sentence", 0.1), ("tool", 0.0)], [("word", 0.2)]],
        "voice": [("ignore", 2.0)],
        "tools": [("speak", 0.2)],
        "actions": [
            ("type", 0.5),
            ("interrupt", 0.0),
            ("type", 0.1),
            ("notice", 0.1),
            ("drop", 0.1),
            ("say", 4.0),
        ],
        "end": "end",
        "shape": "plain",
        "others": ([], []),
    }
)
def test_whatever_happens_when_the_laws_hold(script: dict[str, Any]) -> None:
    call = run_virtual(converse(script))
    for holds in CHECKS:
        holds(call)
    if "pause" not in [what for what, _ in script["actions"]]:
        again = replay(call.journal.lines, pipeline(script))
        assert again == call.journal.lines


@settings(max_examples=max(20, EXAMPLES // 5), deadline=None)
@given(SCRIPTS)
def test_same_script_gives_the_same_call(script: dict[str, Any]) -> None:
    first, second = run_virtual(converse(script)), run_virtual(converse(script))
    assert first.journal.lines == second.journal.lines
    assert [ended.heard for ended in first.all(ReplyEnded)] == [
        ended.heard for ended in second.all(ReplyEnded)
    ]
