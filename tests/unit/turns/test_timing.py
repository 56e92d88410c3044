"""How long the agent waits before it answers."""

import asyncio
from collections.abc import Awaitable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon.clock import LoopClock
from antiphon.errors import ConfigurationError, UnavailableError
from antiphon.testing import virtual
from antiphon.turns.timing import (
    THINKING,
    WEIGHTY,
    AskedTiming,
    Exchange,
    Pace,
    TimingRule,
    TimingRules,
    TimingSettings,
)

CHAT = """
Hi there! | Yes, please. | Yeah. | Four o'clock. | What time do you close? | Why?
Why not? | How are you doing?
My phone died. | My battery died yesterday. | I'm afraid I can't make it on Tuesday. | I'm dying to know.
I'd like to book a table for two. | I'm fired up. | It's about the cancellation. | He works in diagnostics.
Guten Tag, ich hätte gern einen Termin. | Warum? | Ich habe meinen Schlüssel verloren. | Bonjour, ça va ?
¿A qué hora abren? | Perché no? | Até logo! | Goedemorgen, mag ik iets vragen? | J'ai perdu ma clé.
"""

WEIGHTY_TURNS = {
    "en": "My father died last week. | I lost my job. | I was diagnosed with diabetes. | I’m so scared. | "
    "She passed away. | I am afraid of the operation. | We just lost our dog.",
    "de": "Mein Vater ist gestorben. | Ich habe meine Arbeit verloren. | Ich habe Angst vor der Operation.",
    "fr": "Ma mère est décédée. | J'ai perdu mon travail. | J’ai peur.",
    "es": "Mi padre falleció ayer. | Perdí mi trabajo. | Tengo mucho miedo.",
    "it": "Mio padre è morto. | Ho paura.",
    "pt": "Meu pai morreu. | Perdi o emprego.",
    "nl": "Mijn vader is overleden. | Ik ben mijn baan verloren.",
}

THINKING_TURNS = {
    "en": "So what do you think about that? | Why is the sky blue at noon? | What would you do?",
    "de": "Was halten Sie davon? | Warum ist der Himmel eigentlich blau?",
    "fr": "Qu'en pensez-vous ? | Pourquoi le ciel est-il bleu ?",
    "es": "¿Qué opina usted? | ¿Por qué el cielo es azul?",
    "it": "Cosa ne pensi? | Perché il cielo è così blu?",
    "pt": "O que você acha? | Por que o céu é azul?",
    "nl": "Wat vind je daarvan? | Waarom is de lucht zo blauw?",
}


def each(text: str) -> list[str]:
    return [turn.strip() for line in text.strip().splitlines() for turn in line.split("|")]


def pace(user: str, settings: TimingSettings | None = None) -> Pace:
    return TimingRules(settings).pace(Exchange(user))


def test_every_language_has_examples() -> None:
    assert set(WEIGHTY) == set(WEIGHTY_TURNS) == set(THINKING) == set(THINKING_TURNS)


@pytest.mark.parametrize("turn", each(CHAT))
def test_a_chat_costs_nothing(turn: str) -> None:
    assert pace(turn).seconds == 0


@pytest.mark.parametrize("turn", [turn for turns in WEIGHTY_TURNS.values() for turn in each(turns)])
def test_something_weighty_is_given_a_moment(turn: str) -> None:
    assert pace(turn) == Pace(0.9, "something weighty was said")
    assert pace(turn.upper()).seconds == 0.9


@pytest.mark.parametrize("turn", [turn for turns in THINKING_TURNS.values() for turn in each(turns)])
def test_a_question_to_think_about_is_thought_about(turn: str) -> None:
    assert pace(turn) == Pace(0.4, "a question to think about")


def test_the_switch_is_one() -> None:
    sad = "My father died."
    assert pace(sad, TimingSettings(enabled=False)).seconds == 0
    assert pace(sad, TimingSettings(longest=0.5)).seconds == 0.5


def test_rules_of_ones_own_in_order() -> None:
    policy = {"rules": [{"pattern": r"\bpizza\b", "seconds": 1, "reason": "hungry"}], "otherwise": 0.1}
    settings = msgspec.convert(policy, TimingSettings)
    assert pace("A Pizza, please", settings) == Pace(1.0, "hungry")
    assert pace("My father died.", settings) == Pace(0.1, "nothing to wait for")


def test_wrong_settings_say_so() -> None:
    with pytest.raises(ConfigurationError, match="regular expression"):
        TimingRules(TimingSettings(rules=(TimingRule("(", 1, ""),)))
    with pytest.raises(ConfigurationError, match="0 seconds or more"):
        TimingSettings(rules=(TimingRule("x", -1, ""),))
    with pytest.raises(ConfigurationError, match="within"):
        AskedTiming(says(1), asyncio.wait_for, within=0)


@given(st.text())
def test_any_text_has_a_pace(text: str) -> None:
    assert 0 <= pace(text).seconds <= 2


class says:  # noqa: N801  reads as a verb
    """An answer, after some seconds."""

    def __init__(self, answer: float | Exception, after: float = 0.0) -> None:
        self.answer, self.after, self.asked = answer, after, 0

    async def __call__(self, exchange: Exchange) -> float:
        self.asked += 1
        await LoopClock().sleep(self.after)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def asked(ask: says, settings: TimingSettings | None = None) -> Awaitable[Pace]:
    timing = AskedTiming(ask, asyncio.wait_for, within=0.3, otherwise=TimingRules(settings))
    return timing.pace(Exchange("My father died."))


@virtual
async def test_a_model_is_asked_and_never_waited_for_long() -> None:
    assert await asked(says(1.2, after=0.2)) == Pace(1.2, "as the model says")
    assert (await asked(says(30))).seconds == 2.0
    for vain in (says(1.2, after=0.4), says(UnavailableError("gone")), says(-1), says(float("nan"))):
        paced = await asked(vain)
        assert paced.seconds == 0.9, "the rules say"
        assert paced.reason != "something weighty was said", "and why nobody else did"


@virtual
async def test_a_model_is_not_asked_for_nothing() -> None:
    ask = says(1.0)
    assert (await asked(ask, TimingSettings(enabled=False))).seconds == 0
    assert ask.asked == 0
