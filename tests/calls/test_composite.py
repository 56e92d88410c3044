"""The same conversations through a cascade and through the composite of its services."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from antiphon import Agent, Speaking
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, Context, Entry, Image, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.frames import (
    ContextNote,
    FalseInterruption,
    Frame,
    Interrupted,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    ReplyEnded,
    SessionEnded,
    Signal,
    ToolCall,
    ToolEnded,
    ToolStarted,
    TurnLost,
    UserText,
    UserTurn,
)
from antiphon.journal import replay
from antiphon.services.composite import Composite
from antiphon.services.ports import LanguageModel, TextDelta
from antiphon.services.realtime_vocabulary import (
    Remember,
    Respond,
    SpeechBegan,
    SpeechOver,
    UserHeard,
    UserPicture,
    UserWords,
)
from antiphon.session import Session
from antiphon.testing import (
    LoudVAD,
    ScriptedEOT,
    ScriptedLLM,
    ScriptedSTT,
    ScriptedTTS,
    check_realtime,
    loud,
    run_virtual,
)
from antiphon.testing.assertions import HeldCall, check, no_task_left
from antiphon.testing.conformance.realtime import TalkWithModel
from antiphon.transports.caller import Caller, CallerLine

sleep = LoopClock().sleep


def say(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


def barge_in(seconds: float = 1.4, wait: float = 1.5) -> CallerLine:
    return say(seconds, wait, "barge-in")


@tool
async def lookup(word: str) -> str:
    """Look something up."""
    await sleep(0.4)
    return "found"


@tool
async def slow(word: str) -> str:
    """Look something up that takes long."""
    await sleep(3.0)
    return "found at last"


@tool(on_interrupt="cancel")
async def order(word: str) -> str:
    """Do what an interruption stops."""
    await sleep(3.0)
    return "ordered"


@tool
async def broken(word: str) -> str:
    """Fail."""
    await sleep(0.2)
    raise RuntimeError("out of order")


TOOLS = [lookup, slow, order, broken]


def calls(*names: str) -> list[Any]:
    return [ToolCall(str(at), name, f'{{"word": "{at}"}}') for at, name in enumerate(names)]


LOOKUP, *_ = calls("lookup")
COUNTING = "One two three four five, six seven eight nine ten, eleven twelve thirteen."
Action = Callable[[Session], object]


@dataclass(frozen=True)
class Talk:
    """What the recogniser hears, what the model writes, what the caller says, and what the program does.

    The program acts so many seconds after the first sound of a reply: (1, 2.0, ...) is in the first answer.
    """

    hears: Sequence[Any]
    says: Sequence[Any]
    lines: Sequence[CallerLine]
    does: Sequence[tuple[int, float, Action]] = ()
    stt: dict[str, Any] = field(default_factory=dict[str, Any])
    llm: dict[str, Any] = field(default_factory=dict[str, Any])
    tts: dict[str, Any] = field(default_factory=dict[str, Any])
    agent: dict[str, Any] = field(default_factory=dict[str, Any])
    scores: Sequence[float] = (1.0,)


def types(text: str) -> Action:
    return lambda session: session.send(UserText(text))


def notes(text: str) -> Action:
    return lambda session: session.send(ContextNote(text))


def announces(text: str, **how: Any) -> Action:
    return lambda session: session.say(text, **how)


def hangs_up(session: Session) -> Coroutine[Any, Any, None]:
    return session.cancel("hung up")


def ends(session: Session) -> Coroutine[Any, Any, None]:
    return session.end("bye")


LONG_GREETING = {"greeting": "Good morning, this is the bicycle shop, what can I do for you today?"}
FILLERS: dict[str, Any] = {"agent": {"speaking": Speaking(fillers=["Let me see."])}}
TALKS: dict[str, Talk] = {
    "one turn": Talk(["hello"], ["Hello there."], [say(0.6)]),
    "three turns": Talk(["a", "b", "c"], ["One.", "Two.", "Three."], [say(0.6), say(1.0), say(0.8)]),
    "several sentences": Talk(["tell me"], ["First this. Then that, and more. At last the end!"], [say(0.8)]),
    "a tool": Talk(["look"], [[LOOKUP], "It is found."], [say(0.8)]),
    "words, then a tool": Talk(["look"], [["One moment.", LOOKUP], "It is found."], [say(0.8)]),
    "two tools at once": Talk(["look"], [calls("lookup", "lookup"), "Both."], [say(0.8)]),
    "a fast and a slow tool": Talk(["look"], [calls("lookup", "slow"), "Both."], [say(0.8)]),
    "a tool, and another": Talk(
        ["look"], [calls("lookup"), calls("lookup"), "Found twice."], [say(0.8)]
    ),
    "a tool that fails": Talk(["look"], [calls("broken"), "It is out of order."], [say(0.8)]),
    "barge-in": Talk(["count", "stop that please"], [COUNTING, "All right."], [say(0.6), barge_in()]),
    "barge-in with exact words": Talk(
        ["count", "stop that please"], [COUNTING, "All right."], [say(0.6), barge_in()], tts={"words": True}
    ),
    "two barge-ins": Talk(
        ["count", "no stop please", "and again stop"],
        [COUNTING, COUNTING, "Silence."],
        [say(0.6), barge_in(), barge_in()],
    ),
    "barge-in into the greeting": Talk(
        ["I am in a hurry"], ["Then be quick."], [barge_in()], agent=LONG_GREETING
    ),
    "barge-in during a tool": Talk(
        ["look", "stop that now please", "and then"],
        [["I look it up, which takes a while.", *calls("slow")], "All right.", "Anything else?"],
        [say(0.6), barge_in(1.4, 1.2), say(0.6, 3.0)],
    ),
    "barge-in cancels a tool": Talk(
        ["order it", "no do not do that"],
        [["I order it now, which takes a while.", *calls("order")], "All right."],
        [say(0.6), barge_in(1.4, 1.2)],
    ),
    "talk while a tool works": Talk(
        ["look", "are you still there"],
        [calls("slow"), "It is found.", "Yes."],
        [say(0.6), say(1.0, 1.5, "now")],
    ),
    "interrupted before the first sound": Talk(
        ["look", "or rather not"],
        ["I would have said this.", "All right."],
        [say(0.6), say(1.2, 1.0, "now")],
        llm={"first": 2.0},
    ),
    "a cough": Talk(["count", ""], [COUNTING], [say(0.6), barge_in(0.15)]),
    "a backchannel": Talk(["count", "mhm"], [COUNTING], [say(0.6), barge_in(0.4)]),
    "two coughs": Talk(["count", "", ""], [COUNTING], [say(0.6), barge_in(0.15, 0.8), say(0.15, 1.5, "now")]),
    "a pause inside a turn": Talk(
        ["I would like", "a bicycle"],
        ["Here it is."],
        [say(1.0), say(0.8, 0.8, "now")],
        scores=(0.1, 1.0),
    ),
    "a turn that is over before its speech is": Talk(
        ["I would like", "a bicycle", "thanks", "bye"],
        ["Here it is.", "My pleasure.", "Bye."],
        [say(1.0), say(0.8, 0.8, "now"), say(0.6), say(0.6)],
        scores=(0.1, 1.0),
    ),
    "two fast turns": Talk(
        ["hello", "who are you"], ["Hello.", "I am the shop."], [say(0.6), say(0.8, 0.0)]
    ),
    "a typed message": Talk(["hello"], ["Hello.", "Five."], [say(0.6)], [(1, 3.0, types("two and three?"))]),
    "a message typed into the answer": Talk(
        ["count"], [COUNTING, "All right."], [say(0.6)], [(1, 2.0, types("stop"))]
    ),
    "a note": Talk(
        ["hello", "what now"],
        ["Hello.", "Rain."],
        [say(0.6), say(0.6, 3.0)],
        [(1, 1.5, notes("It rains."))],
    ),
    "an announcement": Talk(
        ["hello", "thanks"],
        ["Hello.", "You are welcome."],
        [say(0.6), say(0.6, 4.0)],
        [(1, 2.0, announces("It rains."))],
    ),
    "an announcement during the answer": Talk(
        ["count"], [COUNTING], [say(0.6)], [(1, 2.0, announces("We close soon."))]
    ),
    "an interrupted announcement": Talk(
        ["hello", "be quiet please"],
        ["Hello.", "All right."],
        [say(0.6), say(1.4, 3.5)],
        [(1, 2.0, announces(COUNTING))],
    ),
    "an announcement that nobody interrupts": Talk(
        ["hello", "be quiet please"],
        ["Hello.", "All right."],
        [say(0.6), say(1.4, 2.5)],
        [(1, 2.0, announces("This call is recorded for training.", interruptible=False))],
    ),
    "words that come late": Talk(
        ["hello", "bye"], ["Hello.", "Bye."], [say(0.6), say(0.6)], stt={"delay": 0.9}
    ),
    "a slow model": Talk(["hello"], ["At last."], [say(0.6)], llm={"first": 5.0}),
    "a slow tool with a filler": Talk(["look"], [calls("slow"), "It is found."], [say(0.6)], **FILLERS),
    "ears that fail once": Talk([UnavailableError("no"), "hello"], ["Hello."], [say(0.6)]),
    "ears that fail for good": Talk([UnavailableError("no")] * 9, [], [say(0.6), say(0.1, 12.0, "now")]),
    "a failing model": Talk(
        ["hi", "again"], [[UnavailableError("no")] * 2, "Hello."], [say(0.6), say(0.6, 2.0)]
    ),
    "a model without words": Talk(["hi", "again"], ["", "Hello."], [say(0.6), say(0.6, 2.0)]),
    "hung up in mid-answer": Talk(["count"], [COUNTING], [say(0.6)], [(1, 2.5, hangs_up)]),
    "ended in mid-answer": Talk(["count"], [COUNTING], [say(0.6)], [(1, 2.5, ends)]),
}  # fmt: skip


def entries(call: HeldCall) -> list[Entry]:
    """The history, with the ids of calls left out: each model has its own."""
    plain: list[Entry] = []
    for entry in call.entries:
        match entry:
            case AgentSaid(text, calls, interrupted):
                calls = tuple(ToolCall("", one.name, one.arguments) for one in calls)
                plain.append(AgentSaid(text, calls, interrupted))
            case ToolAnswered(one, result):
                plain.append(ToolAnswered(ToolCall("", one.name, one.arguments), result))
            case UserSaid(""):
                pass  # a turn whose words never came
            case _:
                plain.append(entry)
    return plain


def turns_and_replies(call: HeldCall) -> list[tuple[Any, ...]]:
    """What the journal says of who spoke and what was heard, without times, numbers and the users' words.

    Speculative replies are left out, and why the user was taken to interrupt: by words, or by their length.
    """
    return [fact for seen in call.seen if (fact := told(seen.what)) is not None]


def told(what: Frame | Signal | tuple[str, Any]) -> tuple[Any, ...] | None:
    match what:
        case UserTurn() | TurnLost():
            return ("turn",)
        case UserText(text) | ContextNote(text):
            return (type(what).__name__, text)
        case PlayoutStarted() | PlayoutPaused() | PlayoutResumed() | FalseInterruption() | Interrupted():
            return (type(what).__name__,)
        case ReplyEnded(_, _, heard, interrupted, _, speculative) if not speculative:
            return ("reply ended", heard.strip(), interrupted)
        case SessionEnded(reason):
            return ("end", reason)
        case _:
            return None


def tools(call: HeldCall) -> list[tuple[Any, ...]]:
    """What the journal says of tools, which run beside the conversation."""
    facts: list[tuple[Any, ...]] = []
    for seen in call.seen:
        match seen.what:
            case ToolStarted(_, one):
                facts.append(("began", one.name, one.arguments))
            case ToolEnded(_, one, result, failed):
                facts.append(("ended", one.name, result, failed))
            case _:
                pass
    return facts


def cascade(talk: Talk) -> dict[str, Any]:
    stt, llm = ScriptedSTT(talk.hears, **talk.stt), ScriptedLLM(talk.says, **talk.llm)
    return {"stt": stt, "llm": llm, "tts": ScriptedTTS(**talk.tts)}


def composite(talk: Talk) -> dict[str, Any]:
    return {"realtime": Composite(**cascade(talk))}


def deciding(talk: Talk) -> dict[str, Any]:
    """A composite that decides on turns itself."""
    own = Composite(**cascade(talk), vad=LoudVAD(), eot=ScriptedEOT(talk.scores))
    return {"realtime": own, "vad": None, "eot": None}


Made = Callable[[Talk], dict[str, Any]]


def agent(made: Made, talk: Talk) -> Agent:
    settings: dict[str, Any] = {"greeting": "Hi.", "tools": TOOLS, "vad": LoudVAD()}
    settings |= {"eot": ScriptedEOT(talk.scores), **made(talk), **talk.agent}
    return Agent("x", **settings)


def held(made: Made, talk: Talk) -> HeldCall:
    """Hold the call, check it and replay its journal."""

    async def call() -> HeldCall:
        call = HeldCall(agent(made, talk).pipeline(Caller(talk.lines, 16000)))
        async with call:
            for reply, after, action in talk.does:
                while len(call.times(PlayoutStarted)) <= reply:
                    await sleep(0.01)
                await sleep(call.times(PlayoutStarted)[reply] + after - call.session.elapsed())
                done = action(call.session)
                if isinstance(done, Coroutine):
                    await done
            await call.session.wait()
        no_task_left()
        return call

    heard = run_virtual(call())
    check(heard)
    recorded = list(heard.journal.lines)
    assert replay(recorded, agent(made, talk).pipeline(Caller([], 16000))) == recorded
    return heard


@pytest.mark.parametrize("name", TALKS)
def test_same_conversation(name: str) -> None:
    one, other = held(cascade, TALKS[name]), held(composite, TALKS[name])
    assert entries(other) == entries(one)
    assert turns_and_replies(other) == turns_and_replies(one)
    assert tools(other) == tools(one)


def test_words_are_heard_to_the_word() -> None:
    call = held(composite, TALKS["barge-in"])
    cut = next(ended for ended in call.all(ReplyEnded) if ended.interrupted)
    assert COUNTING.startswith(cut.heard.strip())
    assert 5 < len(cut.heard) < 40


THEIRS = [
    "one turn", "three turns", "several sentences", "a tool", "words, then a tool", "two tools at once",
    "a fast and a slow tool", "a tool, and another", "a tool that fails", "a pause inside a turn",
    "two fast turns", "a typed message", "a note", "words that come late", "a slow model",
    "ears that fail once", "barge-in", "two barge-ins", "barge-in into the greeting", "a cough",
    "a backchannel", "two coughs", "hung up in mid-answer",
]  # fmt: skip


@pytest.mark.parametrize("name", THEIRS)
def test_composite_that_decides_on_turns(name: str) -> None:
    one, other = held(cascade, TALKS[name]), held(deciding, TALKS[name])
    assert entries(other) == entries(one)


def test_composite_without_ears_of_its_own_cannot_decide_on_turns() -> None:
    talk = TALKS["one turn"]
    with pytest.raises(ConfigurationError, match="vad="):
        run_virtual(turns_of(Composite(**cascade(talk))))


async def turns_of(model: Composite) -> None:
    async with TalkWithModel(model, Context("x"), detects=True) as talk:
        await talk.response()


class WeatherLLM(LanguageModel):
    """Calls the tool that it has, once."""

    async def generate(self, context: Context) -> AsyncIterator[TextDelta | ToolCall]:
        if context.tools and not any(isinstance(entry, ToolAnswered) for entry in context.entries):
            yield ToolCall("1", context.tools[0].name, "{}")
        else:
            for word in ("All ", "is ", "well."):
                await sleep(0.05)
                yield TextDelta(word)


@pytest.mark.parametrize("decides", [False, True], ids=["ours", "either"])
def test_composite_conforms(decides: bool) -> None:
    def make() -> Composite:
        stt, llm, tts = ScriptedSTT(["hello"] * 99), WeatherLLM(), ScriptedTTS()
        own: dict[str, Any] = {"vad": LoudVAD(), "eot": ScriptedEOT()} if decides else {}
        return Composite(stt, llm, tts, **own)

    run_virtual(check_realtime(make, loud(0.6)))


def test_picture_belongs_to_the_next_words() -> None:
    picture, llm = Image(b"abc", "image/png"), ScriptedLLM(["A bicycle.", "Yes."])

    async def ask() -> None:
        model = Composite(ScriptedSTT([]), llm, ScriptedTTS())
        async with TalkWithModel(model, Context("x")) as talk:
            for words in (UserPicture(picture), UserWords("What is this?")), (UserWords("Really?"),):
                talk.give(*words, Respond())
                await talk.response()

    run_virtual(ask())
    said = [entry for entry in llm.contexts[-1].entries if isinstance(entry, UserSaid)]
    assert said == [UserSaid("What is this?", (picture,)), UserSaid("Really?")]


def test_words_that_a_new_context_does_not_have_yet_are_kept() -> None:
    """The context was written before whoever wrote it was told of the words."""
    llm = ScriptedLLM(["A bicycle."] * 3)
    model = Composite(ScriptedSTT(["what is this?", "and that?"]), llm, ScriptedTTS())

    async def ask() -> None:
        before = Context("Be brief.")
        async with TalkWithModel(model, Context("x")) as talk:
            for written in (
                before,
                Context("Be kind.", (UserSaid("what is this?"), AgentSaid("A bicycle."))),
            ):
                talk.give(SpeechBegan())
                talk.sound(loud(0.6))
                talk.give(SpeechOver())
                await talk.until(UserHeard)
                talk.give(Remember(written), Respond())
                await talk.response()
            told = (UserSaid("what is this?"), AgentSaid("A bicycle."), UserSaid("and that?"))
            talk.give(Remember(Context("Be kind.", told)), Respond())
            await talk.response()

    run_virtual(ask())
    said = [[e.text for e in context.entries if isinstance(e, UserSaid)] for context in llm.contexts]
    assert said == [["what is this?"], ["what is this?", "and that?"], ["what is this?", "and that?"]]
