"""What we ask of Krisp's package, which cannot be had without a licence: a stand-in checks the calls."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from antiphon.errors import ConfigurationError
from antiphon.vendors import create, krisp


class Session:
    def __init__(self, config: Any) -> None:
        assert config.inputSampleRate == config.outputSampleRate == 16000
        assert config.inputFrameDuration == 10
        self.model = config.modelInfo.path
        if "broken" in self.model:
            raise RuntimeError("wrong model")

    def process(self, frame: Any, level: int) -> Any:
        assert frame.dtype == np.int16 and frame.shape == (160,) and 0 <= level <= 100
        return frame // 2


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The package as it is documented; what it was told at its start."""
    calls: list[tuple[Any, ...]] = []

    def start(*told: Any) -> None:
        calls.append(told)

    sdk = SimpleNamespace(
        globalInit=start,
        LogLevel=SimpleNamespace(Off=0),
        ModelInfo=SimpleNamespace,
        NcSessionConfig=SimpleNamespace,
        SamplingRate=SimpleNamespace(Sr16000Hz=16000),
        FrameDuration=SimpleNamespace(Fd10ms=10),
        NcInt16=SimpleNamespace(create=Session),
    )
    monkeypatch.setitem(sys.modules, "krisp_audio", sdk)
    krisp._sdk.cache_clear()  # pyright: ignore[reportPrivateUsage]
    return calls


def test_blocks_go_through_their_model(told: list[tuple[Any, ...]], tmp_path: Path) -> None:
    model = tmp_path / "voice.kef"
    model.touch()
    first, second = (krisp.Cleaner(str(model), key="secret") for _ in range(2))
    assert len(told) == 1 and told[0][:2] == ("", "secret")
    sound = np.arange(320, dtype="<i2")
    assert first.process(sound.tobytes(), None) == (sound // 2).tobytes()
    second.reset()
    assert len(told) == 1


def test_key_and_model_come_from_the_environment(
    told: list[tuple[Any, ...]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / "voice.kef"
    model.touch()
    monkeypatch.setenv("KRISP_VIVA_SDK_LICENSE_KEY", "secret")
    monkeypatch.setenv("KRISP_VIVA_FILTER_MODEL_PATH", str(model))
    assert isinstance(create("cleaning", "krisp"), krisp.Cleaner)


@pytest.mark.parametrize(
    ("model", "key", "message"),
    [
        ("voice.kef", "", "KRISP_VIVA_SDK_LICENSE_KEY"),
        ("missing.kef", "secret", "KRISP_VIVA_FILTER_MODEL_PATH"),
        ("", "secret", "KRISP_VIVA_FILTER_MODEL_PATH"),
        ("broken.kef", "secret", "wrong model"),
    ],
)
def test_what_is_missing_is_named(
    told: list[tuple[Any, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    key: str,
    message: str,
) -> None:
    monkeypatch.delenv("KRISP_VIVA_SDK_LICENSE_KEY", raising=False)
    monkeypatch.delenv("KRISP_VIVA_FILTER_MODEL_PATH", raising=False)
    for name in ("voice.kef", "broken.kef"):
        (tmp_path / name).touch()
    with pytest.raises(ConfigurationError, match=message):
        krisp.Cleaner(str(tmp_path / model) if model else "", key=key)


def test_without_their_package_it_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    krisp._sdk.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setitem(sys.modules, "krisp_audio", None)
    model = tmp_path / "voice.kef"
    model.touch()
    with pytest.raises(ConfigurationError, match=r"krisp\.ai/developers"):
        krisp.Cleaner(str(model), key="secret")
