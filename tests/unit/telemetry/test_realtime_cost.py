"""What a call with a model that hears and speaks costs."""

import pytest

from antiphon.frames import Usage
from antiphon.services.realtime_usage import told_tokens
from antiphon.services.realtime_vocabulary import Consumed
from antiphon.telemetry.cost import Costs
from antiphon.telemetry.prices import package_prices
from antiphon.vendors.google.live_messages import consumed

USAGE = {
    "input_tokens": 1000,
    "output_tokens": 300,
    "input_token_details": {
        "text_tokens": 400,
        "audio_tokens": 600,
        "cached_tokens": 500,
        "cached_tokens_details": {"text_tokens": 300, "audio_tokens": 200},
    },
    "output_token_details": {"text_tokens": 100, "audio_tokens": 200},
}


def cost(vendor: str, model: str, *used: Consumed) -> Costs:
    costs = Costs(package_prices())
    for one in used:
        by = (one.vendor, one.model) if one.vendor else (vendor, model)
        costs.saw(0.0, "Realtime", Usage("Realtime", one.unit, one.amount, None, *by), False)
    return costs


def test_text_sound_and_what_was_cached_have_prices_of_their_own() -> None:
    costs = cost("openai", "gpt-realtime-2.1", *told_tokens(USAGE))
    millionths = 100 * 4 + 300 * 0.4 + 400 * 32 + 200 * 0.4 + 100 * 24 + 200 * 64
    assert costs.usd == pytest.approx(millionths / 1e6)
    assert list(costs.ports()) == ["realtime"]
    assert costs.unknown == []


def test_tokens_of_an_untold_kind_count_as_sound() -> None:
    assert list(told_tokens({"input_tokens": 20, "output_tokens": 30})) == [
        Consumed("audio tokens read", 20),
        Consumed("audio tokens written", 30),
    ]


def test_without_details_the_cache_has_text_first() -> None:
    details = {"text_tokens": 15, "audio_tokens": 5, "cached_tokens": 18}
    used = {
        one.unit: one.amount for one in told_tokens({"input_tokens": 20, "input_tokens_details": details})
    }
    assert used["text tokens cached"] == 15
    assert used["audio tokens cached"] == 3


def test_more_cached_than_read_is_not_believed() -> None:
    details = {"text_tokens": 2, "cached_tokens": 10**9}
    used = {one.unit: one.amount for one in told_tokens({"input_tokens": 2, "input_token_details": details})}
    assert used == {"text tokens read": 2, "text tokens cached": 2}


def test_the_model_that_writes_down_words_is_a_service_of_its_own() -> None:
    written = Consumed("seconds heard", 3600.0, "openai", "gpt-4o-mini-transcribe")
    costs = cost("openai", "gpt-realtime-2.1", written, *told_tokens(USAGE))
    assert costs.ports()["stt"] == pytest.approx(0.18)


def test_a_conversation_is_billed_by_the_minute_and_its_thinker_by_tokens() -> None:
    thought = Consumed("tokens read", 1e6, "openai", "gpt-4.1-mini")
    costs = cost("openai_live", "gpt-live-1", Consumed("seconds of conversation", 120.0), thought)
    assert costs.ports() == {"realtime": pytest.approx(0.1), "llm": pytest.approx(0.4)}


def test_minutes_count_once_though_tokens_are_told_too() -> None:
    seconds = Consumed("seconds of conversation", 60.0)
    assert cost("xai", "grok-voice-latest", seconds, *told_tokens(USAGE)).usd == pytest.approx(0.08)


def test_a_price_that_is_not_known_is_said() -> None:
    costs = cost("qwen", "qwen3.5-omni-flash-realtime", *told_tokens(USAGE))
    assert costs.unknown == ["realtime qwen/qwen3.5-omni-flash-realtime, whose price is not known"]
    tokens_alone = cost("xai", "grok-voice-latest", *told_tokens(USAGE))
    assert tokens_alone.unknown == ["realtime xai/grok-voice-latest, whose price is not known"]


def test_gemini_tells_tokens_by_kind() -> None:
    usage = {
        "promptTokenCount": 100,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 60},
            {"modality": "AUDIO", "tokenCount": 30},
        ],
        "responseTokenCount": 20,
        "responseTokensDetails": [{"modality": "AUDIO", "tokenCount": 10**9}, "no detail"],
        "thoughtsTokenCount": 7,
    }
    used = {one.unit: one.amount for one in consumed(usage) if isinstance(one, Consumed)}
    assert used == {
        "text tokens read": 60,
        "audio tokens read": 40,
        "audio tokens written": 20,
        "text tokens written": 7,
    }


def test_what_runs_here_is_free() -> None:
    assert cost("kyutai", "", *told_tokens(USAGE)).services()[0].usd == 0
