"""What we ask of ai-coustics' SDK, which wants a licence: a stand-in with its signatures checks the calls."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from antiphon.errors import AntiphonError, AuthenticationError, ConfigurationError, UnavailableError
from antiphon.vendors import ai_coustics, create


class LicenseExpiredError(Exception):
    pass


class ModelDownloadError(Exception):
    pass


class ModelInvalidError(Exception):
    pass


class Processor:
    def __init__(self, model: str, key: str, config: Any) -> None:
        if key == "expired":
            raise LicenseExpiredError("the licence key has expired")
        assert (config.sample_rate, config.block_size) == (16000, 160)
        self.model, self.level, self.resets, self.ended = model, 1.0, 0, False

    def process(self, audio: Any) -> Any:
        assert audio.dtype == np.float32 and audio.shape == (160,) and not self.ended
        return audio / 2

    def get_context(self) -> Any:
        def change(name: str, value: float) -> None:
            assert name == "level"
            self.level = value

        def reset() -> None:
            self.resets += 1

        return SimpleNamespace(get_audio_delay=lambda: 480, set_parameter=change, reset=reset)

    def terminate_session(self) -> None:
        self.ended = True


@pytest.fixture(autouse=True)
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SDK; which models were fetched."""
    models: list[str] = []

    def download(model: str, folder: Path) -> str:
        if model == "unreachable":
            raise ModelDownloadError("no route")
        models.append(model)
        return f"{folder}/{model}.aicmodel"

    def from_file(path: str) -> str:
        if "broken" in path:
            raise ModelInvalidError("corrupted")
        return path

    sdk = SimpleNamespace(
        Model=SimpleNamespace(download=download, from_file=from_file),
        ProcessorConfig=lambda rate, block: SimpleNamespace(sample_rate=rate, block_size=block),  # pyright: ignore[reportUnknownLambdaType]
        Processor=Processor,
        ProcessorParameter=SimpleNamespace(EnhancementLevel="level"),
    )
    monkeypatch.setitem(sys.modules, "aic_sdk", sdk)
    monkeypatch.setenv("AIC_SDK_LICENSE", "secret")
    ai_coustics._model.cache_clear()  # pyright: ignore[reportPrivateUsage]
    return models


def test_blocks_go_through_their_model(fetched: list[str], tmp_path: Path) -> None:
    cleaners = [ai_coustics.Cleaner(models=tmp_path, strength=0.8) for _ in range(2)]
    for cleaner in cleaners:
        asyncio.run(cleaner.open())
    assert fetched == ["quail-vf-2.2-l-16khz"]
    assert cleaners[0].delay == 480
    sound = np.arange(-16000, 16000, 100, dtype="<i2")
    out = np.frombuffer(cleaners[0].process(sound.tobytes(), None), "<i2")
    assert np.abs(out - sound / 2).max() <= 1
    cleaners[0].reset()
    asyncio.run(cleaners[0].close())


def test_a_file_is_not_fetched(fetched: list[str]) -> None:
    asyncio.run(create("cleaning", "ai_coustics//models/own.aicmodel").open())
    assert fetched == []


@pytest.mark.parametrize(
    ("model", "key", "kind", "message"),
    [
        ("a.aicmodel", "expired", AuthenticationError, "has expired"),
        ("unreachable", "secret", UnavailableError, "no route"),
        ("broken.aicmodel", "secret", ConfigurationError, "corrupted"),
    ],
)
def test_their_errors_say_whose_move_it_is(
    model: str, key: str, kind: type[AntiphonError], message: str, tmp_path: Path
) -> None:
    cleaner = ai_coustics.Cleaner(model, key=key, models=tmp_path)
    with pytest.raises(kind, match=message):
        asyncio.run(cleaner.open())
    asyncio.run(cleaner.close())


def test_a_missing_key_or_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aic_sdk", None)
    with pytest.raises(ConfigurationError, match="pip install aic-sdk"):
        ai_coustics.Cleaner()
    monkeypatch.delenv("AIC_SDK_LICENSE")
    with pytest.raises(ConfigurationError, match="set AIC_SDK_LICENSE"):
        ai_coustics.Cleaner()
