"""What every test may rely on."""

import logging

import pytest

IN_REAL_TIME = ("tests/browser/", "tests/e2e/test_webrtc", "tests/e2e/test_server", "tests/e2e/test_workers")
"""Tests of processes and browsers that talk in real time: what else the machine does can delay them once."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give those a second try; pytest says where one was needed.

    Those of browsers come last: Playwright's event loop is the thread's, and a start that fails may leave it
    there.
    """
    items.sort(key=lambda item: item.nodeid.startswith("tests/browser/"))
    for item in items:
        if item.nodeid.startswith(IN_REAL_TIME):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def _loggers_are_open() -> None:  # pyright: ignore[reportUnusedFunction]
    """The command line and the benchmarks set the project's logger for their process; here all share one."""
    logging.getLogger("antiphon").setLevel(logging.NOTSET)
