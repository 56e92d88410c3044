"""The smallest model, fetched as a user would: whatever source this machine reaches."""

from pathlib import Path

import pytest

from antiphon.models import CATALOGUE, Store

pytestmark = pytest.mark.e2e


def test_a_model_is_pulled_and_sound(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.path("silero-vad")
    (file,) = CATALOGUE["silero-vad"].files
    assert (folder / file.name).stat().st_size == file.size
    assert store.verify("silero-vad") == []
    assert Store(tmp_path, offline=True).path("silero-vad") == folder
