"""What every test may rely on."""

import logging

import pytest


@pytest.fixture(autouse=True)
def _loggers_are_open() -> None:  # pyright: ignore[reportUnusedFunction]
    """The command line and the benchmarks set the project's logger for their process; here all share one."""
    logging.getLogger("antiphon").setLevel(logging.NOTSET)
