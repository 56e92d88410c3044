"""The cost of a conversation: by service, with what is not known named."""

import pytest

from antiphon.frames import Usage
from antiphon.telemetry.cost import Costs, dollars
from antiphon.telemetry.prices import PriceTable, parse_prices

PRICES = PriceTable(
    (
        parse_prices(
            '[openai.llm]\n"*" = { read = 1.0, written = 10.0 }\n'
            '[sarvam.llm]\n"*" = { read = 1, written = 1 }\n'
            '[cartesia.tts]\n"*" = { characters = 100.0 }\n[deepgram.stt]\n"*" = { hour = 0.36 }'
        ),
    )
)


def costs(*used: tuple[str, str, float, str, str]) -> Costs:
    observer = Costs(PRICES)
    for part, unit, amount, vendor, model in used:
        observer.saw(0.0, part, Usage(part, unit, amount, None, vendor, model), True)
    return observer


EARS = ("STT", "seconds heard", 100.0, "deepgram", "nova-3")
READ = ("LLM", "tokens read", 1000.0, "openai", "gpt-4.1-mini")
WROTE = ("LLM", "tokens written", 100.0, "openai", "gpt-4.1-mini")
VOICE = ("TTS", "characters spoken", 30.0, "cartesia", "sonic-3")
HERE = ("TTS", "characters spoken", 30.0, "local", "hibari")


def test_each_service_is_added_up() -> None:
    call = costs(EARS, READ, WROTE, VOICE, READ, EARS)
    assert call.ports() == {
        "stt": pytest.approx(0.02),
        "llm": pytest.approx(0.003),
        "tts": pytest.approx(0.003),
    }
    assert call.usd == pytest.approx(0.026)
    assert call.unknown == []
    assert call.line() == "Cost: $0.0260 (stt $0.0200, llm $0.0030, tts $0.0030)."


def test_what_runs_here_is_told_and_costs_nothing() -> None:
    assert costs(HERE).line() == "Cost: nothing, all models run on your own machine."
    assert costs(READ, HERE).line() == "Cost: $0.0010 (llm $0.0010); on your own machine: tts."


def test_what_has_no_price_is_named() -> None:
    call = costs(READ, ("TTS", "characters spoken", 30.0, "rime", "coda"))
    assert call.usd == pytest.approx(0.001)
    assert (
        call.line() == "Cost: $0.0010 (llm $0.0010); not included: tts rime/coda, whose price is not known."
    )
    own = costs(("TTS", "characters spoken", 30.0, "", ""))
    assert (
        own.line() == "Cost: $0.00; not included: tts a service without a vendor, whose price is not known."
    )


def test_answers_that_were_not_counted_are_told() -> None:
    cut = costs(READ, ("LLM", "answers uncounted", 2, "openai", "gpt-4.1-mini"))
    assert "not included: answers of openai/gpt-4.1-mini without a count of tokens: 2" in cut.line()
    never = costs(("LLM", "answers uncounted", 3, "sarvam", "sarvam-105b"))
    assert never.services()[0].usd is None
    assert never.line() == (
        "Cost: $0.00; not included: answers of sarvam/sarvam-105b without a count of tokens: 3."
    )


def test_nothing_used_is_nothing_said() -> None:
    assert costs().line() == ""
    assert costs(("TurnTaking", "characters written in vain", 9.0, "", "")).line() == ""


def test_a_spare_service_counts_beside_the_one_it_replaces() -> None:
    spare = ("TTS-2", "characters spoken", 10.0, "local", "hibari")
    assert [one.name for one in costs(VOICE, spare).services()] == ["cartesia/sonic-3", "local/hibari"]


@pytest.mark.parametrize(
    ("usd", "written"), [(0.0, "$0.00"), (12.5, "$12.50"), (0.0123, "$0.0123"), (0.00042, "$0.000420")]
)
def test_dollars_have_as_many_digits_as_say_something(usd: float, written: str) -> None:
    assert dollars(usd) == written
