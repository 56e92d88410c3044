"""What must be true of every conversation here: the protocol never fails inside."""

from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _no_observer_failed(caplog: pytest.LogCaptureFixture) -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    """An observer that raises would be left out from then on, and the client told nothing."""
    yield
    assert [record.message for record in caplog.records if record.exc_info] == []
