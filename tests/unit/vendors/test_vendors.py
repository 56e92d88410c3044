"""Vendors are found by name, and a wrong name is answered with the right ones."""

import asyncio
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import pytest

from antiphon.errors import ConfigurationError
from antiphon.services.ports import PORTS, Vendor
from antiphon.testing import ScriptedTTS
from antiphon.vendors import abilities, available, create, is_resident, needed, ports_meant, record, vendor_of
from antiphon.vendors._abilities import ABILITIES
from antiphon.vendors.cartesia import tts as cartesia
from antiphon.vendors.deepgram import stt as deepgram
from antiphon.vendors.deepgram.stt import Nova
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
    for name in vendor.env:
        monkeypatch.setenv(name, "a-key")
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


@pytest.mark.parametrize(
    ("port", "spec", "said"),
    [
        ("llm", "openai:gpt-4.1", "a model is written openai/gpt-4.1"),
        ("tts", "deepgram/aura-2-thalia-en:loud", "deepgram has no option behind a colon for text to speech"),
    ],
)
def test_an_option_that_a_vendor_does_not_have_is_refused(port: str, spec: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        create(port, spec)


def test_a_colon_in_the_name_of_a_model_is_no_option() -> None:
    assert create("llm", "ollama/qwen3:8b").model == "qwen3:8b"


@pytest.mark.parametrize(
    ("make", "typo", "meant"),
    [
        (cartesia.TTS, {"vioce": "x"}, "voice"),
        (Nova, {"keyterm": ["x"]}, "keyterms"),
        (LLM, {"bas_url": "x"}, "base_url"),
        (deepgram.STT, {"langauge": "de"}, "language"),
    ],
)
def test_a_misspelt_parameter_is_not_sent_to_the_vendor(
    make: Callable[..., object], typo: dict[str, object], meant: str
) -> None:
    (written,) = typo
    with pytest.raises(ConfigurationError, match=f"has no parameter '{written}'. Did you mean {meant}"):
        make(**typo)


def test_an_option_of_the_vendor_is_sent_whatever_it_is_called() -> None:
    assert "pitch=2" in cast(Any, Nova(pitch=2))._url
    assert LLM(max_tokens=7, temperature=0.5)


def test_a_class_that_derives_from_a_vendors_may_use_any_names() -> None:
    class Mine(cartesia.TTS):
        def __init__(self, voices: str) -> None:
            super().__init__(voice=voices)

    assert Mine("a-voice")


@pytest.mark.parametrize(
    ("spec", "ports"),
    [
        ("cartesia", ["stt", "tts"]),
        ("cartesia/ink-2", ["stt"]),
        ("cartesia/sonic-3:a-voice", ["tts"]),
        ("cartesia/sonic-9", ["stt", "tts"]),
        ("deepgram:de", ["stt"]),
        ("hume/2", ["tts"]),
    ],
)
def test_a_name_says_which_ports_may_be_meant(spec: str, ports: list[str]) -> None:
    assert ports_meant(spec) == ports


def test_records_say_what_is_resident() -> None:
    for vendor in available():
        for port in set(vendor.provides) & set(PORTS):
            spec = vendor.name if (vendor.default or {}).get(port, "x") else f"{vendor.name}/some-model"
            assert create(port, spec).resident == (port in vendor.resident), (vendor.name, port)
            assert is_resident(port, vendor.name) == (port in vendor.resident)


def test_every_record_is_whole() -> None:
    for vendor in available():
        assert vendor.docs
        assert all(len(name) > 3 and name.isupper() for name in vendor.env), f"{vendor.name}: env is a tuple"
        assert {*vendor.can, *vendor.languages} <= {*vendor.provides}, vendor.name
        assert {word for words in vendor.can.values() for word in words} <= {*ABILITIES}, vendor.name
        if "cleaning" not in vendor.provides and vendor.name != "local":
            assert re.fullmatch(r"20\d\d-\d\d-\d\d", vendor.checked), f"{vendor.name}: when was it checked?"
        for port in vendor.provides:
            assert port in {*PORTS, "cleaning"}


def test_every_service_knows_who_is_billed_and_for_what() -> None:
    nameless = {"aws", "azure", "fireworks", "xai"}  # whose recogniser has no model, or only one of your own
    for vendor in available():
        if vendor.name == "livekit":  # whose plugins are packages of their own
            continue
        for port in {*vendor.provides} & {"stt", "llm", "tts"}:
            default = (vendor.default or {}).get(port)
            service = create(port, vendor.name if default != "" else f"{vendor.name}/a-model")
            billed = {"openai_responses": "openai"}.get(vendor.name, vendor.name)
            assert service.vendor == billed, (vendor.name, port)
            if default is None:
                assert vendor.name == "local" or vendor.name in nameless, (vendor.name, port)
            else:
                assert service.model == (default or "a-model"), (vendor.name, port)


def test_a_class_without_a_driver_is_named_by_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    class Voice(ScriptedTTS):
        def __init__(self, model: str) -> None:
            super().__init__()

    monkeypatch.setattr("antiphon.vendors.sarvam.tts.TTS", Voice)
    service = create("tts", "sarvam/some-model")
    assert (service.vendor, service.model) == ("sarvam", "some-model")


def test_that_a_vendor_tells_turns_is_in_its_record() -> None:
    """The codec of such a vendor yields TurnHint, and no other does."""
    for vendor in available():
        if vendor.provides.get("stt", "a row") != "a row" and vendor.name != "livekit":
            service = create("stt", vendor.name)
            tells = hasattr(sys.modules[type(service).__module__], "TurnHint")
            assert tells == ("turns" in vendor.can.get("stt", ())), vendor.name


def test_which_realtime_models_take_pictures_is_known() -> None:
    models = [vendor for vendor in available() if "realtime" in vendor.provides]
    seeing = {vendor.name for vendor in models if "images" in abilities(vendor, "realtime")}
    assert seeing >= {"azure", "azure_openai", "google", "openai", "openai_live", "qwen"}
    assert not seeing & {"aws", "hume", "kyutai", "ultravox"}


def test_a_model_that_calls_no_tools_is_not_said_to() -> None:
    assert "tools" not in abilities(record("perplexity"), "llm")
    assert "tools" in abilities(record("groq"), "llm")


@pytest.mark.parametrize(
    ("port", "name", "says"),
    [
        ("stt", "aws", "aws needs AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION: set them"),
        ("tts", "azure", "azure needs AZURE_SPEECH_KEY and AZURE_SPEECH_REGION: set them"),
        ("realtime", "azure", "azure needs AZURE_SPEECH_KEY and AZURE_FOUNDRY_RESOURCE: set them"),
        ("realtime", "azure_openai/x", "needs AZURE_OPENAI_API_KEY and AZURE_OPENAI_RESOURCE: set them"),
        ("llm", "azure_openai/x", "needs AZURE_OPENAI_API_KEY and AZURE_OPENAI_RESOURCE: set them"),
        ("tts", "cartesia", "cartesia needs a key: set CARTESIA_API_KEY"),
    ],
)
def test_all_that_is_missing_is_named_at_once(
    port: str, name: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in needed(record(vendor_of(name))):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(ConfigurationError, match=says):
        asyncio.run(create(port, name).open())


def test_what_is_there_is_not_said_to_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SPEECH_KEY", "a-key")
    monkeypatch.delenv("AZURE_SPEECH_REGION", raising=False)
    with pytest.raises(
        ConfigurationError, match="azure needs AZURE_SPEECH_REGION: set it in the environment"
    ):
        asyncio.run(create("stt", "azure").open())
