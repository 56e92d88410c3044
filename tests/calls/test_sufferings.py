"""What users of voice agents suffer from, each as a call in which it does not happen. By number:

2 what was heard is missing from the context, what was not stands in it; 3 a dead voice goes unnoticed;
4 word times corrupt the context; 5 tools hang or are cancelled after a barge-in; 6 the model waits until the
agent has spoken; 7 hanging up hangs; 10 the client's buffer plays on; 12 turn detection stalls, and "Yeah."
waits; 13 coughs interrupt; 14 so does the agent's echo; 15 a lost connection stays lost; 19 there is no
transcript and latency of each turn; 21 silence after a false interruption; 22 no detectors of one's own;
23 speculation without a cap.
"""

import re
from array import array
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest

from antiphon import Agent, Listening
from antiphon.clock import LoopClock
from antiphon.context import AgentSaid, ToolAnswered, UserSaid
from antiphon.conversation.tools import tool
from antiphon.errors import UnavailableError
from antiphon.frames import (
    AgentAudio,
    EagerTurn,
    Failed,
    FalseInterruption,
    Interrupted,
    PlayoutPaused,
    PlayoutStarted,
    Prompt,
    ReplyEnded,
    ReplyStarted,
    SpeechStarted,
    ToolCall,
    ToolEnded,
    Usage,
    UserAudio,
    UserTurn,
    replace,
)
from antiphon.pipeline import Part
from antiphon.processor import Processor, on
from antiphon.services.ports import EndOfTurn, Speech, Word
from antiphon.telemetry.latency import PARTS, Latency
from antiphon.testing import ScriptedSTT, ScriptedTTS, loud, run_virtual
from antiphon.testing.assertions import HeldCall, check, hold, no_task_left, services
from antiphon.testing.scripted import Answer
from antiphon.transports.caller import Caller, CallerInput, CallerLine
from antiphon.turns.floor import State
from antiphon.turns.interruption import Judgement, Overlap, OverlapVerdict
from antiphon.turns.settings import SpeculationSettings, TurnSettings
from antiphon.turns.turn_taking import TurnTaking

sleep = LoopClock().sleep
"""Virtual time, where the loop is virtual."""

ANSWER = "Well, that depends. There are many things to say, and I shall say them all, one after another."


def line(seconds: float, wait: float = 0.7, cue: str = "answer") -> CallerLine:
    return CallerLine(loud(seconds), wait, cue)  # type: ignore[arg-type]


def talk(
    lines: Sequence[CallerLine],
    hears: Sequence[str | Exception],
    says: Sequence[Sequence[Answer] | str],
    **settings: Any,
) -> HeldCall:
    """A whole call, checked."""
    good = {**services(hears, says), **settings}
    call = run_virtual(hold(Agent("Be patient.", **good), lines))
    check(call)
    return call


def held(parts: Sequence[Part]) -> HeldCall:
    """A whole call over these parts, checked."""
    call = HeldCall(parts)

    async def main() -> None:
        async with call:
            await call.session.wait()
        no_task_left()

    run_virtual(main())
    check(call)
    return call


@pytest.mark.parametrize("words", [True, False], ids=["with word times", "without"])
def test_context_has_exactly_the_words_that_were_heard(words: bool) -> None:
    """2 and 4. Interrupted at forty moments: every word that was whole at the speaker, and no other."""
    for moment in range(40):
        voice = ScriptedTTS(words=words)
        call = talk(
            [line(0.8, 0.5, "now"), line(0.5, 0.15 * moment, "barge-in")],
            ["hello", "wait"],
            [ANSWER, "Yes?"],
            tts=voice,
        )
        played, heard, begun = len(call.pcm(1)) / 48000, 0, 0.0
        for piece in voice.spoken[:-1]:
            start = ANSWER.index(str(piece))
            for word in re.finditer(r"\S+", str(piece)):
                if begun + word.end() / voice.rate <= played + 1e-3:
                    heard = start + word.end()
            begun += len(str(piece)) / voice.rate
        assert call.all(ReplyEnded)[0].heard.rstrip() == ANSWER[:heard]
        cut = AgentSaid(ANSWER[:heard], interrupted=heard < len(ANSWER))
        assert call.entries[1] == (cut if heard else UserSaid("wait"))


