"""Services that stand for those of vendors, and recordings for them."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from antiphon.cli.services.recordings import Recording

Services = Callable[[Mapping[str, Any]], None]


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Services:
    """Let names stand for these services, or for these errors."""

    def stand_in(named: Mapping[str, Any]) -> None:
        def create(port: str, name: str) -> Any:
            if isinstance(made := named[name], Exception):
                raise made
            return made

        monkeypatch.setattr("antiphon.cli.services.trials.create", create)

    return stand_in


def recording(*seconds: float, text: str | None = None, name: str = "call") -> Recording:
    """A recording of speech and pauses in turn, which are so many seconds long."""
    random = np.random.default_rng(7)
    pcm = b"".join(
        bytes(round(length * 16000) * 2)
        if place % 2
        else random.integers(-8000, 8000, round(length * 16000)).astype("<i2").tobytes()
        for place, length in enumerate(seconds)
    )
    return Recording(name, pcm, 16000, text)


@pytest.fixture(name="recording")
def make_recording() -> Callable[..., Recording]:
    """Makes a recording: `recording(1.0, 0.5, 1.0)` has two stretches of speech."""
    return recording
