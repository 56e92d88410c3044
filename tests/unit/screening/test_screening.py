"""Calls that we make, and what answers them: scripts of what is heard, in virtual time."""

import re
from collections.abc import Sequence

import numpy as np
import pytest

from antiphon.clock import LoopClock
from antiphon.errors import ConfigurationError
from antiphon.frames import (
    AgentAudio,
    AgentKeys,
    AudioEnded,
    CallAnswered,
    Frame,
    ReplyEnded,
    SessionEnded,
    SpeechStarted,
    SpeechStopped,
    Text,
    TextEnded,
    Transcript,
    UserAudio,
)
from antiphon.playout.playout import Playout
from antiphon.processor import Processor, on
from antiphon.screening import Screening, ScreeningSettings
from antiphon.screening.menu import choose, options
from antiphon.screening.phrases import plain
from antiphon.screening.rules import Facts, judge
from antiphon.session import Session
from antiphon.testing import virtual
from antiphon.transports.loopback import Loopback

sleep = LoopClock().sleep
RATE = 8000

Line = tuple[float, str | float]
"""When something is heard: words, spoken at four a second, or a beep of so many seconds."""


class Voice(Processor):
    """Speaks a tenth of a second for whatever is to be said."""

    @on(Text)
    def text(self, frame: Text) -> None:
        self.push(AgentAudio(frame.reply, bytes(2 * RATE // 10), RATE))

    @on(TextEnded)
    def ended(self, frame: TextEnded) -> None:
        self.push(AudioEnded(frame.reply))


class Turns(Processor):
    """What turn taking is told, and when."""

    def __init__(self) -> None:
        self.facts: list[tuple[float, Frame]] = []

    @on(SpeechStarted, SpeechStopped, Transcript)
    def fact(self, frame: Frame) -> None:
        self.facts.append((self.session.now, frame))

    @property
    def words(self) -> list[str]:
        return [fact.text for _, fact in self.facts if isinstance(fact, Transcript) and fact.final]


class Far(Processor):
    """The far end: what is pressed and played."""

    def __init__(self) -> None:
        self.keys: list[tuple[float, str]] = []

    @on(AgentKeys)
    def pressed(self, frame: AgentKeys) -> None:
        self.keys.append((self.session.now, frame.keys))


class Call:
    """A call as it went."""

    def __init__(self, settings: ScreeningSettings | None) -> None:
        self.screening, self.turns, self.far = Screening(settings), Turns(), Far()
        self.transport = Loopback(RATE, input_rate=RATE)
        voice, playout = Voice(), Playout(RATE)
        self.session = Session(
            [
                self.transport.input,
                self.screening,
                self.turns,
                voice,
                playout,
                self.far,
                self.transport.output,
            ]
        )
        self.answered: list[CallAnswered] = []
        self.said: list[tuple[float, str, bool]] = []
        self.ended = ""
        self.session.on(CallAnswered, self.answered.append)
        self.session.on(
            ReplyEnded,
            lambda reply: self.said.append((self.session.now, reply.text, reply.interrupted)),
        )
        self.session.on(SessionEnded, self._over)

    def _over(self, signal: SessionEnded) -> None:
        self.ended = signal.reason

    @property
    def who(self) -> list[str]:
        return [answered.who for answered in self.answered]

    async def hear(self, script: Sequence[Line], seconds: float) -> None:
        """Let the far end speak, and time pass."""
        acts: list[tuple[float, list[Frame]]] = []
        beeps: list[tuple[float, float]] = []
        begun = self.session.now
        for at, what in script:
            if not isinstance(what, str):
                beeps.append((at, at + what))
                continue
            words = what.split()
            ends = at + len(words) / 4
            acts.append((at + 0.1, [SpeechStarted(begun + at)]))
            acts.extend(
                (at + n / 4, [Transcript(" ".join(words[:n]), False)]) for n in range(1, len(words) + 1)
            )
            acts.append((ends + 0.3, [SpeechStopped(begun + ends), Transcript(what, True)]))
        acts.sort(key=lambda act: act[0])
        for piece in range(round(seconds * 50)):
            now = piece / 50
            time = (piece * 160 + np.arange(160)) / RATE
            beeping = any(on <= now < off for on, off in beeps)
            sound = (6000 * beeping * np.sin(2 * np.pi * 1000 * time)).astype("<i2")
            await sleep(0.02)
            if self.session.state != "running":
                return
            self.transport.input.push(UserAudio(sound.tobytes(), RATE, round(begun * RATE) + piece * 160))
            while acts and acts[0][0] <= now:
                for fact in acts.pop(0)[1]:
                    self.transport.input.push(fact)


async def call(script: Sequence[Line], seconds: float, settings: ScreeningSettings | None = None) -> Call:
    made = Call(settings)
    await made.session.start()
    await made.hear(script, seconds)
    return made


@virtual
async def test_a_person_is_handed_on_with_what_was_said() -> None:
    made = await call([(1.0, "Hello?")], 3.0)
    assert made.who == ["person"]
    assert made.answered[0].reason == 'a short greeting, then quiet: "hello ?"'
    assert made.answered[0].at == pytest.approx(1.25 + 0.6, abs=0.12)
    assert [type(fact) for _, fact in made.turns.facts] == [
        SpeechStarted,
        Transcript,
        SpeechStopped,
        Transcript,
    ]
    await made.hear([(0.5, "Who is there?")], 2.0)
    assert made.turns.words == ["Hello?", "Who is there?"]
    assert made.who == ["person"]
    await made.session.cancel()


@pytest.mark.parametrize(
    "greeting",
    [
        "Good morning, Smith Dental, this is Ann speaking, how can I help you?",
        "Thank you for calling the bicycle shop. What can I do for you?",
        "I'm sorry, he is not available right now, can I take a message?",
        "Praxis Doktor Weber, guten Tag, was kann ich für Sie tun?",
        "Do you want to leave a message?",
    ],
)
@virtual
async def test_somebody_at_work_is_a_person(greeting: str) -> None:
    made = await call([(0.5, greeting)], 6.0, ScreeningSettings(message="Hello."))
    assert made.who == ["person"]
    await made.session.cancel()


@virtual
async def test_a_voicemail_is_spoken_to_after_the_beep() -> None:
    script: list[Line] = [
        (0.5, "Hi, this is John."),
        (2.3, "I can't come to the phone. Please leave a message after the tone."),
        (6.5, 0.5),
    ]
    made = await call(script, 12.0, ScreeningSettings(message="Your bicycle is ready."))
    assert made.who == ["voicemail"]
    assert made.answered[0].reason == 'speaks of messages: "leave a message"'
    ((ended, said, interrupted),) = made.said
    assert (said, interrupted) == ("Your bicycle is ready.", False)
    assert 7.0 + 0.3 <= ended - 0.1 <= 7.0 + 0.5
    assert made.ended == "voicemail"
    assert made.turns.facts == []


@virtual
async def test_who_seemed_a_person_is_a_voicemail_after_all() -> None:
    script: list[Line] = [(0.5, "Hello?"), (2.5, "Ha, got you, leave a message."), (4.5, 0.4)]
    made = await call(script, 10.0, ScreeningSettings(message="Your bicycle is ready."))
    assert made.who == ["person", "voicemail"]
    assert made.said[-1][1:] == ("Your bicycle is ready.", False)
    assert made.said[-1][0] == pytest.approx(4.9 + 0.4, abs=0.2)
    assert made.ended == "voicemail"
    assert made.turns.words == ["Hello?"]


@virtual
async def test_without_a_beep_the_message_is_spoken_into_the_quiet() -> None:
    made = await call([(0.5, "Please leave a message.")], 9.0, ScreeningSettings(message="Hello."))
    assert made.said[0][0] == pytest.approx(1.5 + 4.0 + 0.1, abs=0.15)
    assert made.ended == "voicemail"


@virtual
async def test_without_a_message_a_voicemail_is_hung_up_on() -> None:
    made = await call([(0.5, "Sie sind verbunden mit der Mailbox von")], 5.0)
    assert made.who == ["voicemail"]
    assert made.ended == "voicemail"
    assert made.said == []


@virtual
async def test_a_greeting_of_ones_own_is_told_by_its_beep() -> None:
    script: list[Line] = [(0.3, "Yo it's Mike you know what to do okay"), (3.0, 0.4)]
    made = await call(script, 6.0, ScreeningSettings(message="Hello."))
    assert made.who == ["voicemail"]
    assert re.fullmatch(r"a beep of (99|100)\d Hz after speech", made.answered[0].reason)
    assert made.said and made.said[0][1] == "Hello."


@virtual
async def test_a_beep_before_anybody_spoke_is_the_lines() -> None:
    made = await call([(0.2, 0.4), (1.0, "Hello?")], 3.0)
    assert made.who == ["person"]
    await made.session.cancel()


@virtual
async def test_who_speaks_on_and_on_is_a_machine() -> None:
    made = await call([(0.5, " ".join(["and"] * 40))], 8.0)
    assert made.who == ["voicemail"]
    assert made.answered[0].reason.startswith("spoke for 6.")


@virtual
async def test_what_the_agent_was_saying_is_cut_off_by_a_machine() -> None:
    made = Call(ScreeningSettings(message="Call us back."))
    await made.session.start()
    made.session.say("Hello, this is the bicycle shop. " * 5)
    made.session.say("Are you there?")
    await made.hear([(0.0, "Please leave a message."), (1.2, 0.4)], 5.0)
    assert [(text, interrupted) for _, text, interrupted in made.said][-1] == ("Call us back.", False)


@virtual
async def test_an_assistant_that_asks_who_calls_is_answered() -> None:
    asks = "Hi, if you record your name and reason for calling, I'll see if this person is available."
    made = await call([(0.5, asks)], 6.0, ScreeningSettings(message="Hello."))
    assert made.who == ["assistant"]
    assert made.turns.words == [asks]
    await made.session.cancel()


MENU = "Thank you for calling. For sales, press one. For technical support, press two."


@virtual
async def test_a_menu_is_given_its_key_and_then_a_person_is_found() -> None:
    settings = ScreeningSettings(wanted=("repairs", "support"))
    made = await call([(0.5, MENU)], 6.0, settings)
    assert made.who == ["menu"]
    ((at, key),) = made.far.keys
    assert key == "2"
    assert at == pytest.approx(0.5 + 13 / 4 + 0.7, abs=0.12)
    await made.hear([(0.5, "Please hold."), (20.0, "Support, this is Ann, how can I help you?")], 25.0)
    assert made.who == ["menu", "person"]
    assert made.turns.words == ["Please hold.", "Support, this is Ann, how can I help you?"]
    assert len(made.far.keys) == 1
    await made.session.cancel()


@virtual
async def test_a_menu_without_what_is_wanted_gets_the_fallback_until_it_is_given_up() -> None:
    made = Call(ScreeningSettings(wanted=("billing",), fallback="#"))
    await made.session.start()
    for _ in range(8):
        await made.hear([(0.5, MENU)], 15.0)
    assert {key for _, key in made.far.keys} == {"#"}
    assert len(made.far.keys) == 6
    assert made.answered[-1].reason == "6 keys led to nobody"
    assert made.turns.words
    await made.session.cancel()


@virtual
async def test_a_menu_is_the_agents_where_nothing_is_wanted() -> None:
    made = await call([(0.5, MENU)], 6.0)
    assert made.who == ["menu"]
    assert made.far.keys == []
    assert made.turns.words == [MENU]
    await made.session.cancel()


@virtual
async def test_silence_is_a_person_in_the_end() -> None:
    made = await call([], 16.0)
    assert made.who == ["person"]
    assert made.answered[0].at == pytest.approx(15.0, abs=0.11)
    await made.session.cancel()


def test_an_announcement_is_not_somebody() -> None:
    for words in (
        "you ve reached john smith",
        "please hold",
        "one moment please",
        "sie haben weber erreicht",
    ):
        assert judge(Facts(2.0, words, 1.0, 1.0, 1.5), 15.0) is None


@pytest.mark.parametrize(
    ("text", "offers"),
    [
        (MENU, [("sales", "1"), ("technical support", "2")]),
        ("Press 1 for English, press 2 for Spanish.", [("english", "1"), ("spanish", "2")]),
        ("To speak to an operator, please press the star key", [("speak to an operator", "*")]),
        ("Für Fragen zur Rechnung drücken Sie bitte die Drei", [("fragen zur rechnung", "3")]),
        (
            "Para ventas, pulse uno. Para soporte técnico marque el dos.",
            [("ventas", "1"), ("soporte técnico", "2")],
        ),
        ("Pour le service client, tapez 1", [("le service client", "1")]),
        ("Good morning, how can I help you?", []),
    ],
)
def test_what_a_menu_offers(text: str, offers: list[tuple[str, str]]) -> None:
    assert options(text) == offers


def test_the_wish_that_comes_first_is_taken() -> None:
    assert choose(MENU, ("Support", "sales")) == ("technical support", "2")
    assert choose(MENU, ("refunds", "sales")) == ("sales", "1")
    assert choose(MENU, ("refunds",)) is None


def test_words_are_made_plain() -> None:
    assert plain("You've reached — 555*!  Okay?") == "you ve reached 555* okay ?"


@pytest.mark.parametrize(
    "settings",
    [{"within": 0.0}, {"fallback": "x"}, {"wanted": "sales"}],
    ids=["within", "fallback", "wanted"],
)
def test_wrong_settings_are_refused(settings: dict[str, str | float]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        ScreeningSettings(**settings)  # pyright: ignore[reportArgumentType]
