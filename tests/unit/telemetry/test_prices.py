"""The price table: rows, patterns, a user's own file, and what is wrong with it."""

from pathlib import Path

import pytest

from antiphon.errors import ConfigurationError
from antiphon.telemetry.prices import PriceTable, cost, load_prices, parse_prices
from antiphon.vendors import available, record

HOUR = {"seconds heard": 3600.0}


def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> Path:
    path = tmp_path / "my prices.toml"
    path.write_text(text)
    monkeypatch.setenv("ANTIPHON_PRICES", str(path))
    return path


def test_tokens_from_the_cache_cost_less_and_those_put_into_it_more() -> None:
    table = PriceTable(
        (parse_prices('[a.llm]\n"m" = { read = 1.0, cached = 0.1, stored = 1.25, written = 5.0 }'),)
    )
    usage = {"tokens read": 1e6, "tokens cached": 5e5, "tokens stored": 1e5, "tokens written": 1e5}
    assert table.cost("a", "llm", "m", usage) == pytest.approx(0.4 + 0.05 + 0.125 + 0.5)


def test_without_a_price_of_the_cache_all_tokens_cost_the_same() -> None:
    table = PriceTable((parse_prices('[a.llm]\n"m" = { read = 1.0, written = 5.0 }'),))
    assert table.cost("a", "llm", "m", {"tokens read": 1e6, "tokens cached": 5e5}) == pytest.approx(1.0)


def test_speech_costs_by_the_hour_by_the_character_or_by_the_minute() -> None:
    table = PriceTable(
        (
            parse_prices(
                '[a.stt]\n"*" = { hour = 0.3 }\n[a.tts]\n"x" = { characters = 40 }\n"y" = { minute = 0.015 }'
            ),
        )
    )
    spoken = {"characters spoken": 1000.0, "seconds spoken": 60.0}
    assert table.cost("a", "stt", "any", HOUR) == pytest.approx(0.3)
    assert table.cost("a", "stt", "any", {"seconds open": 1800.0}) == pytest.approx(0.15)
    assert table.cost("a", "tts", "x", spoken) == pytest.approx(0.04)
    assert table.cost("a", "tts", "y", spoken) == pytest.approx(0.015)


def test_what_is_not_known_of_a_price_is_shown_as_such() -> None:
    table = PriceTable((parse_prices('[a.llm]\n"m" = { read = 0.4 }'),))
    assert str(table.price("a", "llm", "m")) == "$0.4/?"


def test_a_port_has_the_prices_that_it_is_billed_by() -> None:
    with pytest.raises(ConfigurationError, match="no price characters"):
        parse_prices('[a.stt]\n"m" = { characters = 3 }')


def test_the_longest_pattern_counts() -> None:
    table = PriceTable(
        (parse_prices('[a.stt]\n"*" = { hour = 1 }\n"nova-*" = { hour = 2 }\n"nova-3" = { hour = 3 }'),)
    )
    assert [table.cost("a", "stt", model, HOUR) for model in ("x", "nova-2", "nova-3")] == [1, 2, 3]


def test_what_is_not_known_is_none_and_never_zero() -> None:
    assert cost("rime", "tts", "coda", {"characters spoken": 100.0}) is None
    assert cost("nobody", "llm", "m", {"tokens read": 1.0}) is None
    assert cost("openai", "llm", "gpt-99", {"tokens read": 1.0}) is None
    assert cost("openai", "llm", "gpt-4.1-mini", {"seconds heard": 1.0}) is None
    assert cost("openai", "llm", "gpt-4.1-mini", {"answers uncounted": 1.0}) is None


def test_what_runs_on_your_own_machine_costs_nothing() -> None:
    assert cost("local", "llm", "anything", {"tokens read": 1e9}) == 0
    assert cost("ollama", "llm", "llama", {"answers uncounted": 3}) == 0


def test_a_file_of_ones_own_comes_first_row_by_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own(
        tmp_path,
        monkeypatch,
        '[deepgram.stt]\n"*" = { hour = 0.1 }\n[ollama.llm]\n"*" = { read = 1, written = 1 }',
    )
    assert cost("deepgram", "stt", "nova-3", HOUR) == pytest.approx(0.1)
    assert cost("deepgram", "tts", "aura-2-thalia-en", {"characters spoken": 1e6}) == pytest.approx(30)
    assert cost("ollama", "llm", "llama", {"tokens read": 1e6}) == pytest.approx(1)


def test_the_file_is_found_in_the_folder_for_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTIPHON_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "antiphon").mkdir()
    (tmp_path / "antiphon" / "prices.toml").write_text('[soniox.stt]\n"*" = { hour = 7 }')
    assert cost("soniox", "stt", "stt-rt-v5", HOUR) == pytest.approx(7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[a.llm]\n"m" = { raed = 1 }', r'a\.llm\."m": there is no price raed; did you mean read\?'),
        ('[a.llm]\n"m" = { read = "1" }', r'a\.llm\."m"\.read must be a number of US dollars, not .1.'),
        ('[a.llm]\n"m" = { read = -1 }', "must be a number"),
        ('[a.llm]\n"m" = { read = nan }', "must be a number"),
        ('[a.llm]\n"m" = { read = true }', "must be a number"),
        ('[a.llm]\n"m" = 3', r'a\.llm\."m" must be a table'),
        ('[a.ears]\n"m" = { hour = 1 }', r"a\.ears: there is no such port; write stt or llm or tts"),
        ("a = 3", "a must be a table"),
        ("[a]\nllm = 3", r"a\.llm must be a table"),
        ('[a.llm]\nchecked = "today"', r"a\.llm\.checked must be a date"),
        ("[a.llm]\nsource = 3", r"a\.llm\.source must be a text"),
        ("[a.llm]\nm = 1 2", "not TOML: .*line 2"),
    ],
)
def test_a_bad_file_says_where_and_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str
) -> None:
    own(tmp_path, monkeypatch, text)
    with pytest.raises(ConfigurationError, match=rf"my prices\.toml: .*{says}"):
        load_prices()


def test_a_misspelt_vendor_is_refused_and_one_of_ones_own_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own(tmp_path, monkeypatch, '[deepgrm.stt]\n"*" = { hour = 0.1 }')
    with pytest.raises(ConfigurationError, match="did you mean deepgram"):
        load_prices()
    own(tmp_path, monkeypatch, '[of_our_own.stt]\n"*" = { hour = 0.1 }')
    assert cost("of_our_own", "stt", "any", HOUR) == pytest.approx(0.1)


def test_a_file_that_does_not_exist_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTIPHON_PRICES", "/nowhere/prices.toml")
    with pytest.raises(ConfigurationError, match=r"/nowhere/prices\.toml: there is no such file"):
        load_prices()


def test_the_package_s_prices_are_of_vendors_that_there_are_with_source_and_date() -> None:
    (rows,) = PriceTable((load_prices().parts[-1],)).parts
    names = {vendor.name for vendor in available()}
    for (vendor, port), prices in rows.items():
        assert vendor in names, vendor
        assert port in record(vendor).provides, (vendor, port)
        for pattern, price in prices.items():
            assert price.source.startswith("https://"), (vendor, port)
            assert price.checked >= "2026-01-01", (vendor, port)
            known = {name for name in ("read", "hour", "characters", "minute") if getattr(price, name)}
            assert known in ({"read"}, {"hour"}, {"characters"}, {"minute"}), (vendor, pattern)
