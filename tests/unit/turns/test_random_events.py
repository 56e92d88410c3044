"""The turn engine under random events: whatever happens when, its decisions make sense and no word is lost.

EVENTS=1000000 in the environment tries that many, and prints what a decision costs.
"""

import os
import random
from collections import Counter
from time import thread_time_ns
from typing import Any

from antiphon.frames import (
    SessionStarted,
    SoundHeard,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    SpeechStopped,
    TalkButton,
    Transcript,
    TurnHinted,
    TurnScored,
    UserKey,
    UserText,
)
from antiphon.turns.backchannels import BackchannelSettings
from antiphon.turns.decisions import (
    Deadline,
    DropSpeculation,
    EndTurn,
    Fact,
    Interrupt,
    PauseVoice,
    ReplyBegan,
    ReplyOver,
    ResumeVoice,
    Speculate,
    SpeculationDropped,
    StartTurn,
    VoiceAt,
)
from antiphon.turns.diagram import arrows
from antiphon.turns.engine import State, TurnEngine
from antiphon.turns.idle import IdleSettings
from antiphon.turns.interruption import InterruptionSettings
from antiphon.turns.settings import SpeculationSettings, TurnLimit, TurnSettings
from antiphon.turns.utterance import same_words

EVENTS = int(os.environ.get("EVENTS", "50000"))
EACH = 250  # events in one conversation

KEPT = {State.SPEAKING, State.ENDING, State.OVERLAPPING, State.JUDGING}
"""States in which there is a turn, or what may become one, whose words are kept."""
FORCED = ("no more words came", "button", "pressed", "keys", "vendor", "spoke for", "said")
"""Reasons for which a turn ends while there is speech."""
COMMON = (
    "yes",
    "mhm",
    "mhm",
    "stop",
    "and um",
    "our shop is open",
    "uh",
    "I would like to",
    "fine, thank you.",
)
REPLY = "Our shop is open from nine to five. Would you like to come by?"


def policy(draw: random.Random) -> TurnSettings:
    return TurnSettings(
        interruption=InterruptionSettings(
            first=draw.choice(["pause", "pause", "duck", "play on"]),
            min_words=draw.choice([1, 1, 3]),
            back_off=draw.choice([0.0, 0.5]),
            resume_after=draw.choice([0.0, 0.0, 0.7]),
        ),
        speculation=SpeculationSettings(tries=draw.choice([0, 3, 50]), wasted_at_most=10**9),
        backchannels=BackchannelSettings(frequency=draw.choice([0.0, 1.0])),
        idle=IdleSettings(prompt_after=draw.choice([None, 5.0]), away_after=draw.choice([None, 7.0])),
        limit=draw.choice([TurnLimit(), TurnLimit(120.0), TurnLimit(6.0, 12)]),
        starts_by=draw.choice(["speech", "speech", "speech", "button"]),
        wake_phrase=draw.choice([None, None, None, "stop"]),
    )