def test_dead_voice_is_noticed_in_seconds() -> None:
    """3. What nobody heard is not in the context, the failure is named, and the next turn is answered."""

    class Dead(ScriptedTTS):
        """Takes its first reply, is asked once more, and never speaks it."""

        dead = 2

        async def speak(self, text: AsyncIterator[str]) -> AsyncGenerator[Speech | Word, None]:
            if self.dead:
                self.dead -= 1
                await sleep(3600)
            async for item in super().speak(text):
                yield item

    call = talk(
        [line(0.8, 0.5, "now"), line(0.8, 8.0, "now")], ["hello", "hello?"], [ANSWER, "Yes."], tts=Dead()
    )
    assert call.times(Failed)[0] - call.times(ReplyStarted)[0] < 2.0
    assert call.times(Failed)[1] - call.times(ReplyStarted)[0] < 6.0
    assert call.entries == [UserSaid("hello"), UserSaid("hello?"), AgentSaid("Yes.")]


def test_tools_end_as_they_should_after_an_interruption() -> None:
    """5. One may finish, one is to be cancelled; both are in the context with how they ended."""
    ran: list[str] = []

    @tool
    async def book() -> str:
        """Has consequences."""
        await sleep(2)
        ran.append("booked")
        return "booked"

    @tool(on_interrupt="cancel")
    async def search() -> str:
        """Has none."""
        try:
            await sleep(2)
        finally:
            ran.append("search is over")
        return "found"

    says = [["One moment.", ToolCall("1", "book", "{}"), ToolCall("2", "search", "{}")], "Wait.", "Booked."]
    call = talk(
        [line(0.8, 0.5, "now"), line(0.5, 0.7, "barge-in"), line(0.8, 2.0)],
        ["book it", "stop", "and?"],
        says,
        tools=[book, search],
    )
    assert ran == ["search is over", "booked"]
    assert [ended.call.name for ended in call.all(ToolEnded)] == ["book"]
    assert [entry.result for entry in call.entries if isinstance(entry, ToolAnswered)] == [
        "booked",
        "stopped: the reply was interrupted",
    ]


