"""What the end-of-turn model is shown."""

from typing import Any, cast

import numpy as np
import pytest

from antiphon.errors import UsageError
from antiphon.testing import run_virtual
from antiphon.vendors.local import eot
from antiphon.vendors.local.eot import SmartTurn
from antiphon.vendors.local.mel import FloatArray
from antiphon.vendors.local.resident import Resident


class Shown:
    """Remembers what it is shown, and answers 0.75."""

    def __init__(self) -> None:
        self.features: list[FloatArray] = []

    def run(self, output_names: None, inputs: dict[str, Any]) -> list[Any]:
        assert inputs["input_features"].shape == (1, 80, 800)
        assert inputs["input_features"].dtype == np.float32
        self.features.append(inputs["input_features"][0])
        return [np.array([[0.75]], np.float32)]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    model = Shown()
    monkeypatch.setattr(eot, "MODEL", cast(Any, Resident("test", lambda: model)))
    return model


def hum(seconds: float) -> bytes:
    t = np.arange(int(seconds * 16000)) / 16000
    return (9000 * np.sin(2 * np.pi * 440 * t)).astype("<i2").tobytes()


def test_a_short_turn_has_silence_in_front(shown: Shown) -> None:
    assert run_virtual(SmartTurn().score(hum(2))) == 0.75
    (features,) = shown.features
    assert features[:, :590].std() < 0.01
    assert features[11, 610:].mean() > features[11, :590].mean() + 1  # the band of 440 Hz


def test_of_a_long_turn_the_newest_is_heard(shown: Shown) -> None:
    for pcm in (bytes(64000) + hum(8), hum(8)):
        run_virtual(SmartTurn().score(pcm))
    first, second = shown.features
    np.testing.assert_array_equal(first, second)


def test_nothing_is_a_turn_too(shown: Shown) -> None:
    assert run_virtual(SmartTurn().score(b"")) == 0.75


def test_half_a_sample_is_refused(shown: Shown) -> None:
    with pytest.raises(UsageError, match="two bytes"):
        run_virtual(SmartTurn().score(b"abc"))