class World:
    """A user, an agent and services that do anything, within what each of them can do."""

    def __init__(self, draw: random.Random, costs: list[int]) -> None:
        self.draw, self.costs = draw, costs
        self.engine = TurnEngine(policy(draw))
        self.now = 0.0
        self.told: list[tuple[float, Any]] = []
        self.count = 0
        self.ways: set[tuple[State, State]] = set()
        # what there is
        self.speech = "silent"
        self.utterance = 0.0  # when the words that are being recognised began
        self.interim = ""
        self.reply: ReplyBegan | None = None
        self.voiced = 0.0
        # what has been decided
        self.open = self.paused = self.interrupted = self.talking = False
        self.guess: str | None = None
        # where words went
        self.owed: Counter[str] = Counter()
        self.came = Counter[str]()
        self.guessed_at = set[str]()  # words that stood in interim transcripts, too

    # What happens ----------------------------------------------------------------------------------

    def run(self) -> None:
        self.tell(SessionStarted())
        for _ in range(EACH):
            self.pass_time(self.draw.choice([0.0, 0.02, 0.1, 0.3, 1.0, 4.0]))
            self.happen()
        self.settle()

    def pass_time(self, seconds: float) -> None:
        until, asked = self.now + seconds, Counter[float]()
        while (due := self.engine.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            self.tell(Deadline())
            asked[due] += 1
            assert asked[due] <= 3, f"at {self.now} it asks again for {due}: {self.told[-5:]}"
        self.now = until

    def happen(self) -> None:
        draw = self.draw
        what = draw.choice(
            ["speech"] * 8
            + ["words"] * 7
            + ["reply"] * 3
            + ["score", "hint", "key", "button", "typed", "wasted"]
        )
        match what:
            case _ if self.engine.state is State.SUSPECTING and not self.interim and draw.random() < 0.3:
                self.interim, self.utterance = "mhm", self.now
                self.judged(Transcript("mhm", False, self.now, self.now))
            case "speech":
                self.hear(draw.choice(SPEECH[self.speech]))
            case "words":
                self.recognise()
            case _ if self.engine.state is State.LISTENING and draw.random() < 0.4:
                self.tell(ReplyBegan())
            case "reply" if self.reply is None:
                self.tell(ReplyBegan(interruptible=draw.random() < 0.8))
            case "reply":
                self.tell(ReplyOver(REPLY))
            case "score":
                self.tell(TurnScored(draw.random(), self.now))
            case "hint":
                self.tell(TurnHinted(draw.choice([0.0, 0.4, 0.9]), self.now, final=draw.random() < 0.3))
            case "key":
                self.tell(UserKey(draw.choice("12#")))
            case "button":
                self.tell(TalkButton(draw.random() < 0.5))
            case "typed":
                self.tell(UserText("hello"))
            case _:
                self.tell(SpeculationDropped(draw.randrange(200)))

    def hear(self, event: str) -> None:
        at = self.now - self.draw.choice([0.03, 0.1])
        self.speech = {"sound": "sound", "gone": "silent", "stopped": "silent", "paused": "paused"}.get(
            event, "speaking"
        )
        fact: dict[str, Fact] = {
            "sound": SoundHeard(at),
            "gone": SoundHeard(at, gone=True),
            "started": SpeechStarted(at),
            "resumed": SpeechResumed(at),
            "paused": SpeechPaused(at),
            "stopped": SpeechStopped(at),
        }
        self.judged(fact[event])
        self.talking = self.speech == "speaking" and self.engine.state in KEPT

    def recognise(self) -> None:
        draw = self.draw
        if not self.interim:
            self.utterance = self.now - 0.05
        if draw.random() < 0.5:
            self.count += 1
            word = draw.choice([f"i{self.count}", draw.choice(COMMON)])
            self.interim = f"{self.interim} {word}".strip()
            self.guessed_at.update(self.interim.split())
            self.judged(Transcript(self.interim, False, self.utterance, self.now))
            return
        self.count += 1
        text = draw.choice(
            [self.interim, self.interim, f"w{self.count}", f"w{self.count} w{self.count}b", ""]
        )
        if self.engine.state in KEPT or self.engine.settings.starts_by == "speech":
            self.owed.update(word for word in text.split() if word[1:2].isdigit())
        self.interim = ""
        self.judged(Transcript(text, True, self.utterance, self.now))

    def judged(self, fact: Fact) -> None:
        """Told with where the agent's voice stands, as the part around the engine does."""
        if self.reply is not None:
            self.voiced += self.draw.choice([0.0, 0.3, 2.0])
            left = self.draw.choice([None, 5.0, 5.0, 0.2])
            self.tell(VoiceAt(self.voiced, left, REPLY[:20], REPLY[20:]))
        self.tell(fact)

    def settle(self) -> None:
        """Nobody says anything more, and all that was held comes out."""
        if self.reply is not None:
            self.tell(ReplyOver(REPLY))
        self.tell(TalkButton(False))
        if self.speech in ("speaking", "paused"):
            self.hear("stopped")
        self.tell(Transcript("", True, self.now, self.now))
        self.pass_time(300.0)
        assert self.engine.state is State.LISTENING, self.engine.state
        assert not self.open and self.guess is None
        for word, count in self.owed.items():
            most = self.came[word] if word in self.guessed_at else count  # an interim one may stand twice
            assert count <= self.came[word] <= most, f"{word} came {self.came[word]} times, not {count}"

    # What is decided -------------------------------------------------------------------------------

    def tell(self, fact: Fact) -> None:
        before = self.engine.state
        begun = thread_time_ns()
        decisions = self.engine.decide(fact, self.now)
        self.costs.append(thread_time_ns() - begun)
        self.told.append((self.now, fact))
        if not isinstance(fact, (TalkButton, UserKey)):
            self.ways.add((before, self.engine.state))
        match fact:
            case ReplyBegan():
                self.reply, self.voiced, self.interrupted = fact, 0.0, False
            case ReplyOver():
                self.reply, self.paused = None, False
            case _:
                pass
        over = False
        for decision in decisions:
            self.told.append((self.now, decision))
            over = self.check(decision) or over
        assert isinstance(self.engine.state, State)
        assert self.open == (self.engine.state in {State.SPEAKING, State.ENDING}), self.told[-8:]
        if over and self.reply is not None:
            self.tell(ReplyOver())

    def check(self, decision: Any) -> bool:
        """Whether the decision is legal; and whether the reply is over by it."""
        before = self.told[-8:]
        match decision:
            case StartTurn(at):
                assert not self.open, before
                assert at <= self.now + 1e-9
                self.open = True
            case EndTurn(text, started, ended, reason):
                assert self.open and reason, before
                assert started <= self.now + 1e-9 and ended <= self.now + 1e-9
                assert not self.talking or any(cause in reason for cause in FORCED), (
                    reason,
                    ended,
                    before[-8:],
                )
                assert self.guess is None or same_words(self.guess, text), before
                self.open, self.guess, self.talking = False, None, False
                self.came.update(self.engine.floor.turn.text.split())  # all words of it, woken or not
                return bool(text) and self.reply is not None and self.reply.interruptible
            case Speculate(text):
                assert self.open and text and self.guess is None and self.reply is None, before
                self.guess = text
            case DropSpeculation():
                assert self.guess is not None, before
                self.guess = None
            case PauseVoice():
                assert self.reply is not None and not self.paused and not self.interrupted, before
                self.paused = True
            case ResumeVoice(kind, text):
                assert self.paused or kind, before
                self.paused = False
                self.came.update(text.split())
            case Interrupt():
                assert self.reply is not None and self.reply.interruptible and not self.interrupted, before
                self.interrupted, self.paused = True, False
                return True
            case _:
                pass
        return False


SPEECH = {
    "silent": ("sound", "sound", "started"),
    "sound": ("gone", "started"),
    "speaking": ("paused", "paused", "stopped"),
    "paused": ("resumed", "stopped"),
}
"""What a VAD can say next."""


def test_whatever_happens_decisions_make_sense_and_no_word_is_lost() -> None:
    costs: list[int] = []
    ways: set[tuple[State, State]] = set()
    for seed in range(max(1, EVENTS // EACH)):
        world = World(random.Random(seed), costs)
        try:
            world.run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, at {world.now:.2f}") from error
        ways |= world.ways
    drawn = set(arrows())  # each single fact is checked against its row by the engine
    assert drawn <= ways, f"the diagram shows what never happens: {drawn - ways}"
    alike = {(state, state) for state in State}
    assert ways <= drawn | alike, f"the diagram does not show {ways - drawn}"
    costs.sort()
    middle, late = (costs[int(len(costs) * share)] / 1000 for share in (0.5, 0.99))
    print(f"{len(costs)} decisions: median {middle:.1f} us, 99th percentile {late:.1f} us")  # noqa: T201


def test_same_facts_give_the_same_decisions() -> None:
    first, second = World(random.Random(7), []), World(random.Random(7), [])
    first.run()
    second.run()
    assert first.told == second.told