def test_model_goes_on_while_the_agent_speaks() -> None:
    """6. The tool's result is with the model long before "one moment" has been said to the end."""

    @tool
    async def look() -> str:
        """Takes a tenth of a second."""
        await sleep(0.1)
        return "nine to five"

    says = [["One moment please, I am looking it up for you.", ToolCall("1", "look", "{}")], "From nine."]
    call = talk([line(0.8, 0.5, "now")], ["when?"], says, tools=[look])
    asked, again = call.times(Prompt)[-2:]
    assert again - asked < 1.0
    assert call.times(ReplyEnded)[-1] - again > 3.0
    gaps = [
        later.what.at - (piece.what.at + len(piece.what.pcm) // 2)
        for piece, later in zip(call.voice, call.voice[1:], strict=False)
        if isinstance(piece.what, AgentAudio) and isinstance(later.what, AgentAudio)
    ]
    assert max(gaps) == 0, "and so there is no gap between the two"


@pytest.mark.parametrize("state", list(State))
def test_hang_up_in_every_state_of_the_floor(state: State) -> None:
    """7. The call is over at once, with all its replies and tasks, whoever has the floor."""
    good = services(["I would like to", "mhm", "wait"], [ANSWER, "Yes?"], turn_scores=[0.1, 1.0])
    lines = [line(0.8, 0.5, "now"), line(0.3, 1.0, "barge-in"), line(0.3, 1.0, "now")]
    call = HeldCall(Agent("x", **good).pipeline(Caller(lines, 16000)))

    async def main() -> None:
        async with call:
            while call.part(TurnTaking).engine.state is not state:
                await sleep(0.01)
            begun = call.session.clock.now()
            await call.session.cancel("hung up")
            assert call.session.clock.now() - begun < 0.1
        no_task_left()

    run_virtual(main())
    check(call)


class Buffered(Caller):
    """A caller whose transport holds 300 ms ahead of time."""

    lead = 0.3


def test_clients_buffer_is_silent_at_once() -> None:
    """10. What it holds is to be forgotten at the first sound; what it had not played counts as unheard."""
    good = services(["hello", "wait"], [ANSWER, "Yes?"])
    lines = [line(0.8, 0.5, "now"), line(0.8, 2.0, "barge-in")]
    call = held(Agent("x", **good).pipeline(Buffered(lines, 16000)))
    sounded = call.part(CallerInput).spoken[1][0]
    (paused,), (decided,) = call.times(PlayoutPaused), call.times(Interrupted)
    assert paused - sounded < 0.1
    assert not [seen for seen in call.voice if paused < seen.at < decided], "nor is anything sent meanwhile"
    heard_for = paused - call.times(PlayoutStarted)[0]
    heard = call.all(ReplyEnded)[0].heard
    assert len(heard) <= heard_for * 15 < len(heard) + 10
    assert len(call.pcm(1)) / 48000 > heard_for + 0.25, "more was sent than was heard"


@pytest.mark.parametrize("trouble", ["no end-of-turn model", "it hangs", "it fails", "no words come"])
def test_turn_detection_never_stalls(trouble: str) -> None:
    """12. Whatever fails, the agent answers within the ceiling of two seconds, or knows that nobody spoke."""
    good = services(["I would like to rent a bicycle.", "hello"], ["Which one?", "Yes."])
    match trouble:
        case "no end-of-turn model":
            good["eot"] = None
        case "it hangs":
            good["eot"].delay = 3600.0
        case "it fails":
            good["eot"].scores = [UnavailableError("gone")]
        case _:
            good["stt"] = ScriptedSTT(["", "hello"])
    call = run_virtual(hold(Agent("x", **good), [line(1.5, 0.5, "now"), line(0.5, 4.0, "now")]))
    check(call)
    turns = call.all(UserTurn)
    assert [turn.text for turn in turns][-1] == "hello"
    assert len(turns) == (1 if trouble == "no words come" else 2)
    assert all(at - turn.ended <= 2.0 + 0.1 for at, turn in zip(call.times(UserTurn), turns, strict=True))


def test_short_answer_does_not_wait() -> None:
    """12. "Yeah." is answered in less than half a second, though the model is not sure of its sound."""
    call = talk(
        [line(0.8, 0.5, "now"), line(0.4)],
        ["hello", "Yeah."],
        ["Shall I book it?", "Done."],
    )
    assert call.times(PlayoutStarted)[1] - call.all(UserTurn)[1].ended < 0.5


@pytest.mark.parametrize("sound", ["", "um", "mhm", "uh-huh", "[cough]", "(laughs)", "ahem", "you"])
def test_coughs_and_murmurs_do_not_interrupt(sound: str) -> None:
    """13. The voice is held for less than a second and goes on; nothing of it is in the context."""
    call = talk([line(0.8, 0.5, "now"), line(0.3, 1.5, "barge-in")], ["hello", sound], [ANSWER])
    assert call.entries == [UserSaid("hello"), AgentSaid(ANSWER)]
    assert len(call.all(FalseInterruption)) == 1
    took = call.times(ReplyEnded)[0] - call.times(PlayoutStarted)[0]
    assert took < len(ANSWER) / 15 + 1.3


def test_click_is_not_even_a_sound() -> None:
    """13. Sixty milliseconds of noise in silence, and over the voice: no turn, and all is heard."""
    lines = [line(0.06, 0.5, "now"), line(0.8, 0.5, "now"), line(0.06, 1.0, "barge-in")]
    call = talk(lines, ["hello"], [ANSWER])
    assert call.entries == [UserSaid("hello"), AgentSaid(ANSWER)]
    assert not call.all(FalseInterruption)


class Room(Processor):
    """Lets the microphone hear the first seconds of what the agent says, 20 ms later."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.said = 0.0
        self.echoes: list[tuple[float, float]] = []

    def hear(self, at: int, pcm: bytes) -> None:
        begun, lasts = at / 24000 + 0.02, len(pcm) / 48000
        if self.said < self.seconds:
            self.echoes.append((begun, begun + lasts))
        self.said += lasts

    @on(UserAudio)
    def audio(self, frame: UserAudio) -> None:
        at = frame.at / frame.sample_rate
        echoes = any(begun <= at < ended for begun, ended in self.echoes)
        self.push(replace(frame, pcm=loud(0.02)) if echoes else frame)


def in_a_room(seconds: float, hears: Sequence[str], **settings: Any) -> HeldCall:
    """A call through a loudspeaker, whose echo is cancelled after these seconds of it."""
    room = Room(seconds)
    good = {**services(["hello", *hears], [ANSWER]), **settings}
    parts = Agent("x", **good).pipeline(Caller([line(0.8, 0.5, "now")], 16000, hear=room.hear))
    call = held([parts[0], room, *parts[1:]])
    assert room.echoes
    assert call.entries == [UserSaid("hello"), AgentSaid(ANSWER)]
    return call


def test_agent_does_not_interrupt_itself() -> None:
    """14. Echo cancellation takes a moment at the beginning: that moment's words are known by their sound."""
    call = in_a_room(0.3, ["well", "that", "depends"])
    assert "echo" in {false.kind for false in call.all(FalseInterruption)} <= {"echo", "noise"}
    assert not call.all(Interrupted)


def test_agent_beside_an_open_microphone() -> None:
    """14. Where nothing cancels the echo, the user is not heard while the agent speaks."""
    call = in_a_room(600.0, ["well", "that", "depends"], listening=Listening(mute=["speaking"]))
    assert len(call.all(SpeechStarted)) == 1


def test_ears_that_are_lost_again_and_again_come_back() -> None:
    """15. Three times in one call; what was said while they were gone is given to the new ones."""
    gone = UnavailableError("connection reset")
    call = talk(
        [line(0.8, 0.5, "now"), line(0.8), line(0.8)],
        [gone, gone, "one", gone, "two", "three"],
        ["First.", "Second.", "Third."],
    )
    assert [turn.text for turn in call.all(UserTurn)] == ["one", "two", "three"]
    assert len(call.all(Failed)) == 3


def test_transcript_and_latency_of_each_turn() -> None:
    """19. One observer tells what was said, what was heard, and where the time went."""
    call = talk([line(0.8, 0.5, "now"), line(0.8)], ["hello", "and the price?"], ["Hello there.", "Twenty."])
    latency = Latency()
    for seen in call.seen:
        latency.saw(seen.at, seen.source, seen.what, seen.is_input)
    assert [turn.user for turn in latency.turns] == ["hello", "and the price?"]
    answers = [turn.answer.heard for turn in latency.turns if turn.answer is not None]
    assert answers == ["Hello there.", "Twenty."]
    for turn in latency.turns:
        parts = turn.parts
        assert parts is not None and set(parts) == set(PARTS)
        assert turn.voice_to_voice == pytest.approx(sum(parts.values()))
        assert 0.2 < (turn.voice_to_voice or 0.0) < 0.6


def test_agent_goes_on_after_a_false_interruption() -> None:
    """21. Three ways to be wrong about the user: the voice held, ducked, cut; all is said in the end."""
    for seconds, heard in ((0.3, ""), (0.4, "mhm"), (2.5, "")):
        call = talk([line(0.8, 0.5, "now"), line(seconds, 2.0, "barge-in")], ["hello", heard], [ANSWER])
        assert " ".join(ended.heard for ended in call.all(ReplyEnded)) == ANSWER
        assert call.times(ReplyEnded)[-1] < 13.0


def test_detectors_of_ones_own() -> None:
    """22. An end-of-turn model and an interruption classifier are objects with one method each."""

    class Loudness(EndOfTurn):
        """Ends a turn by its last sample."""

        sample_rate = 16000
        seconds = 2.0

        async def score(self, pcm: bytes) -> float:
            return 0.9 if array("h", pcm)[-1] == 0 else 0.1

    class Password:
        """Lets only one word interrupt."""

        def judge(self, overlap: Overlap) -> Judgement:
            wanted = "pineapple" in overlap.words
            return Judgement(OverlapVerdict.BARGE_IN if wanted else OverlapVerdict.NOISE, "the password")

    good: dict[str, Any] = {
        **services(["hello", "stop it now", "pineapple"], [ANSWER, "Yes?"]),
        "eot": Loudness(),
    }
    lines = [line(0.8, 0.5, "now"), line(0.6, 1.0, "barge-in"), line(0.6, 1.0, "now")]
    parts = [
        TurnTaking(classifier=Password()) if isinstance(part, TurnTaking) else part
        for part in Agent("x", **good).pipeline(Caller(lines, 16000))
    ]
    call = held(parts)
    assert [false.text for false in call.all(FalseInterruption)][-1:] != ["pineapple"]
    assert [turn.text for turn in call.all(UserTurn)] == ["hello", "pineapple"]
    assert [interrupted.reason for interrupted in call.all(Interrupted)] == ["the password"]


def test_speculation_has_a_cap_and_a_bill() -> None:
    """23. A hesitant user costs so many replies in vain, and no more; what they cost is told."""
    hears = ["I take the red one", "and the blue one", "and the green one", "and the white one"]
    lines = [line(0.8, 0.5, "now"), *[line(0.8, 0.55, "now")] * 3]
    for tries in (0, 1, 2):
        good = services(hears, ["Gladly."], turn_scores=[0.85])
        policy = TurnSettings(speculation=SpeculationSettings(tries=tries))
        call = run_virtual(hold(Agent("x", turns=policy, **good), lines))
        check(call)
        assert len(call.all(EagerTurn)) == tries
        assert len(good["llm"].contexts) == tries + 1
        bill = [usage for usage in call.all(Usage) if usage.unit == "characters written in vain"]
        assert [usage.amount for usage in bill] == [len("Gladly.")] * tries
