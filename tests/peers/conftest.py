"""Runs clients that others wrote in an event loop, and prints whether the loopback servers agreed."""

import asyncio
import inspect
import pkgutil
import sys
from collections.abc import Generator, Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from antiphon.testing import loopback
from antiphon.testing.loopback.grpc import GrpcVendorServer
from antiphon.testing.loopback.http import HttpVendorServer
from antiphon.testing.loopback.server import VendorServer

sys.path.insert(0, str(Path(__file__).parent))  # for parts.py
TIMEOUT = 30.0
SHARED = (VendorServer, HttpVendorServer, GrpcVendorServer)
AGREED: dict[tuple[str, str], bool] = {}
"""Whether all tests of a server with a package have passed."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "client(server, package): drives a package's client against a server")


def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    made = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
    asyncio.run(asyncio.wait_for(made, TIMEOUT))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    for marker in item.iter_markers("client"):
        server, package = marker.args
        key = (server.__name__, package)
        if report.when == "call" or report.failed:
            AGREED[key] = AGREED.get(key, True) and report.passed
    return report


def servers() -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each vendor's server on loopback."""
    for module in pkgutil.iter_modules(loopback.__path__):
        found = import_module(f"{loopback.__name__}.{module.name}")
        for name in getattr(found, "__all__", ()):
            kind = getattr(found, name)
            if isinstance(kind, type) and issubclass(kind, SHARED) and kind not in SHARED:
                yield module.name, name


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line for each server and each client of it."""
    terminalreporter.section("servers on loopback, and clients that others wrote")
    for module, server in servers():
        clients = [package for name, package in AGREED if name == server]
        for package in clients:
            verdict = "agreed" if AGREED[server, package] else "DISAGREED"
            told = f"{package} {version(package)}"
            terminalreporter.write_line(f"{module:24}{server:24}{told:44}{verdict}")
        if not clients:
            terminalreporter.write_line(f"{module:24}{server:24}{'no client':44}not compared")
