"""Vendors are found by name, and a wrong name is answered with the right ones."""

from contextlib import suppress

import pytest

from antiphon.errors import ConfigurationError
from antiphon.services.ports import PORTS, Vendor
from antiphon.vendors import available, create, is_resident
from antiphon.vendors.openai import LLM


def test_vendor_and_model() -> None:
    service = create("llm", "openai/some/model")
    assert isinstance(service, LLM)
    assert service.model == "some/model"


def test_vendor_alone_takes_its_default() -> None:
    assert create("llm", "openai").model == "gpt-4.1-mini"


@pytest.mark.parametrize(
    ("spec", "model", "voice"),
    [
        ("sarvam", "bulbul:v3", "shubh"),
        ("sarvam/bulbul:v3", "bulbul:v3", "shubh"),
        ("sarvam/bulbul:v3:anushka", "bulbul:v3", "anushka"),
        ("sarvam/bulbul-v4:anushka", "bulbul-v4", "anushka"),
        ("sarvam:anushka", "bulbul:v3", "anushka"),
    ],
)
def test_a_default_model_may_have_a_colon_in_its_name(
    monkeypatch: pytest.MonkeyPatch, spec: str, model: str, voice: str
) -> None:
    made: list[dict[str, str]] = []

    def speech(model: str, voice: str = "shubh") -> object:
        made.append({"model": model, "voice": voice})
        return object()

    monkeypatch.setattr("antiphon.vendors.sarvam.tts.TTS", speech)
    create("tts", spec)
    assert made == [{"model": model, "voice": voice}]


def test_unknown_vendor_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean openai"):
        create("llm", "opena")


def test_port_that_a_vendor_lacks_names_who_has_it() -> None:
    with pytest.raises(ConfigurationError, match="for that there are: local"):
        create("vad", "openai")


def test_unknown_local_model_names_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"qwen2\.5-coder-0\.5b"):
        create("llm", "local/nothing")


@pytest.mark.parametrize("vendor", available(), ids=lambda vendor: vendor.name)
def test_any_name_makes_a_service_or_is_refused_in_a_sentence(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    if vendor.env:
        monkeypatch.setenv(vendor.env, "a-key")
    for port in vendor.provides:
        for more in ("", "/", ":", "/nonsense", ":nonsense", "/nonsense:de"):
            with suppress(ConfigurationError):
                create(port, vendor.name + more)


def test_a_vendor_without_a_default_model_says_how_to_name_one() -> None:
    with pytest.raises(ConfigurationError, match="write openrouter/MODEL"):
        create("llm", "openrouter")


def test_what_cannot_be_chosen_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'local/silero' says more than local lets choose"):
        create("vad", "local/silero")


def test_records_say_what_is_resident() -> None:
    for vendor in available():
        for port in set(vendor.provides) & set(PORTS):
            spec = vendor.name if (vendor.default or {}).get(port, "x") else f"{vendor.name}/some-model"
            assert create(port, spec).resident == (port in vendor.resident), (vendor.name, port)
            assert is_resident(port, vendor.name) == (port in vendor.resident)


def test_every_record_is_whole() -> None:
    for vendor in available():
        assert vendor.docs
        for port in vendor.provides:
            assert port in {*PORTS, "cleaning"}
