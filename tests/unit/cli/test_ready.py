"""What an agent needs before its first call."""

from pathlib import Path

import pytest

from antiphon import Agent
from antiphon.cli.ready import EXTRAS, fetch, models
from antiphon.errors import ConfigurationError
from antiphon.testing import ScriptedLLM, ScriptedSTT


def test_an_agent_needs_the_models_that_it_names() -> None:
    assert models(Agent("Be brief.")) == [
        "silero-vad",
        "smart-turn",
        "whisper-tiny.en",
        "qwen2.5-coder-0.5b",
        "minilm",
    ]
    chosen = Agent("Be brief.", stt="local/whisper-tiny.en", llm="openai/gpt-4.1-mini", eot=None)
    assert models(chosen) == ["silero-vad", "whisper-tiny.en"]
    assert models(chosen, "llm", "tts") == []
    assert models(Agent("Be brief.", stt=ScriptedSTT([]), llm=ScriptedLLM([]), vad=None, eot=None)) == []


def test_packages_are_asked_for_before_models_are_pulled(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXTRAS, "local", {"no-such-package": "no_such_package"})
    with pytest.raises(ConfigurationError, match=r'need no-such-package: pip install "antiphon\[local\]"'):
        fetch(Agent("Be brief."))
    assert not (folder / "models").exists()
